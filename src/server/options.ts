/** Options of a server: what they mean, their defaults and bounds. */
import { availableParallelism } from 'node:os';
import path from 'node:path';

import * as v from 'valibot';

import type { Repair } from '../log/repair.js';
import { type EvictionPolicy, geometryOf, type RegionShape } from '../memory/layout.js';
import { defaultShmDir, LIMITS } from '../memory/region-files.js';
import { leastLaneBytes } from '../store/log-lane.js';
import { roundUp } from '../memory/record.js';
import {
  directory,
  evictionPolicy,
  groupId,
  milliseconds,
  optionsMessage,
  parseOptions,
  powerOfTwo,
  regionName,
  type SyncMode,
  syncMode,
  wholeNumber,
  yesOrNo,
} from '../option-schemas.js';
import { tellListener } from './listeners.js';
import type { LogEvent } from './log-keeper.js';
import type { Loaded } from './open-log.js';
import type { SnapshotMade } from './snapshot.js';
import type { Recovered } from './warm-restart.js';

const MIB = 2 ** 20;
const PAGE = 4096;

/** Something worth a line in a log. */
export type ServerEvent =
  /** The region of a dead server, or of one that was kept, was taken over: see the docs of each count at Recovered. */
  | ({ readonly type: 'recovered' } & Recovered)
  /** What another server had left could not be taken over. `archive`: where its ctl file is now, if it was kept. */
  | { readonly type: 'region-replaced'; readonly reason: string; readonly archive: string | undefined }
  /** Another server has asked for the region; this one stops. */
  | { readonly type: 'takeover-requested' }
  | { readonly type: 'worker-died'; readonly worker: number; readonly error: Error }
  | { readonly type: 'request-failed'; readonly worker: number; readonly operation: string; readonly message: string }
  | { readonly type: 'client-reaped'; readonly client: number; readonly pid: number; readonly slots: number }
  /** See docs/SECURITY.md; `pid` is what the client's record says, and anybody can write there. */
  | {
      readonly type: 'client-expelled';
      readonly client: number;
      readonly pid: number;
      readonly reason: 'malformed-requests' | 'too-many-slots';
    }
  | { readonly type: 'drain-timeout'; readonly pending: number }
  /** The store was filled from the files of `dir`: see the docs of each figure at RecoveryReport. */
  | ({ readonly type: 'log-loaded' } & Loaded)
  /** A damaged log was set right, as was asked for. */
  | { readonly type: 'log-repaired'; readonly repairs: readonly Repair[] }
  /** `log-trouble`: writes are refused from now on; `log-resumed`: no longer. */
  | LogEvent
  /** A snapshot was made: see the docs of each figure at SnapshotMade. */
  | ({ readonly type: 'snapshot' } & SnapshotMade)
  /** One was not; it is tried again, and told of again once the reason is another one. The log goes on. */
  | { readonly type: 'snapshot-failed'; readonly error: string }
  /** The thread that writes the log died; another takes its place. */
  | { readonly type: 'log-thread-died'; readonly error: Error }
  /** The log could not be written at the end: the region is kept, with all that is in it. */
  | { readonly type: 'log-not-written' };

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
  /**
   * What happens when memory is full. 'none': writes fail with ERR_KVS_OUT_OF_MEMORY and nothing is lost. 's3-fifo': keys
   * that are used little are removed to make room (a cache); the same server may have another policy after a restart.
   * Default 'none'.
   */
  readonly eviction?: EvictionPolicy | undefined;
  /** Slots that one client may hold at once, so that others find some. Default: all but an eighth of them. */
  readonly maxSlotsPerClient?: number | undefined;
  /**
   * Bytes of the payload arena that the requests of one client may hold at once, and as many for answers that it has not
   * taken; a single request or answer may be larger. Default: half of the arena but for room for one largest value.
   */
  readonly maxArenaPerClient?: number | undefined;
  /** Where the region's files are. Default: `$KVS_SHM_DIR`, else `/dev/shm`. Must be a tmpfs to be fast. */
  readonly shmDir?: string | undefined;
  /**
   * The id of a group whose members may use the region too: write requests, and read the store, which the kernel keeps
   * them from writing. Clients that are other users name it as well. Default: only processes of this user may.
   */
  readonly group?: number | undefined;
  /**
   * Whether to take memory in pages of 2 MiB, as far as the kernel has them (Linux 6.1 or newer): lookups miss the TLB
   * less often, and server and clients start faster. Where it has none, everything works as without. Default true.
   */
  readonly hugePages?: boolean | undefined;
  /** How long `stop()` waits for requests in flight. Default 5,000 ms. */
  readonly drainTimeoutMs?: number | undefined;
  /**
   * Starts with an empty store, whatever another server has left. Default false: what a dead server of the name has left
   * is taken over, unless its `stripes`, `slots`, `maxMemory` or `maxValueBytes` are not as asked for here.
   */
  readonly fresh?: boolean | undefined;
  /** Asks a server of the name that runs to hand its region over, and takes its place. Default false: it is an error. */
  readonly takeover?: boolean | undefined;
  /** Whether `stop()` leaves the region, with all that is in it, to the next server of the name. Default false. */
  readonly keep?: boolean | undefined;
  /**
   * A directory for a log of all changes and for snapshots, so that the data outlives the machine; made if only its last
   * part is missing, for one server at a time. Default: none, all is in memory. See docs/DURABILITY.md.
   */
  readonly dir?: string | undefined;
  /**
   * With `dir`, when changes are made durable: `always`: before they are answered; `everysec`: within a second; `no`: when
   * the kernel likes. A killed server loses nothing in any case, a machine that fails what was not durable.
   * Default `everysec`.
   */
  readonly sync?: SyncMode | undefined;
  /** With `dir`: milliseconds between snapshots while there are changes; 0: none at intervals. Default 3,600,000. */
  readonly snapshotIntervalMs?: number | undefined;
  /** With `dir`: a snapshot is made when the log has grown by so many bytes. Default: `maxMemory`, at least 64 MiB. */
  readonly snapshotLogBytes?: number | undefined;
  /** With `dir`: bytes of one file of the log. Default 64 MiB. */
  readonly segmentBytes?: number | undefined;
  /**
   * With `dir`: bytes of shared memory for what is yet to be written to the log, a power of two, besides `maxMemory`.
   * Default: a sixteenth of `maxMemory`, 1 to 16 MiB, or what two of the largest values take for each worker.
   */
  readonly logMemory?: number | undefined;
  /** With `dir`: sets right a log that is damaged, by what is in front of the damage; copies are kept. Default false. */
  readonly repair?: boolean | undefined;
  /** Called on the thread that started the server. Default: nothing. */
  readonly onEvent?: ((event: ServerEvent) => void) | undefined;
}

