import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { align, bytes, f64, floats, i32, record, roundUp, words } from '#dist/memory/record.js';

test('offsets are running sums, each in the unit of its accessor', () => {
  const layout = record(256, {
    first: i32,
    time: f64,
    three: words(3),
    text: bytes(5),
    gap: align(64),
    next: i32,
    two: floats(2),
    last: i32,
  });
  expect(layout).toEqual({ first: 0, time: 1, three: 4, text: 28, next: 16, two: 9, last: 22, sizeBytes: 256 });
});

test('a record that outgrows its size is refused at import', () => {
  expect(() => record(8, { a: i32, b: f64 })).toThrow('record of 16 bytes does not fit 8');
  expect(record(16, { a: i32, b: f64 }).b).toBe(1);
});

test('a layout cannot be changed', () => {
  expect(Object.isFrozen(record(8, { a: i32 }))).toBe(true);
});

test('no two fields overlap and each is aligned to its unit, whatever the order', () => {
  const field = fc.oneof(fc.constantFrom(i32, f64), fc.integer({ min: 1, max: 9 }).map(words), fc.nat(9).map(bytes));
  fc.assert(
    fc.property(fc.array(field, { maxLength: 20 }), (fields) => {
      const layout = record(4096, Object.fromEntries(fields.map((f, i) => [`f${i}`, f])));
      let end = 0;
      fields.forEach((f, i) => {
        const start = (layout as Record<string, number>)[`f${i}`] * f.unit;
        expect(start).toBeGreaterThanOrEqual(end);
        expect(start - end).toBeLessThan(f.unit);
        end = start + f.bytes;
      });
    }),
  );
});

test('roundUp gives the smallest multiple that is not below', () => {
  expect([0, 1, 63, 64, 65].map((value) => roundUp(value, 64))).toEqual([0, 64, 64, 64, 128]);
  expect(roundUp(4 * 2 ** 30 - 1, 4096)).toBe(4 * 2 ** 30);
});
