/**
 * The memory of what has expired comes back, in its turn, whatever became of keys and blocks meanwhile.
 * The clock of this thread is moved forward by hand.
 * Seen to fail when: whatever has an expiry is removed when an item comes due; a removal counts as an effect of a request;
 * a copy of the compactor's has no expiry; steps cost nothing; a key set again has another item each time; items are never
 * looked through, or none of them is kept; nothing is reclaimed when the heap is full; the walk leaves out some buckets.
 */
import { expect, test } from 'vitest';

import { advanceHostClock, hostMs } from '#dist/memory/clock.js';
import { WorkerRecord, workerBase } from '#dist/memory/layout.js';
import type { Expirer } from '#dist/store/expirer.js';

import { auditStore } from '../fixtures/store/audit.js';
import { keyOf, KeyStore, MIB, newSegment, smallGeometry, valueOf } from '../fixtures/store/key-store.js';

const geometry = smallGeometry();
/** Of the wheel. */
const TICK_MS = 128;
/** More than a tick. */
const LATER = 200;
/** Longer than any test is held up on a busy host. */
const MINUTE = 60_000;
const HOUR = 3_600_000;
const NOTHING = { from: 0, to: 0 };

function setUp() {
  const data = newSegment(geometry);
  const keys = new KeyStore(data, geometry);
  const expirer = keys.store.startExpiry(NOTHING);
  const expired = (): number => data.floats[workerBase(geometry, 0) / 2 + WorkerRecord.expired];
  const set = (index: number, ttlMs: number, bytes = 20): boolean =>
    keys.set(keyOf(index), valueOf(index, bytes), 0, ttlMs === 0 ? 0 : hostMs() + ttlMs);
  return { data, keys, expirer, expired, set };
}

function workOff(expirer: Expirer): void {
  while (expirer.work(4));
}

test('nothing is removed before it expires, and everything after', () => {
  const { data, keys, expirer, expired, set } = setUp();
  const moments = Array.from({ length: 3000 }, (_, index) => hostMs() + 2000 + index * 10);
  for (const [index, moment] of moments.entries()) keys.set(keyOf(index), valueOf(index, 20), 0, moment);
  for (let index = 3000; index < 3500; index++) set(index, 0);
  const until = (moment: number): number => moments.filter((one) => one <= moment).length;
  for (let round = 0; round < 40; round++) {
    const least = until(hostMs() - LATER);
    workOff(expirer);
    expect(expired()).toBeGreaterThanOrEqual(least);
    expect(expired()).toBeLessThanOrEqual(until(hostMs()));
    expect(keys.store.size()).toBe(3500 - expired());
    advanceHostClock(1000);
  }
  expect(expired()).toBe(3000);
  expect(keys.get(keyOf(3000))).toEqual(valueOf(3000, 20));
  expect(expirer.isIdle).toBe(true);
  auditStore(data, geometry);
});

test('what was replaced, persisted or deleted meanwhile is not removed again', () => {
  const { data, keys, expirer, expired, set } = setUp();
  for (let index = 0; index < 400; index++) set(index, MINUTE);
  for (let index = 0; index < 100; index++) set(index, 0);
  for (let index = 100; index < 200; index++) set(index, HOUR);
  for (let index = 200; index < 300; index++) keys.delete(keyOf(index));
  advanceHostClock(MINUTE + LATER);
  workOff(expirer);
  expect(expired()).toBe(100);
  expect(keys.store.size()).toBe(200);
  advanceHostClock(HOUR);
  workOff(expirer);
  expect(expired()).toBe(200);
  expect(keys.store.size()).toBe(100);
  auditStore(data, geometry);
});

test('an expired key that is written anew is another', () => {
  const { keys, expirer, expired, set } = setUp();
  set(1, 10);
  advanceHostClock(20);
  expect(keys.get(keyOf(1))).toBeUndefined();
  set(1, 0);
  expect(keys.get(keyOf(1))).toEqual(valueOf(1, 20));
  advanceHostClock(LATER);
  workOff(expirer);
  expect(expired()).toBe(0);
  expect(keys.store.size()).toBe(1);
});

test('entries that have moved to another block are found', () => {
  const { data, keys, expirer, expired, set } = setUp();
  // Fragments the heap, so that large values can only be placed by moving others.
  const small: number[] = [];
  for (let index = 0; set(index, HOUR, 700); index++) small.push(index);
  for (const index of small) if (index % 2 === 0) keys.delete(keyOf(index));
  let large = 1_000_000;
  while (set(large, HOUR, 200_000)) large++;
  expect(keys.store.usage().movedBytes).toBeGreaterThan(0);
  const count = keys.store.size();
  advanceHostClock(HOUR + LATER);
  workOff(expirer);
  expect(keys.store.size()).toBe(0);
  expect(expired()).toBeGreaterThanOrEqual(count);
  auditStore(data, geometry);
});

