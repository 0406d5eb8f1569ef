/** The settings of kvs-server, one row each: how each is given, and the option that it sets. */
import type * as v from 'valibot';

import { oneOf } from '../option-schemas.js';
import { type KvsServerOptions, serverOptionsSchema } from '../server/options.js';
import { parseByteSize } from './figures.js';

export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

const { entries: schemas } = serverOptionsSchema;

/** Flags and variables are text. */
const number = (given: unknown): unknown =>
  typeof given === 'string' && /^\d+(\.\d+)?$/.test(given) ? Number(given) : given;
const bytes = (given: unknown): unknown => (typeof given === 'string' ? (parseByteSize(given) ?? given) : given);
const truth = (given: unknown): unknown => (given === 'true' ? true : given === 'false' ? false : given);
export interface Setting {
  /** The key in a configuration file, where the option's name does as well. */
  readonly key: string;
  readonly flag: string;
  readonly variable: string;
  /** '': none, the flag alone says yes. */
  readonly argument: string;
  readonly description: string;
  readonly schema: v.GenericSchema;
  /** What text stands for. */
  readonly convert?: (given: unknown) => unknown;
  /** The option of the API that it sets. */
  readonly option: keyof KvsServerOptions | 'logLevel';
}

/** In the order of --help. */
export const SETTINGS: readonly Setting[] = [
  {
    key: 'name',
    flag: '--name',
    variable: 'KVS_NAME',
    argument: '<name>',
    description: 'name of the region on this host (default: "default")',
    schema: schemas.name,
    option: 'name',
  },
  {
    key: 'workers',
    flag: '--workers',
    variable: 'KVS_WORKERS',
    argument: '<n>',
    description: 'worker threads, 1 to 32 (default: one less than there are CPUs)',
    schema: schemas.workers,
    convert: number,
    option: 'workers',
  },
  {
    key: 'stripes',
    flag: '--stripes',
    variable: 'KVS_STRIPES',
    argument: '<n>',
    description: 'lock stripes of the store, a power of two (default: 64)',
    schema: schemas.stripes,
    convert: number,
    option: 'stripes',
  },
  {
    key: 'slots',
    flag: '--slots',
    variable: 'KVS_SLOTS',
    argument: '<n>',
    description: 'requests in flight at once, a power of two (default: 1024)',
    schema: schemas.slots,
    convert: number,
    option: 'slots',
  },
  {
    key: 'maxMemory',
    flag: '--max-memory',
    variable: 'KVS_MAX_MEMORY',
    argument: '<size>',
    description: 'memory of the store, reserved at start (default: 256M)',
    schema: schemas.maxMemory,
    convert: bytes,
    option: 'maxMemory',
  },
  {
    key: 'maxValue',
    flag: '--max-value',
    variable: 'KVS_MAX_VALUE',
    argument: '<size>',
    description: 'largest value (default: 1M)',
    schema: schemas.maxValueBytes,
    convert: bytes,
    option: 'maxValueBytes',
  },
  {
    key: 'eviction',
    flag: '--eviction',
    variable: 'KVS_EVICTION',
    argument: '<policy>',
    description: `what goes when memory is full, ${schemas.eviction.wrapped.options.join(' or ')} (default: none, writes fail)`,
    schema: schemas.eviction,
    option: 'eviction',
  },
  {
    key: 'maxSlotsPerClient',
    flag: '--max-slots-per-client',
    variable: 'KVS_MAX_SLOTS_PER_CLIENT',
    argument: '<n>',
    description: 'requests of one client in flight at once (default: all but an eighth of the slots)',
    schema: schemas.maxSlotsPerClient,
    convert: number,
    option: 'maxSlotsPerClient',
  },
  {
    key: 'maxArenaPerClient',
    flag: '--max-arena-per-client',
    variable: 'KVS_MAX_ARENA_PER_CLIENT',
    argument: '<size>',
    description: 'arena room for large requests of one client (default: half of it but for one largest value)',
    schema: schemas.maxArenaPerClient,
    convert: bytes,
    option: 'maxArenaPerClient',
  },
  {
    key: 'shmDir',
    flag: '--shm-dir',
    variable: 'KVS_SHM_DIR',
    argument: '<dir>',
    description: "where the region's files are (default: /dev/shm)",
    schema: schemas.shmDir,
    option: 'shmDir',
  },
  {
    key: 'group',
    flag: '--group',
    variable: 'KVS_GROUP',
    argument: '<gid>',
    description: 'id of a group whose members may connect too (default: only this user)',
    schema: schemas.group,
    convert: number,
    option: 'group',
  },
  {
    key: 'hugePages',
    flag: '--huge-pages',
    variable: 'KVS_HUGE_PAGES',
    argument: '<bool>',
    description: 'take memory in pages of 2 MiB where there are any, true or false (default: true)',
    schema: schemas.hugePages,
    convert: truth,
    option: 'hugePages',
  },
  {
    key: 'drainTimeout',
    flag: '--drain-timeout',
    variable: 'KVS_DRAIN_TIMEOUT',
    argument: '<ms>',
    description: 'wait for requests in flight at the end (default: 5000)',
    schema: schemas.drainTimeoutMs,
    convert: number,
    option: 'drainTimeoutMs',
  },
  {
    key: 'keep',
    flag: '--keep',
    variable: 'KVS_KEEP',
    argument: '',
    description: 'leave data and clients to the next server when stopped (default: remove all)',
    schema: schemas.keep,
    convert: truth,
    option: 'keep',
  },
  {
    key: 'takeover',
    flag: '--takeover',
    variable: 'KVS_TAKEOVER',
    argument: '',
    description: 'take the place of a server of the name that runs, with all its data',
    schema: schemas.takeover,
    convert: truth,
    option: 'takeover',
  },
  {
    key: 'fresh',
    flag: '--fresh',
    variable: 'KVS_FRESH',
    argument: '',
    description: 'start empty, whatever a dead server has left',
    schema: schemas.fresh,
    convert: truth,
    option: 'fresh',
  },
  {
    key: 'dir',
    flag: '--dir',
    variable: 'KVS_DIR',
    argument: '<dir>',
    description: 'keep a log and snapshots there, so that the data outlives the machine (default: none)',
    schema: schemas.dir,
    option: 'dir',
  },
  {
    key: 'sync',
    flag: '--sync',
    variable: 'KVS_SYNC',
    argument: '<when>',
    description: 'with --dir, make writes durable: always (before they are answered), everysec, no (default: everysec)',
    schema: schemas.sync,
    option: 'sync',
  },
  {
    key: 'snapshotInterval',
    flag: '--snapshot-interval',
    variable: 'KVS_SNAPSHOT_INTERVAL',
    argument: '<ms>',
    description: 'with --dir, between two snapshots while there are writes; 0: none at intervals (default: 3600000)',
    schema: schemas.snapshotIntervalMs,
    convert: number,
    option: 'snapshotIntervalMs',
  },
  {
    key: 'snapshotLog',
    flag: '--snapshot-log',
    variable: 'KVS_SNAPSHOT_LOG',
    argument: '<size>',
    description: 'with --dir, a snapshot when the log has grown by so much (default: --max-memory, at least 64M)',
    schema: schemas.snapshotLogBytes,
    convert: bytes,
    option: 'snapshotLogBytes',
  },
  {
    key: 'segment',
    flag: '--segment',
    variable: 'KVS_SEGMENT',
    argument: '<size>',
    description: 'with --dir, size of one file of the log (default: 64M)',
    schema: schemas.segmentBytes,
    convert: bytes,
    option: 'segmentBytes',
  },
  {
    key: 'logMemory',
    flag: '--log-memory',
    variable: 'KVS_LOG_MEMORY',
    argument: '<size>',
    description:
      'with --dir, memory for what is yet to be written, a power of two (default: 1M to 16M, by --max-memory)',
    schema: schemas.logMemory,
    convert: bytes,
    option: 'logMemory',
  },
  {
    key: 'repair',
    flag: '--repair',
    variable: 'KVS_REPAIR',
    argument: '',
    description: 'with --dir, set a damaged log right by what is in front of the damage; copies are kept',
    schema: schemas.repair,
    convert: truth,
    option: 'repair',
  },
  {
    key: 'logLevel',
    flag: '--log-level',
    variable: 'KVS_LOG_LEVEL',
    argument: '<level>',
    description: `${LOG_LEVELS.join(', ')} (default: info)`,
    schema: oneOf(LOG_LEVELS),
    option: 'logLevel',
  },
];
