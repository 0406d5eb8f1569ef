/**
 * The heap's part of the layout (layout.ts): its control words, size classes and slabs in the data segment, written by
 * the server's workers under their locks; and, in the ctl segment, the pins by which clients keep large blocks in place.
 */
import { align, f64, i32, LINE, record, words } from './record.js';

/** The heap is divided into units, and those into runs (store/runs.ts): slabs of small blocks, or one large block. */
export const UNIT_BYTES = 1024;
export const SLAB_UNITS = 64;
export const MAX_SIZE_CLASSES = 64;

/** Lists of free runs by length, eight per power of two of units (store/runs.ts). */
export const RUN_BINS = 160;

/** Control words of the run allocator. All but the two locks are guarded by one of them. */
export const HeapControl = record(LINE * 9, {
  runLock: i32,
  a: align(LINE),
  compactionLock: i32,
  b: align(LINE),
  freeUnits: i32,
  largeRuns: i32,
  /** The runs being evacuated, [first, end): nobody allocates there. end 0: none. */
  windowFirst: i32,
  windowEnd: i32,
  /** Length that the last failed compaction was asked for, 0: none failed. */
  failedUnits: i32,
  /** Units freed since then (wraps). */
  freedSince: i32,
  /** Bytes of free blocks in slabs at that time. */
  failedSlabBytes: f64,
  compactions: f64,
  movedBytes: f64,
  /** Granule of the first large block that is free but for a pin (store/limbo.ts), 0: none; and how many there are. */
  limbo: i32,
  limboBlocks: i32,
  /** Large blocks freed since it was last looked whether those are still pinned. */
  limboFrees: i32,
  c: align(LINE),
  /** Bit per bin: it lists a run. */
  binMap: words(RUN_BINS / 32),
  /** First unit + 1 of the first free run of each bin, 0: none. */
  bins: words(RUN_BINS),
});

/** One line per size class. */
export const SizeClass = record(LINE, {
  lock: i32,
  /** First unit + 1 of the first slab with a free block, 0: none. */
  partial: i32,
  /** First unit + 1 of the one slab kept although empty, 0: none. */
  empty: i32,
  slabs: i32,
  freeBlocks: i32,
});

/** Opens a slab; the bitmap of used blocks follows, then the blocks. */
export const SlabHeader = record(32, {
  sizeClass: i32,
  usedBlocks: i32,
  /** Neighbours in the class's list of slabs with a free block: first unit + 1, 0: none. */
  next: i32,
  previous: i32,
  /** 1: being emptied by the compactor; nobody allocates here. */
  isEvacuating: i32,
  /** No word of the bitmap before this one has a free block. */
  hint: i32,
});

/**
 * A bit per client that holds pins, then a row per client: each word the granule of an entry that must neither change
 * nor be reused, 0: none. Written by the client that holds the lease, and by the reaper (memory/pins.ts).
 */
export const PINNERS_BYTES = 128;
export const PINS_PER_CLIENT = 64;
export const PINS_BYTES = PINNERS_BYTES + PINNERS_BYTES * 8 * PINS_PER_CLIENT * 4;
/** Only values that are as large are pinned: each lies in a run of its own. */
export const MIN_PINNED_BYTES = 8192;
