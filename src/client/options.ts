/** Options of a client and of a single call. */
import * as v from 'valibot';

import { type Codec, type CodecName, type CustomCodec, resolveCodec } from '../codec/codec.js';
import { kindOf } from '../errors.js';
import type { EvictionPolicy } from '../memory/layout.js';
import { defaultShmDir } from '../memory/region-files.js';
import {
  directory,
  evictionPolicy,
  groupId,
  milliseconds,
  oneOf,
  optionsMessage,
  parseOptions,
  regionName,
  type SyncMode,
  syncMode,
  wholeNumber,
  yesOrNo,
} from '../option-schemas.js';

export interface KvsClientOptions<V = string> {
  /** The server's name. */
  readonly name: string;
  /** How values become bytes: `utf8` (default), `buffer`, `json`, `int32`, `float64`, or `{ encode, decode }`. */
  readonly codec?: CodecName | CustomCodec<V> | undefined;
  /** Deadline of each call, in milliseconds. Default 5,000. */
  readonly timeoutMs?: number | undefined;
  /**
   * How long connect() waits for a server that is starting, in milliseconds. Default 5,000. One of which there is no trace
   * yet is not waited for without `autostart`: ERR_KVS_NO_REGION.
   */
  readonly connectTimeoutMs?: number | undefined;
  /**
   * How long calls wait, within their deadlines, for another server when theirs has died: it takes over with all data,
   * and the calls are executed, exactly once. Counted from when the death is noticed, within 100 ms; after that, calls
   * fail at once with ERR_KVS_SERVER_GONE until there is a server. A server that is stopped is not waited for.
   * Default 2,000 ms; 0: they fail when the death is noticed.
   */
  readonly reconnectTimeoutMs?: number | undefined;
  /**
   * connect() starts a `kvs-server` when none runs; however many processes do so at once, one server comes of it. It is
   * nobody's child, logs nothing, and runs until it is told to stop (`kill` the pid that stats() names). A server that is
   * gone later is not started again: connect() is. An object gives the server's options. Default false.
   */
  readonly autostart?: boolean | AutostartOptions | undefined;
  /** What `keys()` yields: text (default) or raw bytes. */
  readonly keyEncoding?: 'utf8' | 'buffer' | undefined;
  /**
   * `direct` (default): reads come straight from shared memory, without the server. `server`: through it.
   * Both are linearizable with all writes.
   */
  readonly reads?: 'direct' | 'server' | undefined;
  /**
   * Whether direct reads go on with the last state of the store while no server runs. Default true; false: they fail
   * with ERR_KVS_SERVER_GONE within 100 ms.
   */
  readonly staleReads?: boolean | undefined;
  /**
   * Decoded values that this client keeps for direct reads, each checked against shared memory before it is used, so
   * never stale. At most 16 MiB as they are stored, 128 bytes for each included (decoded, JSON takes a multiple of that),
   * and none above 256 KiB. Pays where decoding is dear, as of `json`, and keys are read far more often than written;
   * steps aside for a while when fewer than half of the reads are of keys that it has. Values of `json` and codecs of your
   * own are shared between callers and therefore frozen (of `json` all that are read, cached or not); of the latter only
   * plain objects, arrays and what cannot change are kept. Default 0. Does not go with `buffer`.
   */
  readonly cacheEntries?: number | undefined;
  /** Where the region's files are. Default: `$KVS_SHM_DIR`, else `/dev/shm`. */
  readonly shmDir?: string | undefined;
  /**
   * The id of a group with which the server shares its region (its option of that name): a region that a member of it has
   * made is trusted too. Default: only regions of this process' user are.
   */
  readonly group?: number | undefined;
}

/** Options of a server started by connect(): what each means, its default and bounds are at KvsServerOptions. */
export interface AutostartOptions {
  readonly workers?: number | undefined;
  readonly stripes?: number | undefined;
  readonly slots?: number | undefined;
  readonly maxMemory?: number | undefined;
  readonly maxValueBytes?: number | undefined;
  readonly eviction?: EvictionPolicy | undefined;
  readonly maxSlotsPerClient?: number | undefined;
  readonly maxArenaPerClient?: number | undefined;
  readonly hugePages?: boolean | undefined;
  readonly drainTimeoutMs?: number | undefined;
  readonly keep?: boolean | undefined;
  readonly dir?: string | undefined;
  readonly sync?: SyncMode | undefined;
  readonly snapshotIntervalMs?: number | undefined;
  readonly snapshotLogBytes?: number | undefined;
  readonly segmentBytes?: number | undefined;
  readonly logMemory?: number | undefined;
}

/** Options of one call. */
export interface CallOptions {
  /** Overrides the client's `timeoutMs`. 0: only if it succeeds at once. */
  readonly timeoutMs?: number | undefined;
  /** Ends the wait when aborted: ERR_KVS_ABORTED. A blocking call looks at it only before it starts. */
  readonly signal?: AbortSignal | undefined;
}

