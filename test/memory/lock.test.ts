import { afterEach, expect, test, vi } from 'vitest';

import { holderOf, lock, lockingBeside, unlock } from '#dist/memory/lock.js';
import { load } from '#dist/memory/words.js';
import { native } from '#dist/native.js';

import { temporaryDirectory, until } from '../fixtures/processes.js';
import { startThread } from '../fixtures/threads.js';

const LOCK = 0;
const COUNT = 32;
const WRONG = 33;
const CONTENDED = 0x100;

afterEach(() => vi.restoreAllMocks());

function sharedWords() {
  const { buffer } = native.createSegment(temporaryDirectory(), 4096, 0o600);
  return new Int32Array(buffer);
}

test('the word names the holder while it is held, and nobody after', () => {
  const words = sharedWords();
  expect(holderOf(words, LOCK)).toBe(-1);
  for (const worker of [0, 1, 63]) {
    lock(words, LOCK, worker);
    expect(holderOf(words, LOCK)).toBe(worker);
    unlock(words, LOCK);
    expect(holderOf(words, LOCK)).toBe(-1);
  }
});

test('an uncontended lock makes no system call', () => {
  const words = sharedWords();
  const wait = vi.spyOn(native, 'futexWait');
  const wake = vi.spyOn(native, 'futexWake');
  lock(words, LOCK, 0);
  unlock(words, LOCK);
  expect([wait, wake].map((call) => call.mock.calls.length)).toEqual([0, 0]);
});

test('only one of several threads is ever inside', async () => {
  const words = sharedWords();
  const threads = [0, 1, 2, 3].map((id) =>
    startThread('memory/locker', { words, role: 'counter', id, rounds: 25_000 }),
  );
  await Promise.all(threads.map((thread) => thread.ended));
  expect(load(words, COUNT)).toBe(100_000);
  expect(load(words, WRONG)).toBe(0);
  expect(load(words, LOCK)).toBe(0);
});

test('a thread that finds the lock held marks it and sleeps on the word until it is free', async () => {
  const words = sharedWords();
  lock(words, LOCK, 5);
  const { ended } = startThread('memory/locker', { words, role: 'counter', id: 1, rounds: 1 });
  // Whom a futex wake reaches was asleep on this very word.
  await until(() => native.futexWake(words, LOCK, 1) === 1);
  expect(load(words, LOCK)).toBe(6 | CONTENDED);
  expect(holderOf(words, LOCK)).toBe(5);
  expect(load(words, COUNT)).toBe(0);
  unlock(words, LOCK);
  await ended;
  expect(load(words, COUNT)).toBe(1);
  expect(load(words, LOCK)).toBe(0);
});

test('an unlock wakes a sleeper, and every sleeper has its turn', async () => {
  const words = sharedWords();
  const wake = vi.spyOn(native, 'futexWake');
  lock(words, LOCK, 9);
  const threads = [1, 2, 3].map((id) => startThread('memory/locker', { words, role: 'counter', id, rounds: 1 }));
  await until(() => native.futexWake(words, LOCK, 0) === 0 && load(words, LOCK) === (10 | CONTENDED));
  wake.mockClear();
  unlock(words, LOCK);
  expect(wake).toHaveBeenCalledExactlyOnceWith(words, LOCK, 1);
  await Promise.all(threads.map((thread) => thread.ended));
  expect(load(words, COUNT)).toBe(3);
});

test('the word still names a holder that died, and whoever cleans up lets the others in', async () => {
  const words = sharedWords();
  await startThread('memory/locker', { words, role: 'dier', id: 7, rounds: 0 }).ended;
  expect(holderOf(words, LOCK)).toBe(7);
  const { ended } = startThread('memory/locker', { words, role: 'counter', id: 1, rounds: 1 });
  await until(() => load(words, LOCK) === (8 | CONTENDED));
  expect(holderOf(words, LOCK)).toBe(7);
  unlock(words, LOCK);
  await ended;
  expect(load(words, COUNT)).toBe(1);
});

test('a lock that is never given back is an error that names its holder', () => {
  const words = sharedWords();
  lock(words, LOCK, 3);
  // Of its waits one in two times out; however long the process was stopped meanwhile.
  let waits = 0;
  vi.spyOn(native, 'futexWait').mockImplementation(() => (waits++ % 2 === 0 ? 2 : 3));
  expect(() => lock(words, LOCK, 4)).toThrow(`lock word ${LOCK} is held by worker 3 for more than 30000 ms`);
  expect(waits).toBe(2 * (30_000 / 50) - 1);
  expect(holderOf(words, LOCK)).toBe(3);
});

test('who waits beside others is told every 50 ms who holds the lock, and nothing when it has just been given back', () => {
  const words = sharedWords();
  lock(words, LOCK, 3);
  const told: number[] = [];
  let waits = 0;
  vi.spyOn(native, 'futexWait').mockImplementation(() => {
    // It times out; meanwhile the holder has gone.
    if (++waits === 3) words[LOCK] = 0;
    return 2;
  });
  lockingBeside(
    (holder) => told.push(holder),
    () => lock(words, LOCK, 4),
  );
  expect([waits, told, holderOf(words, LOCK)]).toEqual([3, [3, 3], 4]);
});
