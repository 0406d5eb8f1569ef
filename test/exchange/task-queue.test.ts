import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { TaskQueue } from '#dist/exchange/task-queue.js';
import { CtlHeader } from '#dist/memory/layout.js';
import { load, store } from '#dist/memory/words.js';

import { privateCtl } from '../fixtures/region.js';

const CELLS = 64;

/** A queue of 64 cells, empty, whose next item comes at `position` (a multiple of the cells). */
function queueAt(position: number) {
  const { ctl, geometry } = privateCtl();
  expect(geometry.queueCells).toBe(CELLS);
  const { words } = ctl;
  const firstCell = geometry.queueOffset / 4;
  words.fill(position - CELLS, firstCell, firstCell + CELLS);
  store(words, CtlHeader.queueHead, position);
  store(words, CtlHeader.queueTail, position);
  return { queue: new TaskQueue(ctl, geometry), words, firstCell, ctl, geometry };
}

const POSITIONS = [CELLS, 2 ** 31 - CELLS, 2 ** 31, 2 ** 32 - CELLS, 2 ** 32 - 2 * CELLS];
const operation = fc.oneof(
  { weight: 5, arbitrary: fc.nat(CELLS - 1) },
  { weight: 4, arbitrary: fc.constant('dequeue' as const) },
);

/** Does one operation to the ring and to what it should hold. */
function step(ring: TaskQueue, model: number[], next: number | 'dequeue'): void {
  if (next === 'dequeue') {
    expect(ring.dequeue()).toBe(model.shift() ?? -1);
  } else {
    expect(ring.enqueue(next)).toBe(model.length < CELLS);
    if (model.length < CELLS) model.push(next);
  }
}

test('a reset ring is empty and has room for all its cells', () => {
  const { ctl, geometry } = privateCtl();
  ctl.bytes.fill(0xa5);
  const queue = new TaskQueue(ctl, geometry);
  queue.reset();
  expect([queue.isEmpty(), queue.length(), queue.dequeue()]).toEqual([true, 0, -1]);
  for (let i = 0; i < CELLS; i++) expect(queue.enqueue(i)).toBe(true);
  expect(queue.enqueue(0)).toBe(false);
});

describe.each(POSITIONS)('from position %d', (position) => {
  test('the ring behaves as a list of 64, however its positions wrap', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 400 }), (operations) => {
        const { queue } = queueAt(position);
        const model: number[] = [];
        for (const next of operations) {
          step(queue, model, next);
          expect(queue.isEmpty()).toBe(model.length === 0);
          expect(queue.length()).toBe(model.length);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('two that share a ring agree on when it is full, whenever each has looked last', () => {
    const turn = fc.tuple(fc.boolean(), operation, fc.integer({ min: 1, max: CELLS }));
    fc.assert(
      fc.property(fc.array(turn, { maxLength: 60 }), (turns) => {
        const { queue, ctl, geometry } = queueAt(position);
        const other = new TaskQueue(ctl, geometry);
        const model: number[] = [];
        for (const [isOther, next, times] of turns) {
          const ring = isOther ? other : queue;
          for (let i = 0; i < times; i++) step(ring, model, next);
        }
      }),
      { numRuns: 50 },
    );
  });

  test('a full ring takes nothing and loses nothing', () => {
    const { queue } = queueAt(position);
    for (let round = 0; round < 3; round++) {
      for (let i = 0; i < CELLS; i++) expect(queue.enqueue((i + round) % CELLS)).toBe(true);
      expect(queue.enqueue(9)).toBe(false);
      expect(queue.length()).toBe(CELLS);
      for (let i = 0; i < CELLS; i++) expect(queue.dequeue()).toBe((i + round) % CELLS);
      expect(queue.dequeue()).toBe(-1);
    }
  });
});

test('a tail left behind by a process that died is moved on by the next', () => {
  const { queue, words } = queueAt(2 ** 32 - CELLS);
  expect(queue.enqueue(1)).toBe(true);
  store(words, CtlHeader.queueTail, 2 ** 32 - CELLS);
  expect(queue.enqueue(2)).toBe(true);
  expect([queue.dequeue(), queue.dequeue(), queue.dequeue()]).toEqual([1, 2, -1]);
});

test('a reset ring is full for whoever has seen it before, too', () => {
  const { queue, ctl, geometry } = queueAt(CELLS);
  for (let i = 0; i < 30; i++) expect([queue.enqueue(i), queue.dequeue()]).toEqual([true, i]);
  const other = new TaskQueue(ctl, geometry);
  queue.reset();
  for (let i = 0; i < CELLS; i++) expect(queue.enqueue(i)).toBe(true);
  expect(other.enqueue(9)).toBe(false);
  for (let i = 0; i < CELLS; i++) expect(queue.dequeue()).toBe(i);
});

test('two queues over the same words are one', () => {
  const { queue, ctl, geometry } = queueAt(CELLS);
  const other = new TaskQueue(ctl, geometry);
  queue.enqueue(7);
  other.enqueue(8);
  expect([other.dequeue(), queue.dequeue(), other.dequeue()]).toEqual([7, 8, -1]);
});

test('garbage in the ring never hangs, and gives only indices that the ring can name', () => {
  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const near = fc.tuple(word, fc.integer({ min: -130, max: 130 }));
  fc.assert(
    fc.property(near, fc.array(word, { minLength: CELLS, maxLength: CELLS }), ([head, distance], garbage) => {
      const { queue, words, firstCell } = queueAt(CELLS);
      words.set(garbage, firstCell);
      store(words, CtlHeader.queueHead, head);
      store(words, CtlHeader.queueTail, head + distance);
      for (let i = 0; i < 4; i++) {
        queue.enqueue(i);
        const slot = queue.dequeue();
        expect(slot).toBeGreaterThanOrEqual(-1);
        expect(slot).toBeLessThan(CELLS);
      }
      expect(queue.isEmpty()).toBeTypeOf('boolean');
      queue.reset();
      expect(queue.enqueue(5)).toBe(true);
      expect(queue.dequeue()).toBe(5);
    }),
    { numRuns: 100 },
  );
});

test('positions and cells are what the layout says', () => {
  const { queue, words, firstCell } = queueAt(2 ** 32 - CELLS);
  queue.enqueue(3);
  expect(load(words, CtlHeader.queueTail)).toBe(-CELLS + 1);
  expect(load(words, firstCell)).toBe(-CELLS | 3);
  queue.dequeue();
  expect(load(words, CtlHeader.queueHead)).toBe(-CELLS + 1);
});
