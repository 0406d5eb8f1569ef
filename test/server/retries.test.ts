/**
 * When requests are tried again whose answers find no room.
 * Seen to fail when: all are due at once; pauses do not grow, or without end; one is queued twice, or before its time.
 */
import { expect, test } from 'vitest';

import { TaskQueue } from '#dist/exchange/task-queue.js';
import { Retries } from '#dist/server/retries.js';

import { privateCtl } from '../fixtures/region.js';

const SLOT = 3;
const WORD = 4711;

function setUp() {
  const { ctl, geometry } = privateCtl();
  const queue = new TaskQueue(ctl, geometry);
  queue.reset();
  let now = 1000;
  const retries = new Retries(queue, geometry.slots, () => now);
  const queued = () => {
    const slots: number[] = [];
    retries.enqueueDue();
    for (let slot = queue.dequeue(); slot >= 0; slot = queue.dequeue()) slots.push(slot);
    return slots;
  };
  return { retries, queued, pass: (ms: number) => (now += ms) };
}

test('one that was put back is queued once, a millisecond later', () => {
  const { retries, queued, pass } = setUp();
  expect(retries.msUntilDue()).toBe(Infinity);
  retries.add(SLOT, WORD);
  expect(retries.msUntilDue()).toBe(1);
  pass(0.9);
  expect(queued()).toEqual([]);
  pass(0.2);
  expect(queued()).toEqual([SLOT]);
  pass(1000);
  expect(queued()).toEqual([]);
  expect(retries.msUntilDue()).toBe(Infinity);
});

test('the longer it waits, the later it is tried again, but no later than 50 ms', () => {
  const { retries, queued, pass } = setUp();
  const pauses: number[] = [];
  for (let attempt = 0; attempt < 60; attempt++) {
    retries.add(SLOT, WORD);
    pauses.push(retries.msUntilDue());
    pass(retries.msUntilDue());
    expect(queued()).toEqual([SLOT]);
  }
  expect(pauses.slice(0, 8)).toEqual([1, 1, 1, 1, 1, 1.25, 1.5625, 1.953125]);
  expect(pauses.at(-1)).toBe(50);
  // The next one in the slot begins anew.
  retries.add(SLOT, WORD + 1);
  expect(retries.msUntilDue()).toBe(1);
});

test('one that is put back again before its time waits once', () => {
  const { retries, queued, pass } = setUp();
  retries.add(SLOT, WORD);
  pass(0.5);
  retries.add(SLOT, WORD);
  pass(0.7);
  expect(queued()).toEqual([]);
  pass(0.4);
  expect(queued()).toEqual([SLOT]);
  pass(1000);
  expect(queued()).toEqual([]);
});

test('of several each has its time', () => {
  const { retries, queued, pass } = setUp();
  for (let slot = 0; slot < 4; slot++) {
    retries.add(slot, WORD);
    pass(0.25);
  }
  expect(retries.msUntilDue()).toBe(0);
  expect(queued()).toEqual([0]);
  expect(retries.msUntilDue()).toBe(0.25);
  pass(0.6);
  expect(queued()).toEqual([1, 2]);
  pass(1);
  expect(queued()).toEqual([3]);
});
