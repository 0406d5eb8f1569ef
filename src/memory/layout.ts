/**
 * Every offset of the two segments. Any change here changes LAYOUT_VERSION (a golden test holds both).
 * Words that different processes or threads contend for stand 128 bytes apart (adjacent-line prefetch).
 *
 *   ctl  (clients rw):  header │ clients │ slots │ queue cells │ chunk owners │ arena chunks │ pins │ marks
 *   data (clients ro):  header │ stripes │ workers │ size classes │ buckets │ unit table │ heap │ log (log-layout.ts)
 */
import { CtlHeader, MAX_WORKERS } from './ctl-header.js';
import { CHUNK_BYTES, Slot } from './exchange-layout.js';
import { HeapControl, MAX_SIZE_CLASSES, PINS_BYTES, SizeClass, UNIT_BYTES } from './heap-layout.js';
import { BUCKET_BYTES, DataHeader, GRANULE_BYTES, Stripe, WorkerRecord } from './store-layout.js';
import { logGeometry, type LogGeometry } from './log-layout.js';
import { f64, i32, LINE, record, roundUp } from './record.js';

export {
  BUCKET_BYTES,
  BUCKET_ENTRIES,
  BUCKET_WORDS,
  CODEC_SHIFT,
  DataHeader,
  Entry,
  ENTRY_HEADER_BYTES,
  ENTRY_HEADER_WORDS,
  EXPIRES,
  EXPIRES_AT,
  expiryBytesOf,
  expiryWordsOf,
  GRANULE_BYTES,
  KEY_BYTES_MASK,
  MAX_EXPIRES_AT,
  MAX_OPERATIONS,
  Stripe,
  WorkerRecord,
} from './store-layout.js';
export { CtlHeader, MAX_WORKERS } from './ctl-header.js';
export { CHUNK_BYTES, INLINE_BYTES, KEEP_EXPIRY, Slot } from './exchange-layout.js';
export {
  HeapControl,
  MAX_SIZE_CLASSES,
  RUN_BINS,
  SizeClass,
  SLAB_UNITS,
  SlabHeader,
  UNIT_BYTES,
} from './heap-layout.js';

export const LAYOUT_VERSION = 8;
/** "KVSc" and "KVSd" as little-endian words. */
export const CTL_MAGIC = 0x6353564b;
export const DATA_MAGIC = 0x6453564b;

const PAGE = 4096;
export const MAX_CLIENTS = 1024;
export const MAX_KEY_BYTES = 1024;

/** Lease bytes in the ctl file: one for the server, one for whoever asks it to hand over, one per client index. */
export const SERVER_LEASE_BYTE = 0;
export const TAKEOVER_LEASE_BYTE = 1;
export const CLIENT_LEASE_BYTE = 64;

/**
 * Life of a region, in `CtlHeader.state`. Only the server writes it. `stopped` is the end; from `kept`, and from `ready`
 * or `stopping` when the server has died, a successor goes on by way of `recovering`.
 */
export const RegionState = { starting: 0, ready: 1, stopping: 2, stopped: 3, recovering: 4, kept: 5 } as const;

/** Whether requests may be submitted: they are executed, if need be by the next server. */
export const isOpen = (state: number): boolean =>
  state === RegionState.ready || state === RegionState.recovering || state === RegionState.kept;

/** What is given up when memory is short, in `CtlHeader.eviction`. */
export const EvictionPolicy = { none: 0, 's3-fifo': 1 } as const;
export type EvictionPolicy = keyof typeof EvictionPolicy;

/** `expelled` tells people; what counts is what the server knows by itself. */
export const LeaseState = { unused: 0, leased: 1, expelled: 2 } as const;

/** One per client index, written by the client that holds the lease, and by the reaper. */
export const ClientRecord = record(LINE, {
  /** LeaseState. */
  inUse: i32,
  /** For people; never an identity. */
  pid: i32,
  /** 1: the client's event loop sleeps; whoever changes it to 0 rings its doorbell. */
  armed: i32,
  /** 1: waits for a slot or arena room. */
  starving: i32,
  /** Futex of a starving blocking call: counts rings. */
  bell: i32,
  /** By hostMs(). */
  connectedAtMs: f64,
});

/** What a region is made from; everything else follows. */
export interface RegionShape {
  readonly slots: number;
  readonly stripes: number;
  readonly workers: number;
  readonly maxValueBytes: number;
  readonly maxMemoryBytes: number;
  /** Bytes for what is yet to be written to the log's files, besides `maxMemoryBytes`; 0 or undefined: no log. */
  readonly logBytes?: number;
}

