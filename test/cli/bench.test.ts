/** Seen to fail when: a value of another key, or of an earlier write, or one put together of two counts as right; ranks are drawn evenly. */
import { describe, expect, test } from 'vitest';

import { randomFrom, zipfian } from '#dist/cli/bench-draws.js';
import { usualKeys } from '#dist/cli/bench.js';
import { BenchValues } from '#dist/cli/bench-values.js';

describe.each([1, 8, 64, 5000])('values of %d bytes', (bytes) => {
  const values = new BenchValues(bytes);

  test('tell writes and keys apart, up to sixteen of each', () => {
    for (let key = 0; key < 16; key++) {
      for (let write = 0; write < 16; write++) {
        const value = values.of(key, write);
        expect(value.length).toBe(bytes);
        expect([values.isOf(value, key, write), values.isOfAnyWrite(value, key)]).toEqual([true, true]);
        expect([values.isOf(value, key, write + 1), values.isOf(value, key + 1, write)]).toEqual([false, false]);
        expect(values.isOfAnyWrite(value, key + 1)).toBe(false);
      }
    }
    expect(values.of(35, 49)).toEqual(values.of(3, 1));
  });

  test('one that is missing, torn or of another length is none', () => {
    const value = values.of(3, 5);
    const torn = Buffer.concat([value.subarray(0, bytes - 1), Buffer.of((value.at(-1) ?? 0) ^ 1)]);
    for (const wrong of [undefined, torn, value.subarray(1), Buffer.concat([value, value])]) {
      expect([values.isOf(wrong, 3, 5), values.isOfAnyWrite(wrong, 3)]).toEqual([false, false]);
    }
  });
});

test('empty values are right when they are there and empty', () => {
  const values = new BenchValues(0);
  expect([values.isOf(values.of(1, 2), 1, 2), values.isOfAnyWrite(values.of(1, 2), 1)]).toEqual([true, true]);
  expect([values.isOfAnyWrite(undefined, 1), values.isOfAnyWrite(Buffer.of(1), 1)]).toEqual([false, false]);
});

test('zipfian draws are in range and repeat for a seed; the most popular tenth gets most of them', () => {
  for (const count of [1, 2, 3, 1000, 3_000_000]) {
    const [one, same] = [7, 7].map((seed) => zipfian(count, randomFrom(seed)));
    for (let i = 0; i < 1000; i++) {
      const key = one();
      expect(Number.isInteger(key) && key >= 0 && key < count).toBe(true);
      expect(same()).toBe(key);
    }
  }
  const draws = new Map<number, number>();
  const draw = zipfian(1000, randomFrom(1));
  for (let i = 0; i < 100_000; i++) {
    const key = draw();
    draws.set(key, (draws.get(key) ?? 0) + 1);
  }
  const counts = [...draws.values()].sort((a, b) => b - a);
  // The exponent says: the first has 1 of 7.7, the first hundred 69 %; some meet in one key.
  expect(counts[0] / 100_000).toBeGreaterThan(0.12);
  expect(counts[0] / 100_000).toBeLessThan(0.15);
  expect(counts.slice(0, 100).reduce((sum, count) => sum + count, 0) / 100_000).toBeGreaterThan(0.68);
});

test('there are as many keys as fit, with room left, but a hundred thousand at most', () => {
  const MIB = 2 ** 20;
  const keys = [64, 4096, 256 * 1024].map((bytes) => usualKeys(bytes, 1024 * MIB));
  expect(keys).toEqual([100_000, 16_008, 255]);
  expect(usualKeys(64, 16 * MIB)).toBe(26_214);
  expect(usualKeys(MIB, 0)).toBe(1);
});
