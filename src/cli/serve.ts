/**
 * What kvs-server does: runs one server until it is told to stop. Logs go to stdout; why it does not start goes to stderr.
 */
import { constants } from 'node:os';
import { performance } from 'node:perf_hooks';

import { Command, CommanderError, Option } from 'commander';
import type { Logger } from 'pino';

import { KvsError, type KvsErrorCode } from '../errors.js';
import { KvsServer } from '../server/server.js';
import type { WorkerPool } from '../server/worker-pool.js';
import { VERSION } from '../version.js';
import { formatBytes } from './figures.js';
import { EventLog } from './server-log.js';
import { readSettings, type ServerSettings, SettingsError } from './server-settings.js';
import { SETTINGS } from './server-setting-table.js';

const EXIT = { ok: 0, internal: 1, usage: 2, alreadyRunning: 3, noSpace: 4, region: 5, log: 6 } as const;

const EXIT_BY_ERROR: Partial<Record<KvsErrorCode, number>> = {
  ERR_KVS_ALREADY_RUNNING: EXIT.alreadyRunning,
  ERR_KVS_NO_SPACE: EXIT.noSpace,
  ERR_KVS_NOT_OURS: EXIT.region,
  ERR_KVS_CORRUPT: EXIT.region,
  ERR_KVS_LAYOUT: EXIT.region,
  ERR_KVS_LOG_DIR: EXIT.log,
  ERR_KVS_LOG_DAMAGED: EXIT.log,
  ERR_KVS_LOG_FORMAT: EXIT.log,
  ERR_KVS_LOG_FAILED: EXIT.log,
};

const HELP = `
Sizes are bytes, or such as 64k, 512M, 2GiB (powers of 1024).

A flag wins over the environment, the environment over the file of --config. The file is
JSON: {"name": "sessions", "maxMemory": "2GiB", "maxValue": 65536, "logLevel": "warn"},
keys after the flags: maxMemory for --max-memory.

SIGTERM or SIGINT: no new requests, those in flight are finished, the region is removed
(with --keep it is left to the next server), exit code 0. A second one, half a second later
or more, ends the server at once (exit code 143 or 130); the region is left as by a crash.

A server that starts goes on with what a dead one of its name has left: all data, and the
requests in flight. It starts empty if that is of another version, damaged, or of another
--slots, --stripes, --max-memory or --max-value than given; what was there is then kept
as kvs.<name>.{ctl,data}.old beside the region, until the next such case.

With --dir it keeps a log of all writes and snapshots there. What a killed server had not
written yet is still in shared memory; after a reboot the files have all that --sync
promises. While the disk takes nothing, writes fail with ERR_KVS_NOT_DURABLE.

Exit codes:
  0  stopped as told
  1  internal failure
  2  wrong usage or configuration
  3  a server of that name is running already
  4  no space for the region
  5  the region's files are not ours, damaged, or of another version
  6  the log in --dir cannot be used: missing, damaged (see --repair), of another version

Examples:
  $ kvs-server                                      the server "default", 256 MiB
  $ kvs-server --name sessions --max-memory 2GiB --max-value 8M
  $ kvs-server --config /etc/kvs.json --log-level warn
  $ KVS_NAME=cache KVS_WORKERS=2 kvs-server
`;

/** @throws CommanderError (also for --help), SettingsError */
function parseCommandLine(argv: readonly string[]): ServerSettings {
  const program = new Command('kvs-server')
    .description('Serves a key-value store to all processes of this host through shared memory.')
    .version(VERSION, '--version', 'print the version')
    .helpOption('--help', 'print this help')
    .allowExcessArguments(false)
    .configureOutput({ outputError: () => {} })
    .exitOverride()
    .addHelpText('after', HELP);
  for (const { flag, argument, description, variable } of SETTINGS) {
    program.addOption(new Option(`${flag} ${argument}`.trimEnd(), `${description} [$${variable}]`));
  }
  program.option('--config <file.json>', 'read settings from a file [$KVS_CONFIG]');
  const { config, ...flags } = program.parse(argv).opts<{ [key: string]: string | true }>();
  return readSettings(flags, process.env, config === true ? undefined : config);
}

/**
 * Signals that come together are one: a Ctrl-C reaches all processes of a terminal, and those that started us (npm,
 * process managers) pass theirs on.
 */
const SAME_SIGNAL_MS = 500;

/** @returns a promise of the first signal to stop; the second ends the process */
function signalToStop(): Promise<'SIGINT' | 'SIGTERM'> {
  return new Promise((resolve) => {
    let stoppingAt = Infinity;
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      process.on(signal, () => {
        const now = performance.now();
        if (now - stoppingAt > SAME_SIGNAL_MS) process.exit(128 + constants.signals[signal]);
        stoppingAt = Math.min(stoppingAt, now);
        resolve(signal);
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
  const {
    name,
    shmDir,
    group,
    shape,
    asked,
    maxSlotsPerClient,
    maxArenaPerClient,
    hugePages,
    eviction,
    drainTimeoutMs,
    fresh,
    takeover,
    keep,
    log: logOptions,
  } = settings.server;
  const events = new EventLog(settings.logLevel, name);
  const server = await KvsServer.startWith(pool, {
    name,
    shmDir,
    group,
    hugePages,
    eviction,
    drainTimeoutMs,
    workers: shape.workers,
    stripes: asked.stripes,
    slots: asked.slots,
    maxMemory: asked.maxMemoryBytes,
    maxValueBytes: asked.maxValueBytes,
    maxSlotsPerClient,
    maxArenaPerClient,
    fresh,
    takeover,
    keep,
    ...(logOptions !== undefined && { ...logOptions, logMemory: shape.logBytes }),
    onEvent: (event) => events.add(event),
  }).catch(async (error: unknown) => {
    await events.flush();
    throw error;
  });
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
  const what = keep ? 'is left to the next server' : 'is removed';
  log.info({ event: 'stopped', stopMs }, `stopped in ${stopMs} ms, the region ${what}`);
}

/** @returns the exit code */
function explain(error: unknown): number {
  if (error instanceof CommanderError && error.exitCode === 0) return EXIT.ok;
  const isUsage = error instanceof CommanderError || error instanceof SettingsError;
  const text = error instanceof Error ? error.message : String(error);
  for (const line of text.replace(/^error: /, '').split('\n')) {
    process.stderr.write(`kvs-server: ${line}${error instanceof KvsError ? ` (${error.code})` : ''}\n`);
  }
  if (isUsage) {
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
    await serve(parseCommandLine(process.argv), pool);
  } catch (error) {
    process.exitCode = explain(error);
  }
}
