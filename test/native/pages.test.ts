/**
 * Segments in large pages, where the kernel has them for shared memory.
 * Seen to fail when: what is no whole large page is not reserved. (Whether the kernel is asked at all it cannot tell from a
 * kernel that has none.)
 */
import { closeSync, fstatSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { native } from '#dist/native.js';

import { missedLargePages } from '../fixtures/large-pages.js';
import { runFixture, temporaryDirectory } from '../fixtures/processes.js';

const MIB = 2 ** 20;
const KIB_PER_PAGE = 2048;

/** Maps what another process has made, and looks at every page. */
async function look(bytes: number, hugePages: boolean): Promise<{ sum: number; largeKib: number }> {
  const directory = temporaryDirectory();
  const path = join(directory, 'segment');
  const { fd, buffer } = native.createSegment(directory, bytes, 0o600, hugePages);
  const { size, blocks } = fstatSync(fd);
  expect(size).toBe(bytes);
  expect(blocks * 512).toBeGreaterThanOrEqual(bytes);
  native.linkSegment(fd, path);
  closeSync(fd);
  const words = new Int32Array(buffer);
  expect(words.every((word) => word === 0)).toBe(true);
  for (let word = 0; word < words.length; word++) words[word] = word;
  const { stdout } = await runFixture('native/pages', [path, String(bytes)]);
  return JSON.parse(stdout) as { sum: number; largeKib: number };
}

const sumOf = (bytes: number): number =>
  Array.from({ length: Math.ceil(bytes / 4096) }, (_, page) => page * 1024).reduce((sum, word) => sum + word, 0);

test.each([
  [7 * MIB + 4096, 3],
  [2 * MIB, 1],
  [8 * MIB, 4],
  [MIB, 0],
  [4096, 0],
])('of %i bytes all are reserved, and %i times 2 MiB are large pages if told to', async (bytes, pages) => {
  const missedBefore = missedLargePages();
  // Whether the kernel has any is asked for with a single one.
  const { largeKib: one } = await look(2 * MIB, true);
  const { sum, largeKib } = await look(bytes, true);
  expect(sum).toBe(sumOf(bytes));
  expect([0, KIB_PER_PAGE]).toContain(one);
  if (missedLargePages() === missedBefore) expect(largeKib).toBe(pages * one);
  else expect(Array.from({ length: pages + 1 }, (_, count) => count * KIB_PER_PAGE)).toContain(largeKib);
  expect(await look(bytes, false)).toEqual({ sum: sumOf(bytes), largeKib: 0 });
});

test('of more, the rest is reserved in small pages if large ones take too long', async () => {
  const missedBefore = missedLargePages();
  const { largeKib: one } = await look(2 * MIB, true);
  const { sum, largeKib } = await look(70 * MIB, true);
  expect(sum).toBe(sumOf(70 * MIB));
  if (missedLargePages() !== missedBefore) return expect(largeKib % KIB_PER_PAGE).toBe(0);
  const pages = Array.from({ length: 9 }, (_, steps) => Math.min(4 * (steps + 1), 35));
  expect(pages.map((count) => count * one)).toContain(largeKib);
});

test('anything but a boolean is refused', () => {
  const create = () => native.createSegment(temporaryDirectory(), MIB, 0o600, 1 as never);
  expect(create).toThrow(/^hugePages: expected a boolean, got /);
});