/** Where each section starts, in bytes from the start of its segment, and how many items it has. */
export interface Geometry extends RegionShape, LogGeometry {
  readonly logBytes: number;
  readonly clientsOffset: number;
  readonly slotsOffset: number;
  readonly queueOffset: number;
  /** Cells of the task queue: 4 × slots, so duplicate hints fit. */
  readonly queueCells: number;
  readonly chunkOwnersOffset: number;
  readonly arenaOffset: number;
  readonly arenaChunks: number;
  readonly pinsOffset: number;
  readonly marksOffset: number;
  readonly ctlBytes: number;
  readonly stripesOffset: number;
  readonly workersOffset: number;
  readonly heapControlOffset: number;
  readonly sizeClassesOffset: number;
  readonly bucketsOffset: number;
  /** A power of two. */
  readonly buckets: number;
  readonly unitTableOffset: number;
  readonly heapOffset: number;
  readonly heapUnits: number;
  readonly dataBytes: number;
  /** Low bits of a bucket word that hold the granule; the tag has the rest. */
  readonly granuleBits: number;
}

/** Derives the geometry. The shape must have been validated (server/options.ts or memory/region.ts). */
export function geometryOf(shape: RegionShape): Geometry {
  return Object.freeze({ ...shape, ...ctlGeometry(shape), ...dataGeometry(shape) });
}

/** Word index of a worker's record in the data segment. */
export const workerBase = ({ workersOffset }: Geometry, worker: number): number =>
  (workersOffset + worker * WorkerRecord.sizeBytes) / 4;

/** A sixteenth of the memory, rounded down to a power of two: 15 entry words per 1 to 2 KiB of heap. */
const bucketsOf = ({ stripes, maxMemoryBytes }: RegionShape): number =>
  Math.max(stripes, 2 ** Math.floor(Math.log2(maxMemoryBytes / 16 / BUCKET_BYTES)));

/** Word index of a stripe in the data segment. */
export const stripeBase = ({ stripesOffset }: Geometry, stripe: number): number =>
  (stripesOffset + stripe * Stripe.sizeBytes) / 4;

function ctlGeometry(shape: RegionShape) {
  const { slots, maxValueBytes, maxMemoryBytes } = shape;
  const clientsOffset = CtlHeader.sizeBytes;
  const slotsOffset = clientsOffset + MAX_CLIENTS * ClientRecord.sizeBytes;
  const queueOffset = slotsOffset + slots * Slot.sizeBytes;
  const queueCells = 4 * slots;
  const chunkOwnersOffset = roundUp(queueOffset + queueCells * 4, PAGE);
  // Four of the largest requests at once, or a sixteenth of the store.
  const largest = roundUp(maxValueBytes + MAX_KEY_BYTES, CHUNK_BYTES);
  const arenaChunks = Math.ceil(Math.max(4 * largest, maxMemoryBytes / 16) / CHUNK_BYTES);
  const arenaOffset = roundUp(chunkOwnersOffset + arenaChunks * 4, PAGE);
  const pinsOffset = arenaOffset + arenaChunks * CHUNK_BYTES;
  const marksOffset = pinsOffset + PINS_BYTES;
  // A word for each bucket, and as many for the overflow buckets.
  const ctlBytes = roundUp(marksOffset + 2 * bucketsOf(shape) * 4, PAGE);
  const queue = { queueOffset, queueCells, chunkOwnersOffset };
  return { clientsOffset, slotsOffset, ...queue, arenaOffset, arenaChunks, pinsOffset, marksOffset, ctlBytes };
}

function dataGeometry(shape: RegionShape) {
  const { stripes, slots, maxMemoryBytes, logBytes = 0 } = shape;
  const stripesOffset = DataHeader.sizeBytes;
  const workersOffset = stripesOffset + stripes * Stripe.sizeBytes;
  // Room for all that there can be: the next server of the region may have another number of them.
  const heapControlOffset = workersOffset + MAX_WORKERS * WorkerRecord.sizeBytes;
  const sizeClassesOffset = heapControlOffset + HeapControl.sizeBytes;
  const bucketsOffset = roundUp(sizeClassesOffset + MAX_SIZE_CLASSES * SizeClass.sizeBytes, PAGE);
  const buckets = bucketsOf(shape);
  const unitTableOffset = bucketsOffset + buckets * BUCKET_BYTES;
  const remainingBytes = maxMemoryBytes - unitTableOffset;
  const unitTableBytes = roundUp(Math.floor(remainingBytes / (UNIT_BYTES + 4)) * 4, PAGE);
  const heapOffset = unitTableOffset + unitTableBytes;
  const heapUnits = Math.floor((maxMemoryBytes - heapOffset) / UNIT_BYTES);
  const granuleBits = Math.ceil(Math.log2(maxMemoryBytes / GRANULE_BYTES));
  const log = logGeometry(maxMemoryBytes, logBytes, slots);
  return {
    ...log,
    stripesOffset,
    workersOffset,
    heapControlOffset,
    sizeClassesOffset,
    bucketsOffset,
    buckets,
    unitTableOffset,
    heapOffset,
    heapUnits,
    dataBytes: log.logEnd,
    granuleBits,
  };
}
