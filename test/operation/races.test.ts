/**
 * Another worker changes the key after a request was read and before its lock is taken: what is found under the lock
 * decides, not what was seen before. In one thread, at that moment and no other.
 * test/mutations has the faults that it must notice.
 */
import { beforeEach, expect, test } from 'vitest';

import { errorOfStatus, Status } from '#dist/errors.js';
import { KEEP_EXPIRY } from '#dist/memory/layout.js';
import { hostMs } from '#dist/memory/clock.js';

import { type Given, privateSegments, TestWorker } from '../fixtures/exchange/test-worker.js';

let one: TestWorker;
let other: TestWorker;

beforeEach(() => {
  const segments = privateSegments();
  one = new TestWorker(segments, 0);
  other = new TestWorker(segments, 1);
  // Each has its overflow bucket in reserve from here on.
  for (const worker of [one, other]) {
    expect([worker.run('set', 'key'), worker.run('del', 'key')]).toEqual([Status.ok, Status.ok]);
    worker.store.rest();
  }
});

/** One executes a request; the other does its work when the memory for what is written has been found. */
function overtaken(name: string, given: Given, work: () => void): Status {
  const { store } = one;
  const allocate = store.allocate.bind(store);
  let times = 0;
  store.allocate = (bytes) => {
    const granule = allocate(bytes);
    if (times++ === 0) work();
    return granule;
  };
  const status = one.run(name, 'key', given);
  store.allocate = allocate;
  expect(times).toBeGreaterThan(0);
  return status;
}

const set = (value: string, expiresAt = 0) => expect(other.run('set', 'key', { value, expiresAt })).toBe(Status.ok);
const remove = () => expect(other.run('del', 'key')).toBe(Status.ok);
const now = () => one.entry('key');

test('a POST whose key another has inserted meanwhile inserts nothing', () => {
  const before = one.store.usage().usedBytes;
  expect(overtaken('post', { value: 'mine' }, () => set('theirs'))).toBe(Status.no);
  expect(now()).toMatchObject({ value: 'theirs' });
  expect(one.store.size()).toBe(1);
  remove();
  one.store.rest();
  other.store.rest();
  expect(one.store.usage().usedBytes).toBe(before);
});

test('a POST whose key was inserted and removed meanwhile inserts', () => {
  const both = () => {
    set('theirs');
    remove();
  };
  expect(overtaken('post', { value: 'mine' }, both)).toBe(Status.ok);
  expect(now()).toMatchObject({ value: 'mine' });
});

test('a CAS that expects no key finds the one that another has inserted meanwhile', () => {
  expect(overtaken('cas', { value: 'mine', argument: 0 }, () => set('theirs'))).toBe(Status.no);
  expect(now()).toMatchObject({ value: 'theirs' });
});

test('a CAS whose version another has replaced meanwhile replaces nothing', () => {
  set('first');
  const argument = now()?.version ?? 0;
  expect(argument).toBeGreaterThan(0);
  expect(overtaken('cas', { value: 'mine', argument }, () => set('theirs'))).toBe(Status.no);
  expect(now()).toMatchObject({ value: 'theirs' });
  // The same value once more has another version too.
  const again = now()?.version ?? 0;
  expect(overtaken('cas', { value: 'mine', argument: again }, () => set('theirs'))).toBe(Status.no);
  expect(one.run('cas', 'key', { value: 'mine', argument: now()?.version ?? 0 })).toBe(Status.ok);
  expect(now()).toMatchObject({ value: 'mine' });
});

test('an INCR adds to the sum that another has made meanwhile', () => {
  set('5');
  const add = () => expect(other.run('incr', 'key', { argument: 10 })).toBe(Status.ok);
  expect(overtaken('incr', { argument: 2 }, add)).toBe(Status.ok);
  expect(now()).toMatchObject({ value: '17' });
});

test('an INCR whose number has become text meanwhile changes nothing', () => {
  set('5');
  expect(overtaken('incr', { argument: 2 }, () => set('five'))).toBe(Status.notANumber);
  expect(now()).toMatchObject({ value: 'five' });
});

test.each(['set', 'mset'])('%s that keeps the expiry keeps the one that another has given meanwhile', (name) => {
  const [early, late] = [hostMs() + 60_000, hostMs() + 120_000];
  set('first', early);
  // A batch: the lengths of key and value and the codec before each key.
  const value = name === 'set' ? 'mine' : '\u0003\0\0\0\u0004\0\0\0\0\0\0\0key\0mine';
  expect(overtaken(name, { value, expiresAt: KEEP_EXPIRY }, () => set('theirs', late))).toBe(Status.ok);
  expect(now()).toMatchObject({ value: 'mine', expiresAt: late });
});

test('a FLUSH that the log stops in the middle says so, one that it stops at once that nothing has changed', () => {
  const { store } = one;
  for (let i = 0; i < 50; i++) one.run('set', `key ${i}`, { value: 'v' });
  let allowed = 0;
  store.admit = () => (allowed-- > 0 ? Status.ok : Status.notDurable);
  expect([one.run('flush', ''), store.size()]).toEqual([Status.notDurable, 50]);
  allowed = 30;
  expect(one.run('flush', '')).toBe(Status.partlyFlushed);
  expect(store.size()).toBeGreaterThan(0);
  expect(store.size()).toBeLessThan(50);
  allowed = Infinity;
  expect([one.run('flush', ''), store.size()]).toEqual([Status.ok, 0]);
  expect(errorOfStatus(Status.partlyFlushed)).toMatchObject({ code: 'ERR_KVS_NOT_DURABLE', executed: 'unknown' });
});

test('an EXPIRE keeps the value that another has set meanwhile, of whatever size', () => {
  const moment = hostMs() + 60_000;
  set('first');
  const long = 'theirs'.repeat(100);
  expect(overtaken('expire', { expiresAt: moment }, () => set(long))).toBe(Status.ok);
  expect(now()).toMatchObject({ value: long, expiresAt: moment });
});

test('an EXPIRE whose key another has removed meanwhile brings nothing back', () => {
  set('first');
  expect(overtaken('expire', { expiresAt: hostMs() + 60_000 }, remove)).toBe(Status.no);
  expect([now(), one.store.size()]).toEqual([undefined, 0]);
});
