/**
 * Sizes of small blocks: what each size class holds and how a slab of it is divided. Pure data, made at import time.
 * Class 0 is for overflow buckets alone. From 1 up: 32 to 288 bytes by 16, then the sizes that divide a slab into
 * 8, 9, 10, … equal blocks without a rest, so that neither rounding up nor a slab's end wastes more than an eighth.
 * A slab is as short as it can be with 8 blocks: every class has one that is partly used, which a small heap feels.
 */
import { MIN_PINNED_BYTES } from '../memory/heap-layout.js';
import { BUCKET_BYTES, GRANULE_BYTES, MAX_SIZE_CLASSES, SLAB_UNITS, SlabHeader, UNIT_BYTES } from '../memory/layout.js';
import { roundUp } from '../memory/record.js';

export const BUCKET_CLASS = 0;

const LINE = 64;
const MIN_BYTES = 32;
const FINE_BYTES = 288;
const MIN_BLOCKS = 8;
/** Lengths of slabs of entries. Buckets cannot be moved and get the longest, so that they lie in few places. */
export const SHORT_SLAB_UNITS = SLAB_UNITS / 4;
const MIDDLE_SLAB_UNITS = SLAB_UNITS / 2;

interface SlabShape {
  readonly blockBytes: number;
  readonly units: number;
}

const shapes: SlabShape[] = [
  { blockBytes: BUCKET_BYTES, units: SLAB_UNITS },
  ...fineShapes(),
  ...coarseShapes(SHORT_SLAB_UNITS, FINE_BYTES),
  ...coarseShapes(MIDDLE_SLAB_UNITS, largestIn(SHORT_SLAB_UNITS)),
  ...coarseShapes(SLAB_UNITS, largestIn(MIDDLE_SLAB_UNITS)),
];
if (shapes.length > MAX_SIZE_CLASSES) throw new Error(`${shapes.length} size classes do not fit ${MAX_SIZE_CLASSES}`);

export const SIZE_CLASSES = shapes.length;
/** Bytes of a block, by class. */
export const blockBytesOf = Int32Array.from(shapes, (shape) => shape.blockBytes);
/** Units of a slab, by class. */
export const slabUnitsOf = Int32Array.from(shapes, (shape) => shape.units);
/** Blocks in a slab, by class. */
export const slabBlocksOf = Int32Array.from(shapes, slabBlocks);
/** Bytes of a slab for each of its blocks, by class. */
export const slabBytesPerBlock = Float64Array.from(shapes, (shape) => (shape.units * UNIT_BYTES) / slabBlocks(shape));
/** Where a slab's first block starts, in bytes from the slab's start, by class. */
export const firstBlockOf = Int32Array.from(slabBlocksOf, slabHeaderBytes);
/** The largest block that lives in a slab. */
export const MAX_SMALL_BYTES = largestIn(SLAB_UNITS);
if (MAX_SMALL_BYTES >= MIN_PINNED_BYTES) throw new Error('what is pinned must not lie in a slab');

const classOfGranules = Uint8Array.from({ length: MAX_SMALL_BYTES / GRANULE_BYTES + 1 }, (_, granules) =>
  shapes.findIndex((shape, index) => index !== BUCKET_CLASS && shape.blockBytes >= granules * GRANULE_BYTES),
);

/** The class of the smallest blocks that hold `bytes`, which are at most MAX_SMALL_BYTES. */
export const sizeClassOf = (bytes: number): number => classOfGranules[(bytes + GRANULE_BYTES - 1) >> 4];

/** Words of the bitmap of used blocks in a slab of the class. */
export const bitmapWordsOf = (sizeClass: number): number => (slabBlocksOf[sizeClass] + 31) >> 5;

/** Makes all blocks free in the bitmap at `first`; bits beyond the last block count as used for ever. */
export function clearBitmap(words: Int32Array, first: number, sizeClass: number): void {
  const end = first + bitmapWordsOf(sizeClass);
  const lastBits = slabBlocksOf[sizeClass] & 31;
  words.fill(0, first, end);
  if (lastBits !== 0) words[end - 1] = -1 << lastBits;
}

function fineShapes(): SlabShape[] {
  const count = (FINE_BYTES - MIN_BYTES) / GRANULE_BYTES + 1;
  return Array.from({ length: count }, (_, index) => ({
    blockBytes: MIN_BYTES + index * GRANULE_BYTES,
    units: SHORT_SLAB_UNITS,
  }));
}

/** The sizes above `floorBytes` that divide slabs of `units` into at least MIN_BLOCKS. */
function coarseShapes(units: number, floorBytes: number): SlabShape[] {
  const coarse: SlabShape[] = [];
  for (let blocks = MIN_BLOCKS; ; blocks = Math.floor(blocks * 1.125)) {
    const blockBytes = dividedSlab(units, blocks);
    if (blockBytes <= floorBytes) return coarse.toReversed();
    coarse.push({ blockBytes, units });
  }
}

function largestIn(units: number): number {
  return dividedSlab(units, MIN_BLOCKS);
}

/** Bytes of a block when a slab holds so many. */
function dividedSlab(units: number, blocks: number): number {
  return Math.floor((units * UNIT_BYTES - slabHeaderBytes(blocks)) / blocks / GRANULE_BYTES) * GRANULE_BYTES;
}

function slabHeaderBytes(blocks: number): number {
  return roundUp(SlabHeader.sizeBytes + Math.ceil(blocks / 32) * 4, LINE);
}

function slabBlocks({ blockBytes, units }: SlabShape): number {
  let blocks = Math.floor((units * UNIT_BYTES) / blockBytes);
  while (slabHeaderBytes(blocks) + blocks * blockBytes > units * UNIT_BYTES) blocks--;
  return blocks;
}
