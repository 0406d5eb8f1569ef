/** Options of a server: what they mean, their defaults and bounds. */
import { availableParallelism } from 'node:os';

import * as v from 'valibot';

import { describeIssues } from '../errors.js';
import type { RegionShape } from '../memory/layout.js';
import { defaultShmDir, LIMITS, NAME_PATTERN } from '../memory/region-files.js';
import { roundUp } from '../memory/record.js';

const MIB = 2 ** 20;
const PAGE = 4096;

/** Something worth a line in a log. */
export type ServerEvent =
  | { readonly type: 'stale-region-replaced' }
  | { readonly type: 'worker-died'; readonly worker: number; readonly error: Error }
  | { readonly type: 'request-failed'; readonly worker: number; readonly operation: string; readonly message: string }
  | { readonly type: 'client-reaped'; readonly client: number; readonly pid: number; readonly slots: number }
  | { readonly type: 'drain-timeout'; readonly pending: number };

export interface KvsServerOptions {
  /** Names the region on this host: 1 to 64 of `A-Z a-z 0-9 . _ -`. */
  readonly name: string;
  /** Worker threads. Default: one less than there are CPUs, at least 1; at most 32. */
  readonly workers?: number | undefined;
  /** Lock stripes of the store, a power of two up to 1,024. Default 64. */
  readonly stripes?: number | undefined;
  /** Requests that can be in flight at once, a power of two from 16 to 4,096. Default 1,024. */
  readonly slots?: number | undefined;
  /** Bytes of the data segment, reserved at start: 4 MiB to 4 GiB. Default 256 MiB. */
  readonly maxMemory?: number | undefined;
  /** Largest value in bytes, up to 64 MiB and a quarter of `maxMemory`. Default 1 MiB, or an eighth of `maxMemory`. */
  readonly maxValueBytes?: number | undefined;
  /** Where the region's files are. Default: `$KVS_SHM_DIR`, else `/dev/shm`. Must be a tmpfs to be fast. */
  readonly shmDir?: string | undefined;
  /** How long `stop()` waits for requests in flight. Default 5,000 ms. */
  readonly drainTimeoutMs?: number | undefined;
  /** Called on the thread that started the server. Default: nothing. */
  readonly onEvent?: ((event: ServerEvent) => void) | undefined;
}

export interface ResolvedServerOptions {
  readonly name: string;
  readonly shmDir: string;
  readonly shape: RegionShape;
  readonly drainTimeoutMs: number;
  readonly onEvent: (event: ServerEvent) => void;
}

const between = ({ min, max }: { min: number; max: number }) => {
  const message = `expected a whole number from ${min} to ${max}`;
  return v.pipe(v.number(message), v.integer(message), v.minValue(min, message), v.maxValue(max, message));
};
const powerOfTwo = ({ min, max }: { min: number; max: number }) => {
  const message = `expected a power of two from ${min} to ${max}`;
  const isOne = (n: number): boolean => Number.isInteger(n) && n >= min && n <= max && (n & (n - 1)) === 0;
  return v.pipe(v.number(message), v.check(isOne, message));
};
const milliseconds = (max: number) => {
  const message = `expected milliseconds from 0 to ${max}`;
  return v.pipe(v.number(message), v.minValue(0, message), v.maxValue(max, message));
};
const NAME_MESSAGE = 'expected 1 to 64 characters of A-Z a-z 0-9 . _ -';
const MAX_DRAIN_MS = 3_600_000;

/** The options by name, for everything that validates them: the API, the command line, a configuration file. */
export const serverOptionsSchema = v.strictObject(
  {
    name: v.pipe(v.string(NAME_MESSAGE), v.regex(NAME_PATTERN, NAME_MESSAGE)),
    workers: v.optional(between(LIMITS.workers)),
    stripes: v.optional(powerOfTwo(LIMITS.stripes)),
    slots: v.optional(powerOfTwo(LIMITS.slots)),
    maxMemory: v.optional(between(LIMITS.maxMemory)),
    maxValueBytes: v.optional(between(LIMITS.maxValueBytes)),
    shmDir: v.optional(v.pipe(v.string('expected a directory'), v.minLength(1, 'expected a directory'))),
    drainTimeoutMs: v.optional(milliseconds(MAX_DRAIN_MS)),
    onEvent: v.optional(
      v.custom<(event: ServerEvent) => void>((given) => typeof given === 'function', 'expected a function'),
    ),
  },
  (issue) => (issue.expected === 'never' ? 'expected no option of that name' : 'expected an object with the name'),
);

/** Fills in the defaults. @throws TypeError that names each wrong option, what was expected and what came */
export function resolveServerOptions(options: KvsServerOptions): ResolvedServerOptions {
  const parsed = v.safeParse(serverOptionsSchema, options);
  if (!parsed.success) throw new TypeError(`invalid server options: ${describeIssues(parsed.issues)}`);
  const given = parsed.output;
  const maxMemoryBytes = roundUp(given.maxMemory ?? 256 * MIB, PAGE);
  const maxValueBytes = given.maxValueBytes ?? Math.min(MIB, maxMemoryBytes / 8);
  if (maxValueBytes > maxMemoryBytes / 4) {
    throw new TypeError(
      `invalid server options: maxValueBytes: expected at most a quarter of maxMemory (${maxMemoryBytes / 4}), got ${maxValueBytes}`,
    );
  }
  return {
    name: given.name,
    shmDir: given.shmDir ?? defaultShmDir(),
    shape: {
      workers: given.workers ?? Math.min(LIMITS.workers.max, Math.max(1, availableParallelism() - 1)),
      stripes: given.stripes ?? 64,
      slots: given.slots ?? 1024,
      maxMemoryBytes,
      maxValueBytes,
    },
    drainTimeoutMs: given.drainTimeoutMs ?? 5000,
    onEvent: given.onEvent ?? (() => {}),
  };
}