export interface ResolvedClientOptions {
  readonly name: string;
  readonly codec: Codec<unknown>;
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly reconnectTimeoutMs: number;
  readonly autostart: AutostartOptions | undefined;
  readonly keyEncoding: 'utf8' | 'buffer';
  readonly reads: 'direct' | 'server';
  readonly staleReads: boolean;
  readonly cacheEntries: number;
  readonly shmDir: string;
  readonly group: number | undefined;
}

/** Longer waits than a day are a mistake; setTimeout could not hold one beyond 24 days. */
const MAX_TIMEOUT_MS = 86_400_000;

const timeout = v.optional(milliseconds(MAX_TIMEOUT_MS));
const MAX_CACHE_ENTRIES = 2 ** 24;
const ANY_NUMBER = 'expected a number of 0 or more';
const anyNumber = v.optional(v.pipe(v.number(ANY_NUMBER), v.minValue(0, ANY_NUMBER)));
const AUTOSTART = 'true, false or options of the server';

/** Bounds are checked by the server that is started. */
const autostartOptions = v.strictObject(
  {
    workers: anyNumber,
    stripes: anyNumber,
    slots: anyNumber,
    maxMemory: anyNumber,
    maxValueBytes: anyNumber,
    eviction: v.optional(evictionPolicy),
    maxSlotsPerClient: anyNumber,
    maxArenaPerClient: anyNumber,
    hugePages: v.optional(yesOrNo),
    drainTimeoutMs: anyNumber,
    keep: v.optional(yesOrNo),
    dir: v.optional(directory),
    sync: v.optional(syncMode),
    snapshotIntervalMs: anyNumber,
    snapshotLogBytes: anyNumber,
    segmentBytes: anyNumber,
    logMemory: anyNumber,
  },
  optionsMessage(AUTOSTART),
);

/** Not a union: of that nothing but its own message would be told. */
const autostart = v.lazy((given) =>
  typeof given === 'object' ? autostartOptions : v.boolean(`expected ${AUTOSTART}`),
) as v.GenericSchema<boolean | AutostartOptions>;

const schema = v.strictObject(
  {
    name: regionName,
    codec: v.optional(v.unknown()),
    timeoutMs: timeout,
    connectTimeoutMs: timeout,
    reconnectTimeoutMs: timeout,
    autostart: v.optional(autostart),
    keyEncoding: v.optional(oneOf(['utf8', 'buffer'])),
    reads: v.optional(oneOf(['direct', 'server'])),
    staleReads: v.optional(yesOrNo),
    cacheEntries: v.optional(wholeNumber({ min: 0, max: MAX_CACHE_ENTRIES })),
    shmDir: v.optional(directory),
    group: v.optional(groupId),
  },
  optionsMessage('an object with the name'),
);

/** Fills in the defaults. @throws TypeError that names each wrong option, what was expected and what came */
export function resolveClientOptions<V>(options: KvsClientOptions<V>): ResolvedClientOptions {
  const given = parseOptions(schema, options, 'client');
  return {
    name: given.name,
    codec: resolveCodec(options.codec ?? 'utf8', (given.cacheEntries ?? 0) > 0),
    timeoutMs: given.timeoutMs ?? 5000,
    connectTimeoutMs: given.connectTimeoutMs ?? 5000,
    reconnectTimeoutMs: given.reconnectTimeoutMs ?? 2000,
    autostart: given.autostart === true ? {} : given.autostart === false ? undefined : given.autostart,
    keyEncoding: given.keyEncoding ?? 'utf8',
    reads: given.reads ?? 'direct',
    staleReads: given.staleReads ?? true,
    cacheEntries: resolveCacheEntries(options.codec ?? 'utf8', given.cacheEntries),
    shmDir: given.shmDir ?? defaultShmDir(),
    group: given.group,
  };
}

function resolveCacheEntries(codec: unknown, given = 0): number {
  if (codec === 'buffer' && given > 0) {
    throw new TypeError('invalid client options: cacheEntries: buffers cannot be shared, expected 0 with codec buffer');
  }
  return given;
}

/** @throws TypeError for what is no object of options */
export function checkOptions(options: CallOptions): void {
  if (typeof options === 'object' && (options as unknown) !== null && !Array.isArray(options)) return;
  throw new TypeError(`options must be an object such as { timeoutMs: 1000 }, got ${kindOf(options)}`);
}

/** @throws RangeError for anything but 0 to 86,400,000 milliseconds */
export function checkTimeout(timeoutMs: number): number {
  if (typeof timeoutMs === 'number' && timeoutMs >= 0 && timeoutMs <= MAX_TIMEOUT_MS) return timeoutMs;
  throw new RangeError(
    `timeoutMs must be a number of milliseconds from 0 to ${MAX_TIMEOUT_MS}, got ${kindOf(timeoutMs)}`,
  );
}
