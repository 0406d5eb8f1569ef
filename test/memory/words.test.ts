import { expect, test, vi } from 'vitest';

import { add, cas, clearBits, exchange, load, setBits, store } from '#dist/memory/words.js';

import { startThread } from '../fixtures/threads.js';

const words = () => new Int32Array(new SharedArrayBuffer(64));

test('a stored word is loaded as a signed 32-bit number', () => {
  const shared = words();
  store(shared, 3, 0xffffffff);
  expect(load(shared, 3)).toBe(-1);
  expect([...shared].filter((word) => word !== 0)).toEqual([-1]);
});

test('cas changes the word only while it holds the expected value, and tells', () => {
  const shared = words();
  expect(cas(shared, 1, 0, 7)).toBe(true);
  expect(cas(shared, 1, 0, 8)).toBe(false);
  expect(load(shared, 1)).toBe(7);
});

test('add and exchange return the word before, and add wraps at 32 bits', () => {
  const shared = words();
  store(shared, 0, 0x7fffffff);
  expect(add(shared, 0, 1)).toBe(0x7fffffff);
  expect(load(shared, 0)).toBe(-0x80000000);
  expect(exchange(shared, 0, 5)).toBe(-0x80000000);
  expect(load(shared, 0)).toBe(5);
});

test('setBits and clearBits touch only their bits and return the word before', () => {
  const shared = words();
  expect(setBits(shared, 2, 0b101)).toBe(0);
  expect(setBits(shared, 2, 1 << 31)).toBe(0b101);
  expect(clearBits(shared, 2, 0b001)).toBe((1 << 31) | 0b101);
  expect(load(shared, 2)).toBe((1 << 31) | 0b100);
});

test('a loop of nothing but loads sees every write of another thread', async () => {
  const shared = words();
  const watcher = startThread('memory/watcher', { words: shared, writes: 50 });
  for (let write = 1; write <= 50; write++) {
    store(shared, 0, write);
    // The watcher answers in another word, which this loop must see as well.
    await vi.waitUntil(() => load(shared, 1) === write, { timeout: 30_000, interval: 1 });
  }
  await watcher.ended;
});

test('no step of several threads on one word is lost', async () => {
  const shared = words();
  const threads = Array.from({ length: 3 }, () => startThread('memory/adder', { words: shared, rounds: 50_000 }));
  await Promise.all(threads.map((thread) => thread.ended));
  expect(load(shared, 0)).toBe(150_000);
  expect(load(shared, 1)).toBe(150_000);
});
