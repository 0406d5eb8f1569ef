/**
 * What kvs-server does: runs one server until it is told to stop. Logs go to stdout; why it does not start goes to stderr.
 */
import { constants } from 'node:os';
import { performance } from 'node:perf_hooks';

import type { Logger } from 'pino';

import { KvsError, type KvsErrorCode } from '../errors.js';
import { type KvsServer, startWith } from '../server/server.js';
import type { WorkerPool } from '../server/worker-pool.js';
import { VERSION } from '../version.js';
import { formatBytes } from './figures.js';
import { EventLog } from './server-log.js';
import { readFlags } from './server-flags.js';
import { readSettings, type ServerSettings, SettingsError } from './server-settings.js';

const EXIT = { ok: 0, internal: 1, usage: 2, alreadyRunning: 3, noSpace: 4, region: 5, log: 6 } as const;

const EXIT_BY_ERROR: Partial<Record<KvsErrorCode, number>> = {
  ERR_KVS_ALREADY_RUNNING: EXIT.alreadyRunning,
  ERR_KVS_NO_SPACE: EXIT.noSpace,
  ERR_KVS_SHM_DIR: EXIT.usage,
  ERR_KVS_NOT_OURS: EXIT.region,
  ERR_KVS_CORRUPT: EXIT.region,
  ERR_KVS_LAYOUT: EXIT.region,
  ERR_KVS_LOG_DIR: EXIT.log,
  ERR_KVS_LOG_DAMAGED: EXIT.log,
  ERR_KVS_LOG_FORMAT: EXIT.log,
  ERR_KVS_LOG_FAILED: EXIT.log,
};

/**
 * Signals that come together are one: a Ctrl-C reaches all processes of a terminal, and those that started us (npm,
 * process managers) pass theirs on.
 */
const SAME_SIGNAL_MS = 500;

/** @returns a promise of the first signal to stop; the second ends the process */
function signalToStop(): Promise<'SIGINT' | 'SIGTERM'> {
  return new Promise((resolve) => {
    let isAnother = false;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        if (isAnother) process.exit(128 + constants.signals[signal]);
        resolve(signal);
        // Those that came meanwhile are handled before an immediate is, however long this thread was held up.
        setTimeout(() => setImmediate(() => (isAnother = true)), SAME_SIGNAL_MS).unref();
      });
    }
  });
}

function logStart(log: Logger, { name, shape }: KvsServer, shmDir: string, startMs: number): void {
  const { workers, slots, stripes, maxMemoryBytes, maxValueBytes } = shape;
  const region = `${shmDir}/kvs.${name}.{ctl,data}`;
  const facts = { workers, slots, stripes, maxMemory: maxMemoryBytes, maxValue: maxValueBytes, region, startMs };
  log.info(
    { event: 'started', version: VERSION, ...facts },
    `serving "${name}": pid ${process.pid}, workers ${workers}, slots ${slots}, stripes ${stripes}, ` +
      `max memory ${formatBytes(maxMemoryBytes)}, max value ${formatBytes(maxValueBytes)}, region ${region}, ` +
      `started in ${startMs} ms`,
  );
}

async function serve(settings: ServerSettings, pool: WorkerPool): Promise<void> {
  const startedAt = performance.now();
  const toStop = signalToStop();
  const { given, resolved, logLevel } = settings;
  const { name, shmDir, keep } = resolved;
  const events = new EventLog(logLevel, name);
  const server = await startWith(pool, {
    ...given,
    onEvent: (event) => events.add(event),
  }).catch(async (error: unknown) => {
    await events.flush().catch(() => {});
    throw error;
  });
  // Whoever has started it may have read what went wrong, and gone.
  process.stderr.on('error', () => {});
  const startMs = Math.round(performance.now() - startedAt);
  const log = await events.open();
  logStart(log, server, shmDir, startMs);
  const signal = await Promise.race([toStop, server.ended]);
  if (signal === undefined) {
    log.info({ event: 'handed-over' }, 'handed over to another server');
    // Nothing is left to do; a signal that is waited for would keep the process.
    process.exit(EXIT.ok);
  }
  log.info({ event: 'stopping', signal }, `${signal}: stopping, requests in flight are finished`);
  const stoppingAt = performance.now();
  await server.stop();
  const stopMs = Math.round(performance.now() - stoppingAt);
  log.info(
    { event: 'stopped', stopMs },
    `stopped in ${stopMs} ms, the region is ${keep ? 'left to the next server' : 'removed'}`,
  );
}

/** @returns the exit code */
function explain(error: unknown): number {
  const text = error instanceof Error ? error.message : String(error);
  for (const line of text.split('\n')) {
    process.stderr.write(`kvs-server: ${line}${error instanceof KvsError ? ` (${error.code})` : ''}\n`);
  }
  if (error instanceof SettingsError) {
    process.stderr.write('kvs-server: see kvs-server --help\n');
    return EXIT.usage;
  }
  if (!(error instanceof KvsError)) return EXIT.internal;
  if (error.cause instanceof Error) process.stderr.write(`kvs-server: caused by: ${error.cause.message}\n`);
  return EXIT_BY_ERROR[error.code] ?? EXIT.internal;
}

/** Serves until the end. @param pool of which the first thread boots already; without a server it ends with the process */
export async function main(pool: WorkerPool): Promise<void> {
  try {
    const flags = await readFlags(process.argv.slice(2));
    if (flags === undefined) return;
    const { config, ...given } = flags;
    await serve(readSettings(given, process.env, config === true ? undefined : config), pool);
  } catch (error) {
    process.exitCode = explain(error);
  }
}
