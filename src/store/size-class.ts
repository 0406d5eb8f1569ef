/**
 * Sizes of small blocks: what each size class holds and how a slab of it is divided. Pure data, made at import time.
 * Class 0 is for overflow buckets alone. From 1 up: 32 to 288 bytes by 16, then the sizes that divide a slab into
 * 8, 9, 10, … equal blocks without a rest, so that neither rounding up nor a slab's end wastes more than an eighth.
 */
import { BUCKET_BYTES, GRANULE_BYTES, MAX_SIZE_CLASSES, SLAB_UNITS, SlabHeader, UNIT_BYTES } from '../memory/layout.js';
import { roundUp } from '../memory/record.js';

export const SLAB_BYTES = SLAB_UNITS * UNIT_BYTES;
export const BUCKET_CLASS = 0;

const LINE = 64;
const MIN_BYTES = 32;
const FINE_BYTES = 288;
const MIN_BLOCKS = 8;

const sizes = [BUCKET_BYTES, ...fineSizes(), ...coarseSizes()];
if (sizes.length > MAX_SIZE_CLASSES) throw new Error(`${sizes.length} size classes do not fit ${MAX_SIZE_CLASSES}`);

export const SIZE_CLASSES = sizes.length;
/** Bytes of a block, by class. */
export const blockBytesOf = Int32Array.from(sizes);
/** Blocks in a slab, by class. */
export const slabBlocksOf = Int32Array.from(sizes, slabBlocks);
/** Where a slab's first block starts, in bytes from the slab's start, by class. */
export const firstBlockOf = Int32Array.from(slabBlocksOf, slabHeaderBytes);
/** The largest block that lives in a slab. */
export const MAX_SMALL_BYTES = sizes[sizes.length - 1];

const classOfGranules = Uint8Array.from({ length: MAX_SMALL_BYTES / GRANULE_BYTES + 1 }, (_, granules) =>
  sizes.findIndex((size, index) => index !== BUCKET_CLASS && size >= granules * GRANULE_BYTES),
);

/** The class of the smallest blocks that hold `bytes`, which are at most MAX_SMALL_BYTES. */
export const sizeClassOf = (bytes: number): number => classOfGranules[(bytes + GRANULE_BYTES - 1) >> 4];

/** Words of the bitmap of used blocks in a slab of the class. */
export const bitmapWordsOf = (sizeClass: number): number => (slabBlocksOf[sizeClass] + 31) >> 5;

function fineSizes(): number[] {
  const count = (FINE_BYTES - MIN_BYTES) / GRANULE_BYTES + 1;
  return Array.from({ length: count }, (_, index) => MIN_BYTES + index * GRANULE_BYTES);
}

function coarseSizes(): number[] {
  const room = SLAB_BYTES - slabHeaderBytes(MIN_BLOCKS);
  const coarse: number[] = [];
  for (let blocks = MIN_BLOCKS; ; blocks = Math.floor(blocks * 1.125)) {
    const size = Math.floor(room / blocks / GRANULE_BYTES) * GRANULE_BYTES;
    if (size <= FINE_BYTES) return coarse.toReversed();
    coarse.push(size);
  }
}

function slabHeaderBytes(blocks: number): number {
  return roundUp(SlabHeader.sizeBytes + Math.ceil(blocks / 32) * 4, LINE);
}

function slabBlocks(size: number): number {
  let blocks = Math.floor(SLAB_BYTES / size);
  while (slabHeaderBytes(blocks) + blocks * size > SLAB_BYTES) blocks--;
  return blocks;
}
