/** What the heap tells of itself. */

/** Approximate while others allocate. */
export interface HeapUsage {
  readonly totalBytes: number;
  /** In free runs and in free blocks of slabs. */
  readonly freeBytes: number;
  /** In blocks, rounded up to what they occupy, and in headers of slabs. */
  readonly usedBytes: number;
  /** No block larger than this fits without compaction. */
  readonly largestFreeBytes: number;
  readonly slabBytes: number;
  readonly largeBlocks: number;
  readonly compactions: number;
  readonly movedBytes: number;
  /** Freed, and in use only because clients have pinned them. */
  readonly pinnedBlocks: number;
}

/** A block in use. */
export interface UsedBlock {
  readonly granule: number;
  readonly bytes: number;
  readonly isBucket: boolean;
}
