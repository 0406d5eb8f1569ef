/**
 * When requests are tried again whose answers find no room.
 * Seen to fail when: all are due at once, or all of a client together; pauses do not grow, or without end; one is queued
 * twice, or before its time; the next one is not tried when there was room; what has been answered or cancelled is queued.
 */
import { expect, test } from 'vitest';

import { SlotState, withState } from '#dist/exchange/slot-word.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { TaskQueue } from '#dist/exchange/task-queue.js';
import { Retries } from '#dist/server/retries.js';

import { privateCtl } from '../fixtures/region.js';

const [ONE, OTHER] = [3, 4];

function setUp() {
  const { ctl, geometry } = privateCtl();
  const queue = new TaskQueue(ctl, geometry);
  queue.reset();
  const table = new SlotTable(ctl, geometry);
  let now = 1000;
  const retries = new Retries(queue, table, () => now);
  const words = new Map<number, number>();
  /** Submits a request of the client, if it is not there yet, and puts it back. */
  const putBack = (slot: number, client = ONE): void => {
    const word = words.get(slot) ?? table.submit(slot, table.claim(slot, client));
    words.set(slot, word);
    retries.add(slot, word);
  };
  /** The client's next request in a slot whose last one was withdrawn. */
  const again = (slot: number, client: number): void => {
    const withdrawn = words.get(slot);
    if (withdrawn !== undefined) table.release(slot, withState(withdrawn, SlotState.building));
    words.delete(slot);
    putBack(slot, client);
  };
  const taken = (): number[] => {
    const slots: number[] = [];
    for (let slot = queue.dequeue(); slot >= 0; slot = queue.dequeue()) slots.push(slot);
    return slots;
  };
  const queued = (): number[] => {
    retries.enqueueDue();
    return taken();
  };
  const withdraw = (slot: number): void => {
    expect(table.withdraw(slot, words.get(slot) ?? 0)).toBe(true);
  };
  return { retries, queue, putBack, again, queued, taken, withdraw, pass: (ms: number) => (now += ms) };
}

test('one that was put back is queued once, a millisecond later', () => {
  const { retries, putBack, queued, pass } = setUp();
  expect([retries.isAny, retries.msUntilDue()]).toEqual([false, Infinity]);
  putBack(5);
  expect([retries.isAny, retries.msUntilDue()]).toEqual([true, 1]);
  pass(0.9);
  expect(queued()).toEqual([]);
  pass(0.2);
  expect(queued()).toEqual([5]);
  pass(1000);
  expect(queued()).toEqual([]);
  expect([retries.isAny, retries.msUntilDue()]).toEqual([false, Infinity]);
});

test('the longer its client waits, the later one is tried again, but no later than 50 ms', () => {
  const { retries, putBack, queued, pass } = setUp();
  const pauses: number[] = [];
  for (let attempt = 0; attempt < 60; attempt++) {
    putBack(5);
    pauses.push(retries.msUntilDue());
    pass(retries.msUntilDue());
    expect(queued()).toEqual([5]);
  }
  expect(pauses.slice(0, 8)).toEqual([1, 1, 1, 1, 1, 1.25, 1.5625, 1.953125]);
  expect(pauses.at(-1)).toBe(50);
});

test('of many of one client one is tried at a time, in turn', () => {
  const { putBack, queued, pass } = setUp();
  for (let slot = 0; slot < 8; slot++) putBack(slot);
  const tried: number[] = [];
  for (let attempt = 0; attempt < 16; attempt++) {
    pass(50);
    const slots = queued();
    expect(slots.length).toBe(1);
    tried.push(...slots);
    putBack(slots[0]);
  }
  expect(tried).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3, 4, 5, 6, 7]);
});

test('where there was room for one, the next of the same client is tried at once', () => {
  const { retries, putBack, queued, taken, pass } = setUp();
  for (let slot = 0; slot < 3; slot++) putBack(slot);
  putBack(9, OTHER);
  pass(1);
  expect(queued()).toEqual([0, 9]);
  retries.roomFor(ONE);
  expect(taken()).toEqual([1]);
  retries.roomFor(ONE);
  expect(taken()).toEqual([2]);
  retries.roomFor(ONE);
  retries.roomFor(OTHER);
  expect(taken()).toEqual([]);
  // The wait begins anew.
  putBack(2);
  expect(retries.msUntilDue()).toBe(1);
});

test('each client has its time', () => {
  const { retries, putBack, queued, pass } = setUp();
  putBack(5);
  pass(0.5);
  putBack(9, OTHER);
  pass(0.5);
  expect(queued()).toEqual([5]);
  expect(retries.msUntilDue()).toBe(0.5);
  pass(0.5);
  expect(queued()).toEqual([9]);
});

test('one that is tried by another hint, and put back again, keeps its turn', () => {
  const { retries, putBack, queued, pass } = setUp();
  putBack(5);
  putBack(6);
  pass(0.5);
  putBack(5);
  expect(retries.msUntilDue()).toBe(0.5);
  pass(0.6);
  expect(queued()).toEqual([5]);
  pass(50);
  expect(queued()).toEqual([6]);
  pass(50);
  expect(queued()).toEqual([]);
});

test('what no longer waits is passed over', () => {
  const { retries, putBack, queued, withdraw, pass } = setUp();
  for (let slot = 0; slot < 3; slot++) putBack(slot);
  withdraw(0);
  withdraw(1);
  pass(1);
  expect(queued()).toEqual([2]);
  withdraw(2);
  pass(50);
  expect(queued()).toEqual([]);
  expect(retries.isAny).toBe(false);
});

test('whatever else comes to wait, what waits is not put off', () => {
  const { retries, putBack, queued, pass } = setUp();
  putBack(0);
  pass(40);
  for (let slot = 1; slot < 9; slot++) {
    putBack(slot);
    expect(retries.msUntilDue()).toBeLessThanOrEqual(0);
  }
  expect(queued()).toEqual([0]);
});

test('a slot that another client uses by now does not have the turn of the one before', () => {
  const { putBack, again, queued, withdraw, pass } = setUp();
  putBack(0);
  withdraw(0);
  again(0, OTHER);
  putBack(1);
  pass(1);
  expect(queued()).toEqual([1, 0]);
});

test('requests that are withdrawn and made again leave nothing behind', () => {
  const { retries, putBack, again, queued, withdraw, pass } = setUp();
  for (let use = 0; use < 10_000; use++) {
    again(use % 2, use % 3 === 0 ? ONE : OTHER);
    withdraw(use % 2);
  }
  expect(retries.isAny).toBe(true);
  putBack(5);
  expect(retries.size).toBeLessThanOrEqual(5);
  pass(50);
  expect(queued()).toEqual([5]);
  pass(50);
  expect(queued()).toEqual([]);
  expect([retries.isAny, retries.size]).toEqual([false, 0]);
});

test('with a full ring it is tried again a moment later', () => {
  const { retries, queue, putBack, queued, taken, pass } = setUp();
  putBack(5);
  while (queue.enqueue(1));
  pass(1);
  retries.enqueueDue();
  expect(retries.msUntilDue()).toBe(1);
  expect(taken()).not.toContain(5);
  pass(1);
  expect(queued()).toEqual([5]);
});
