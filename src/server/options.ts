/** Options of a server: what they mean, their defaults and bounds. */
import { availableParallelism } from 'node:os';

import * as v from 'valibot';

import type { EvictionPolicy, RegionShape } from '../memory/layout.js';
import { defaultShmDir, LIMITS } from '../memory/region-files.js';
import { roundUp } from '../memory/record.js';
import {
  directory,
  groupId,
  milliseconds,
  oneOf,
  optionsMessage,
  parseOptions,
  powerOfTwo,
  regionName,
  wholeNumber,
} from '../option-schemas.js';
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
  /** Called on the thread that started the server. Default: nothing. */
  readonly onEvent?: ((event: ServerEvent) => void) | undefined;
}

export interface ResolvedServerOptions {
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

export const EVICTION_POLICIES = ['none', 's3-fifo'] as const satisfies readonly EvictionPolicy[];
const MAX_DRAIN_MS = 3_600_000;
const yesOrNo = v.boolean('expected true or false');

/** The options by name, for everything that validates them: the API, the command line, a configuration file. */
export const serverOptionsSchema = v.strictObject(
  {
    name: regionName,
    workers: v.optional(wholeNumber(LIMITS.workers)),
    stripes: v.optional(powerOfTwo(LIMITS.stripes)),
    slots: v.optional(powerOfTwo(LIMITS.slots)),
    maxMemory: v.optional(wholeNumber(LIMITS.maxMemory)),
    maxValueBytes: v.optional(wholeNumber(LIMITS.maxValueBytes)),
    eviction: v.optional(oneOf(EVICTION_POLICIES)),
    maxSlotsPerClient: v.optional(wholeNumber({ min: 1, max: LIMITS.slots.max })),
    maxArenaPerClient: v.optional(wholeNumber({ min: 1, max: LIMITS.maxMemory.max })),
    shmDir: v.optional(directory),
    group: v.optional(groupId),
    hugePages: v.optional(yesOrNo),
    drainTimeoutMs: v.optional(milliseconds(MAX_DRAIN_MS)),
    fresh: v.optional(yesOrNo),
    takeover: v.optional(yesOrNo),
    keep: v.optional(yesOrNo),
    onEvent: v.optional(
      v.custom<(event: ServerEvent) => void>((given) => typeof given === 'function', 'expected a function'),
    ),
  },
  optionsMessage('an object with the name'),
);

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
    maxSlotsPerClient: given.maxSlotsPerClient,
    maxArenaPerClient: given.maxArenaPerClient,
    group: given.group,
    hugePages: given.hugePages ?? true,
    eviction: given.eviction ?? 'none',
    asked: {
      ...(given.stripes !== undefined && { stripes: given.stripes }),
      ...(given.slots !== undefined && { slots: given.slots }),
      ...(given.maxMemory !== undefined && { maxMemoryBytes }),
      ...(given.maxValueBytes !== undefined && { maxValueBytes }),
    },
    fresh: given.fresh ?? false,
    takeover: given.takeover ?? false,
    keep: given.keep ?? false,
    drainTimeoutMs: given.drainTimeoutMs ?? 5000,
    onEvent: given.onEvent ?? (() => {}),
  };
}
