import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { GRANULE_BYTES, UNIT_BYTES, WorkerRecord } from '#dist/memory/layout.js';
import { Heap } from '#dist/store/heap.js';
import { NO_PINS } from '#dist/store/limbo.js';
import { MAX_SMALL_BYTES } from '#dist/store/size-class.js';

import { auditHeap } from '../fixtures/store/audit.js';
import { newSegment, smallGeometry } from '../fixtures/store/key-store.js';

const geometry = smallGeometry();
const record = geometry.workersOffset / 4;
const heapBytes = geometry.heapUnits * UNIT_BYTES;

interface Block {
  granule: number;
  readonly bytes: number;
  readonly mark: number;
}

/** A heap whose blocks are filled with marks, and a map of them for it to move. */
class MarkedHeap {
  readonly data = newSegment(geometry);
  readonly blocks = new Map<number, Block>();
  readonly heap = new Heap(this.data, geometry, 0, this, NO_PINS);
  #nextMark = 1;

  bytesOf(granule: number): number {
    return this.blocks.get(granule)?.bytes ?? 0;
  }

  relocate(from: number, to: number): boolean {
    const block = this.blocks.get(from);
    if (block === undefined) return false;
    this.data.bytes.copyWithin(to * 16, from * 16, from * 16 + block.bytes);
    this.blocks.delete(from);
    block.granule = to;
    this.blocks.set(to, block);
    this.data.words[record + WorkerRecord.pendingBlock] = from;
    return true;
  }

  evict(): boolean {
    return false;
  }

  allocate(bytes: number): Block | undefined {
    const granule = this.heap.allocate(bytes);
    if (granule === 0) return undefined;
    expect(this.data.words[record + WorkerRecord.pendingBlock]).toBe(granule);
    this.data.words[record + WorkerRecord.pendingBlock] = 0;
    expect(this.heap.isUsed(granule)).toBe(true);
    expect(this.heap.capacityOf(granule)).toBeGreaterThanOrEqual(bytes);
    expect(granule * GRANULE_BYTES).toBeGreaterThanOrEqual(geometry.heapOffset);
    const block = { granule, bytes, mark: this.#nextMark++ & 0xff };
    this.data.bytes.fill(block.mark, granule * 16, granule * 16 + bytes);
    this.blocks.set(granule, block);
    return block;
  }

  free(block: Block): void {
    this.blocks.delete(block.granule);
    expect(this.heap.free(block.granule)).toBe(true);
    expect(this.heap.isUsed(block.granule)).toBe(false);
  }

  nth(index: number): Block | undefined {
    return [...this.blocks.values()][index % Math.max(1, this.blocks.size)];
  }

  check(): void {
    auditHeap(this.data, geometry);
    const used = [...this.heap.usedBlocks()];
    expect(used.map(({ granule }) => granule)).toEqual([...this.blocks.keys()].sort((a, b) => a - b));
    let end = 0;
    for (const { granule, bytes } of used) {
      expect(granule).toBeGreaterThanOrEqual(end);
      expect(bytes).toBe(this.heap.capacityOf(granule));
      end = granule + bytes / GRANULE_BYTES;
    }
    for (const { granule, bytes, mark } of this.blocks.values()) {
      const content = this.data.bytes.subarray(granule * 16, granule * 16 + bytes);
      expect(content.every((byte) => byte === mark)).toBe(true);
    }
  }
}

const sizes = fc.oneof(
  fc.integer({ min: 1, max: 300 }),
  fc.integer({ min: 1, max: MAX_SMALL_BYTES + 100 }),
  fc.integer({ min: MAX_SMALL_BYTES, max: 200_000 }),
);
const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ allocate: sizes, count: fc.integer({ min: 1, max: 40 }) }) },
    { weight: 3, arbitrary: fc.record({ free: fc.nat(), count: fc.integer({ min: 1, max: 60 }) }) },
    { weight: 1, arbitrary: fc.record({ freeWrongly: fc.integer() }) },
  ),
  { maxLength: 60 },
);

test('blocks never overlap, keep their contents when moved, and all come back as one free run', () => {
  const property = fc.property(steps, (list) => {
    const marked = new MarkedHeap();
    for (const step of list) {
      if ('allocate' in step) {
        for (let i = 0; i < step.count; i++) if (marked.allocate(step.allocate) === undefined) break;
      } else if ('free' in step) {
        for (let i = 0; i < step.count; i++) {
          const block = marked.nth(step.free + i * 7);
          if (block !== undefined) marked.free(block);
        }
      } else if (!marked.blocks.has(step.freeWrongly)) expect(marked.heap.free(step.freeWrongly)).toBe(false);
    }
    marked.check();
    while (marked.blocks.size > 0) marked.free(marked.nth(0)!);
    expect(marked.heap.usage().usedBytes).toBe(0);
    expect(marked.heap.allocate(heapBytes)).not.toBe(0);
  });
  fc.assert(property, { numRuns: 60 });
});

