/**
 * Offsets are read at every access to shared memory. An object that V8 keeps as a hash table costs a look-up each time and
 * cannot be folded into compiled code; it makes one of a long object that is filled property by property.
 * Seen to fail when: record() assigns one property after the other (Slot and CtlHeader were hash tables).
 */
import { setFlagsFromString } from 'node:v8';
import { runInThisContext } from 'node:vm';

import { expect, test } from 'vitest';

import * as layout from '#dist/memory/layout.js';

setFlagsFromString('--allow-natives-syntax');
const isPlain = runInThisContext('(object) => %HasFastProperties(object)') as (object: object) => boolean;

const records = Object.entries<unknown>(layout).flatMap(([name, value]): [string, object][] =>
  typeof value === 'object' && value !== null && 'sizeBytes' in value ? [[name, value]] : [],
);

test('the layouts are found', () => {
  expect(records.map(([name]) => name)).toEqual(expect.arrayContaining(['Slot', 'CtlHeader', 'Entry', 'WorkerRecord']));
});

test.each(records)('%s is no hash table', (_, record) => {
  expect(isPlain(record)).toBe(true);
});

test('the geometry is no hash table', () => {
  const shape = { slots: 64, stripes: 4, workers: 1, maxValueBytes: 65_536, maxMemoryBytes: 4 * 2 ** 20 };
  expect(isPlain(layout.geometryOf(shape))).toBe(true);
});