test('one step removes no more than it was allowed', () => {
  const { expirer, expired, set } = setUp();
  for (let index = 0; index < 1000; index++) set(index, 10);
  advanceHostClock(LATER);
  for (let before = 0; expirer.work(4); before = expired()) expect(expired() - before).toBeLessThanOrEqual(4);
  expect(expired()).toBe(1000);
});

test('a removal is no effect of the request in hand', () => {
  const { data, expirer, expired, set } = setUp();
  set(1, 10);
  set(2, 0);
  const record = workerBase(geometry, 0);
  const before = [data.words[record + WorkerRecord.done], data.words[record + WorkerRecord.effects]];
  advanceHostClock(LATER);
  workOff(expirer);
  expect(expired()).toBe(1);
  expect([data.words[record + WorkerRecord.done], data.words[record + WorkerRecord.effects]]).toEqual(before);
});

test('a key that is set over and over leaves no trail', () => {
  const { expirer, set } = setUp();
  const startedAt = hostMs();
  for (let round = 0; round < 20_000; round++) set(7, HOUR);
  // One for each tick in which it was set.
  expect(expirer.items).toBeLessThanOrEqual((hostMs() - startedAt) / TICK_MS + 2);
});

test('items of entries that are gone are forgotten when there are many', () => {
  const { keys, expirer, set } = setUp();
  for (let index = 0; index < 100; index++) set(index, HOUR);
  let most = 0;
  let isBehind = false;
  for (let round = 0; round < 300_000; round++) {
    set(500, 3_000_000 + (round % 1000) * 200);
    keys.delete(keyOf(500));
    // As the task loop does.
    if (isBehind || round % 32 === 0) isBehind = expirer.work(2);
    most = Math.max(most, expirer.items);
  }
  expect(most).toBeLessThan(200_000);
  advanceHostClock(HOUR + LATER);
  workOff(expirer);
  expect(keys.store.size()).toBe(0);
  expect(expirer.items).toBe(0);
});

test('when the heap is full, what has expired makes room', () => {
  const { data, keys, set } = setUp();
  let count = 0;
  while (set(count, HOUR, 10_000)) count++;
  expect(count).toBeGreaterThan(100);
  expect(set(count, 0, 10_000)).toBe(false);
  advanceHostClock(HOUR + LATER);
  for (let index = 0; index < count; index++) expect(set(10_000 + index, 0, 10_000)).toBe(true);
  expect(keys.get(keyOf(10_000 + count - 1))).toEqual(valueOf(10_000 + count - 1, 10_000));
  auditStore(data, geometry);
});

test('when many small entries have expired at one moment, a large value finds room', () => {
  const large = valueOf(1, MIB);
  const roomy = smallGeometry({ maxValueBytes: MIB });
  const data = newSegment(roomy);
  const keys = new KeyStore(data, roomy);
  keys.store.startExpiry(NOTHING);
  const expired = (): number => data.floats[workerBase(roomy, 0) / 2 + WorkerRecord.expired];
  const moment = hostMs() + HOUR;
  let count = 0;
  while (keys.set(keyOf(count), valueOf(count, 40), 0, moment)) count++;
  expect(count).toBeGreaterThan(35_000);
  advanceHostClock(HOUR + LATER);
  expect(keys.set(Buffer.from('large'), large)).toBe(true);
  expect(keys.get(Buffer.from('large'))?.equals(large)).toBe(true);
  // Not all of them at once: others wait for that.
  expect(expired()).toBeLessThan(count);
  auditStore(data, roomy);
});

test('another thread goes on after a walk over the store', () => {
  const big = smallGeometry({ maxMemoryBytes: 8 * MIB });
  const data = newSegment(big);
  const dead = new KeyStore(data, big);
  for (let index = 0; index < 5000; index++) {
    dead.set(keyOf(index), valueOf(index, 10), 0, index % 5 === 0 ? 0 : hostMs() + MINUTE + index);
  }
  const next = new KeyStore(data, big, 1);
  const expirer = next.store.startExpiry({ from: 0, to: big.buckets });
  expect(expirer.isIdle).toBe(false);
  workOff(expirer);
  expect(expirer.items).toBe(4000);
  advanceHostClock(MINUTE + 10_000 + LATER);
  workOff(expirer);
  expect(next.store.size()).toBe(1000);
});