export interface LogOptions {
  readonly dir: string;
  readonly sync: SyncMode;
  readonly repair: boolean;
  /** 0: none at intervals. */
  readonly snapshotIntervalMs: number;
  readonly snapshotLogBytes: number;
  /** undefined: the default of the log. */
  readonly segmentBytes: number | undefined;
}

export interface ResolvedServerOptions {
  /** undefined: no log is kept. */
  readonly log: LogOptions | undefined;
  readonly name: string;
  readonly shmDir: string;
  readonly shape: RegionShape;
  readonly group: number | undefined;
  /** undefined: the default for the shape. */
  readonly maxSlotsPerClient: number | undefined;
  readonly maxArenaPerClient: number | undefined;
  readonly hugePages: boolean;
  readonly eviction: EvictionPolicy;
  /** What of the shape was asked for by name: a region that is taken over must have it. */
  readonly asked: Partial<RegionShape>;
  readonly fresh: boolean;
  readonly takeover: boolean;
  readonly keep: boolean;
  readonly drainTimeoutMs: number;
  readonly onEvent: (event: ServerEvent) => void;
}

const HOUR_MS = 3_600_000;
const MAX_INTERVAL_MS = 365 * 24 * HOUR_MS;

/** The options by name, for everything that validates them: the API, the command line, a configuration file. */
export const serverOptionsSchema = v.strictObject(
  {
    name: regionName,
    workers: v.optional(wholeNumber(LIMITS.workers)),
    stripes: v.optional(powerOfTwo(LIMITS.stripes)),
    slots: v.optional(powerOfTwo(LIMITS.slots)),
    maxMemory: v.optional(wholeNumber(LIMITS.maxMemory)),
    maxValueBytes: v.optional(wholeNumber(LIMITS.maxValueBytes)),
    eviction: v.optional(evictionPolicy),
    maxSlotsPerClient: v.optional(wholeNumber({ min: 1, max: LIMITS.slots.max })),
    maxArenaPerClient: v.optional(wholeNumber({ min: 1, max: LIMITS.maxMemory.max })),
    shmDir: v.optional(directory),
    group: v.optional(groupId),
    hugePages: v.optional(yesOrNo),
    drainTimeoutMs: v.optional(milliseconds(HOUR_MS)),
    fresh: v.optional(yesOrNo),
    takeover: v.optional(yesOrNo),
    keep: v.optional(yesOrNo),
    dir: v.optional(directory),
    sync: v.optional(syncMode),
    snapshotIntervalMs: v.optional(milliseconds(MAX_INTERVAL_MS)),
    snapshotLogBytes: v.optional(wholeNumber({ min: 2 ** 16, max: 2 ** 50 })),
    segmentBytes: v.optional(wholeNumber({ min: 2 ** 16, max: 2 ** 32 })),
    logMemory: v.optional(powerOfTwo(LIMITS.logBytes)),
    repair: v.optional(yesOrNo),
    onEvent: v.optional(
      v.custom<(event: ServerEvent) => void>((given) => typeof given === 'function', 'expected a function'),
    ),
  },
  optionsMessage('an object with the name'),
);

