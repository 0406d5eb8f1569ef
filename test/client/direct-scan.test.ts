/**
 * One bucket, read word by word, while it changes at chosen moments.
 * Seen to fail when: overflow buckets are left out; a key that has come back to another word counts twice; the page of
 * a bucket that does not hold still keeps part of it; an entry that is not wanted is not looked at again.
 */
import { expect, test } from 'vitest';

import { DirectScan, END } from '#dist/client/direct-scan.js';
import { Found, Reader } from '#dist/store/reader.js';

import { KeyStore, keyOf, newSegment, smallGeometry, valueOf } from '../fixtures/store/key-store.js';

const geometry = { ...smallGeometry({ stripes: 1 }), buckets: 4 };

function setUp(keys: number) {
  const data = newSegment(geometry);
  // All in bucket 2.
  const store = new KeyStore(data, geometry, 0, (key) => 2 + 4 * (key.at(-1) ?? 0));
  for (let index = 0; index < keys; index++) store.set(keyOf(index), valueOf(index, 10));
  const reader = new Reader(data, geometry);
  const look = reader.look.bind(reader);
  /** Runs before look number `at`. */
  const before = (at: number, run: () => void): void => {
    let looks = 0;
    reader.look = (word) => {
      if (looks++ === at) run();
      return look(word);
    };
  };
  const scan = (prefix = '') =>
    new DirectScan(reader, Buffer.from(prefix), ({ bytes, start, end }) => bytes.toString('latin1', start, end));
  return { store, reader, before, scan };
}

const text = (index: number) => valueOf(index, 10).toString();

test('a bucket with many overflow buckets is one page', () => {
  const { scan } = setUp(1000);
  const { keys, values, cursor } = scan().read(0);
  expect(cursor).toBe(3);
  expect(keys.map(String).toSorted()).toEqual(Array.from({ length: 1000 }, (_, i) => `key:${i}`).toSorted());
  expect(keys.every((key, i) => values[i] === text(Number(key.toString().slice(4))))).toBe(true);
  expect(scan().read(3)).toEqual({ keys: [], values: [], cursor: END });
  expect(scan().read(77)).toEqual({ keys: [], values: [], cursor: END });
});

test('a key that goes and comes back to a later word comes once', () => {
  const { store, before, scan } = setUp(4);
  // Three words have been looked at.
  before(3, () => {
    store.delete(keyOf(0));
    store.set(keyOf(50), valueOf(50, 10));
    store.set(keyOf(0), valueOf(0, 10));
  });
  const { keys } = scan().read(0);
  expect(keys.map(String)).toEqual(['key:0', 'key:1', 'key:2', 'key:3']);
});

test.each(['', 'key:2'])('an entry that is replaced while it is looked at is read again, prefix "%s"', (prefix) => {
  const { store, reader, scan } = setUp(3);
  const isStillThere = reader.isStillThere.bind(reader);
  let checks = 0;
  reader.isStillThere = () => {
    // Each entry once, before it is looked at again; what was there is free at once and used for another key.
    const index = checks % 2 === 0 ? checks / 2 : -1;
    checks++;
    if (index >= 0 && index < 3) store.set(keyOf(index), Buffer.from(`again ${index}`));
    return isStillThere();
  };
  const { keys, values } = scan(prefix).read(0);
  const expected = [0, 1, 2].filter((index) => keyOf(index).toString().startsWith(prefix));
  expect(keys.map(String)).toEqual(expected.map((index) => `key:${index}`));
  expect(values).toEqual(expected.map((index) => `again ${index}`));
  expect(checks).toBe(6);
});

test('a bucket that never holds still is left to the server, with all before it read', () => {
  const { store, reader, scan } = setUp(20);
  const look = reader.look.bind(reader);
  const last = reader.bucketAt(2) + 14;
  reader.look = (at) => (at === last ? Found.unstable : look(at));
  expect(scan().read(0)).toEqual({ keys: [], values: [], cursor: 2 });
  expect(scan().read(2)).toEqual({ keys: [], values: [], cursor: 2 });
  expect(store.get(keyOf(1))).toBeDefined();
});

test('what cannot be decoded is an error once it is known to be whole', () => {
  const { reader } = setUp(3);
  const failing = new DirectScan(reader, Buffer.from(''), () => {
    throw new Error('not mine');
  });
  expect(() => failing.read(0)).toThrow('not mine');
});
