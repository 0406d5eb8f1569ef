/** How kvs-client ends, and how it says why. */
import { CommanderError } from 'commander';

import { KvsError, type KvsErrorCode } from '../errors.js';
import { UsageError } from './command.js';

export const EXIT = { ok: 0, no: 1, usage: 2, noServer: 3, timeout: 4, failure: 5, interrupted: 130 } as const;

export const EXIT_HELP = `Exit codes:
  0  done
  1  the answer is no: not found, not inserted, another version; not all of several;
     doctor: not everything is accounted for; log check: a file is damaged, or there is none
  2  wrong usage
  3  no server of that name, or it has gone
  4  timeout
  5  any other error
`;

/** A failure that was already described and judged, on another thread. */
export class CommandFailure extends Error {
  override readonly name = 'CommandFailure';
  readonly exitCode: number;

  constructor(message: string, exitCode: number) {
    super(message);
    this.exitCode = exitCode;
  }
}

export function exitCodeOf(error: unknown): number {
  if (error instanceof CommandFailure) return error.exitCode;
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
  if (error instanceof UsageError || error instanceof TypeError || error instanceof RangeError) return EXIT.usage;
  if (!(error instanceof KvsError)) return EXIT.failure;
  return EXIT_BY_ERROR[error.code] ?? EXIT.failure;
}

const EXIT_BY_ERROR: Partial<Record<KvsErrorCode, number>> = {
  ERR_KVS_NO_REGION: EXIT.noServer,
  ERR_KVS_SERVER_GONE: EXIT.noServer,
  ERR_KVS_NOT_READY: EXIT.noServer,
  ERR_KVS_TIMEOUT: EXIT.timeout,
  ERR_KVS_ABORTED: EXIT.interrupted,
};

/** One line. */
export function describeError(error: unknown): string {
  const text = (error instanceof Error ? error.message : String(error))
    .replace(/^error: /, '')
    .replace(/^invalid client options: /, '--')
    .replaceAll('\n', ' ');
  return error instanceof KvsError ? `${text} (${error.code})` : text;
}