/** What makes no sense without a directory. */
const LOG_ONLY = ['sync', 'snapshotIntervalMs', 'snapshotLogBytes', 'segmentBytes', 'logMemory', 'repair'] as const;

function logOptions(given: v.InferOutput<typeof serverOptionsSchema>, maxMemoryBytes: number): LogOptions | undefined {
  if (given.dir === undefined) {
    const orphan = LOG_ONLY.find((name) => given[name] !== undefined && given[name] !== false);
    if (orphan === undefined) return undefined;
    throw new TypeError(`invalid server options: ${orphan}: expected dir with it, got none`);
  }
  return {
    dir: path.resolve(given.dir),
    sync: given.sync ?? 'everysec',
    repair: given.repair ?? false,
    snapshotIntervalMs: given.snapshotIntervalMs ?? HOUR_MS,
    snapshotLogBytes: given.snapshotLogBytes ?? Math.max(64 * MIB, maxMemoryBytes),
    segmentBytes: given.segmentBytes,
  };
}

function logBytesOf(asked: number | undefined, memory: number, maxValueBytes: number, workers: number): number {
  const needed = workers * leastLaneBytes(maxValueBytes);
  if (asked !== undefined && asked < needed) {
    throw new TypeError(
      `invalid server options: logMemory: expected at least ${needed} for ${workers} workers and values of ` +
        `${maxValueBytes} bytes, got ${asked}`,
    );
  }
  const usual = Math.min(16 * MIB, Math.max(MIB, memory / 16));
  return asked ?? 2 ** Math.ceil(Math.log2(Math.max(usual, needed)));
}

/** Store and log are one segment, of which Node maps no more. */
function checkTotal(shape: RegionShape): void {
  const surplus = geometryOf(shape).dataBytes - LIMITS.maxMemory.max;
  if (surplus <= 0) return;
  throw new TypeError(
    `invalid server options: maxMemory: expected at most ${shape.maxMemoryBytes - surplus} beside a log (dir), got ${shape.maxMemoryBytes}`,
  );
}

/** Fills in the defaults. @throws TypeError that names each wrong option, what was expected and what came */
export function resolveServerOptions(options: KvsServerOptions): ResolvedServerOptions {
  const given = parseOptions(serverOptionsSchema, options, 'server');
  const maxMemoryBytes = roundUp(given.maxMemory ?? 256 * MIB, PAGE);
  const maxValueBytes = given.maxValueBytes ?? Math.min(MIB, maxMemoryBytes / 8);
  if (maxValueBytes > maxMemoryBytes / 4) {
    throw new TypeError(
      `invalid server options: maxValueBytes: expected at most a quarter of maxMemory (${maxMemoryBytes / 4}), got ${maxValueBytes}`,
    );
  }
  const workers = given.workers ?? Math.min(LIMITS.workers.max, Math.max(1, availableParallelism() - 1));
  const shape: RegionShape = {
    workers,
    stripes: given.stripes ?? 64,
    slots: given.slots ?? 1024,
    maxMemoryBytes,
    maxValueBytes,
    logBytes: given.dir === undefined ? 0 : logBytesOf(given.logMemory, maxMemoryBytes, maxValueBytes, workers),
  };
  checkTotal(shape);
  return {
    log: logOptions(given, maxMemoryBytes),
    name: given.name,
    shmDir: given.shmDir ?? defaultShmDir(),
    shape,
    maxSlotsPerClient: given.maxSlotsPerClient,
    maxArenaPerClient: given.maxArenaPerClient,
    group: given.group,
    hugePages: given.hugePages ?? true,
    eviction: given.eviction ?? 'none',
    asked: {
      ...(given.dir !== undefined && { logBytes: 1 }),
      ...(given.stripes !== undefined && { stripes: given.stripes }),
      ...(given.slots !== undefined && { slots: given.slots }),
      ...(given.maxMemory !== undefined && { maxMemoryBytes }),
      ...(given.maxValueBytes !== undefined && { maxValueBytes }),
    },
    fresh: given.fresh ?? false,
    takeover: given.takeover ?? false,
    keep: given.keep ?? false,
    drainTimeoutMs: given.drainTimeoutMs ?? 5000,
    onEvent: (event) => tellListener(given.onEvent ?? (() => {}), event),
  };
}