test('a full heap of random blocks survives the deletion of every other one', () => {
  const marked = new MarkedHeap();
  for (let size = 20; size < 20_000; size = Math.ceil(size * 1.3)) {
    for (let i = 0; i < 10; i++) marked.allocate(size);
  }
  while (marked.allocate(700) !== undefined) void 0;
  marked.check();
  for (const [index, block] of [...marked.blocks.values()].entries()) if (index % 2 === 0) marked.free(block);
  marked.check();
  while (marked.allocate(3000) !== undefined) void 0;
  while (marked.allocate(20_000) !== undefined) void 0;
  expect(marked.heap.usage().compactions).toBeGreaterThan(0);
  marked.check();
});

test('free() ignores what is no block in use', () => {
  const { heap } = new MarkedHeap();
  const small = heap.allocate(100);
  const large = heap.allocate(50_000);
  for (const wrong of [0, 1, -1, small + 1, large + 1, large + 64, geometry.dataBytes, 2 ** 31, 0.5, Number.NaN]) {
    expect(heap.free(wrong), `${wrong}`).toBe(false);
    expect(heap.isUsed(wrong)).toBe(false);
    expect(heap.capacityOf(wrong)).toBe(0);
  }
  expect(heap.free(small)).toBe(true);
  expect(heap.free(small)).toBe(false);
  expect(heap.free(large)).toBe(true);
  expect(heap.free(large)).toBe(false);
});

test('free() clears the notes of the block, and no other', () => {
  const { heap, data } = new MarkedHeap();
  const bucket = heap.allocateBucket();
  const block = heap.allocate(100);
  expect(data.words[record + WorkerRecord.spareBucket]).toBe(bucket);
  expect(data.words[record + WorkerRecord.pendingBlock]).toBe(block);
  heap.free(bucket);
  expect(data.words[record + WorkerRecord.spareBucket]).toBe(0);
  expect(data.words[record + WorkerRecord.pendingBlock]).toBe(block);
  heap.free(block);
  expect(data.words[record + WorkerRecord.pendingBlock]).toBe(0);
});

test('a recycled block is the next of its class, and nobody else’s', () => {
  const { heap, data } = new MarkedHeap();
  const notes = () => [data.words[record + WorkerRecord.pendingBlock], data.words[record + WorkerRecord.keptBlock]];
  const block = heap.allocate(100);
  heap.recycle(block);
  expect(notes()).toEqual([0, block]);
  expect(heap.isUsed(block)).toBe(true);
  const large = heap.allocate(3000);
  expect(large).not.toBe(block);
  expect(notes()).toEqual([large, block]);
  heap.free(large);
  expect(heap.allocate(100)).toBe(block);
  expect(notes()).toEqual([block, 0]);
  heap.recycle(block);
  const other = heap.allocate(3000);
  heap.recycle(other);
  expect(heap.isUsed(block)).toBe(false);
  expect(notes()).toEqual([0, other]);
  heap.releaseKept();
  expect(notes()).toEqual([0, 0]);
  expect(heap.usage().usedBytes).toBe(0);
});

test('a recycled run of its own is freed: what it holds is not what its class holds', () => {
  const { heap, data } = new MarkedHeap();
  heap.recycle(heap.allocate(20_000));
  expect(heap.usage().usedBytes).toBe(0);
  expect(data.words[record + WorkerRecord.keptBlock]).toBe(0);
  // Where no slab fits any more, a small block is a run that is smaller than the blocks of its class.
  const hole = heap.allocate(15 * UNIT_BYTES);
  for (let units = 16; units > 8; units--) while (heap.allocate(units * UNIT_BYTES) !== 0) void 0;
  heap.free(hole);
  const borrowed = heap.allocate(UNIT_BYTES - 4);
  expect(heap.capacityOf(borrowed)).toBe(UNIT_BYTES);
  heap.recycle(borrowed);
  expect(heap.isUsed(borrowed)).toBe(false);
});

test('a kept block is given back when memory is short', () => {
  const { heap } = new MarkedHeap();
  heap.recycle(heap.allocate(100));
  expect(heap.allocate(heapBytes)).not.toBe(0);
});

test('more than the heap holds is refused', () => {
  const { heap } = new MarkedHeap();
  expect(heap.allocate(heapBytes + 1)).toBe(0);
  expect(heap.allocate(heapBytes)).not.toBe(0);
  expect(heap.allocate(1)).toBe(0);
  expect(heap.allocateBucket()).toBe(0);
});

test('a hopeless request is refused without moving anything again', () => {
  const marked = new MarkedHeap();
  const kept: Block[] = [];
  for (let block = marked.allocate(9000); block !== undefined; block = marked.allocate(9000)) kept.push(block);
  for (const [index, block] of kept.entries()) if (index % 12 === 0) marked.free(block);
  while (marked.allocate(400_000) !== undefined) void 0;
  const before = marked.heap.usage();
  for (let i = 0; i < 1000; i++) expect(marked.heap.allocate(400_000)).toBe(0);
  expect(marked.heap.usage()).toEqual(before);
  marked.check();
});
