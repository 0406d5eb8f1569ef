/**
 * How much of the arena answers of one client may take that it has not taken.
 * Seen to fail when: everything is admitted; nothing beyond the count is looked at again; answers of others count, or
 * those that were taken; who has none waiting is refused; `npm run test:mutations -- --only quota`.
 */
import { expect, test, vi } from 'vitest';

import { AnswerQuota } from '#dist/exchange/answer-quota.js';
import { PayloadArena } from '#dist/exchange/payload-arena.js';
import { nextFree, SlotState, useOf, withState } from '#dist/exchange/slot-word.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { MAX_CLIENTS } from '#dist/memory/layout.js';

import { privateCtl, shapeOf } from '../fixtures/region.js';

const MAX = 10;
const ALL = 20;
const HOG = 3;
const OTHER = 4;

/** A server's threads, and the answers that wait in its slots. */
function quotaOf({ slots = 16, all = ALL } = {}) {
  const { ctl, geometry } = privateCtl(shapeOf({ slots }));
  const table = new SlotTable(ctl, geometry);
  const arena = new PayloadArena(ctl, geometry, 0);
  const counts = AnswerQuota.allocate();
  const threads = [0, 1].map(() => new AnswerQuota(counts, table, arena, { client: MAX, all }));
  let used = 0;
  return {
    arena,
    threads,
    quota: threads[0],
    /** Writes an answer of so many chunks that is not taken. @returns what takes it */
    answer: (client: number, chunks: number) => {
      const slot = used++;
      const submitted = table.submit(slot, table.claim(slot, client));
      const executing = table.begin(slot, submitted);
      const first = arena.claim(useOf(slot, executing), chunks);
      expect(first).toBeGreaterThanOrEqual(0);
      table.complete(slot, executing);
      return () => {
        arena.release(useOf(slot, executing), first, chunks);
        table.release(slot, withState(executing, SlotState.done));
      };
    },
  };
}

test('answers that are not taken are admitted up to the limit, and one after the other again as they are taken', () => {
  const { quota, answer } = quotaOf();
  const takes = [4, 4].map((chunks) => {
    expect(quota.admits(HOG, chunks)).toBe(true);
    return answer(HOG, chunks);
  });
  expect([quota.admits(HOG, 3), quota.admits(HOG, 3)]).toEqual([false, false]);
  expect(quota.admits(HOG, 2)).toBe(true);
  const last = answer(HOG, 2);
  expect(quota.admits(HOG, 1)).toBe(false);
  takes[0]();
  expect([quota.admits(HOG, 5), quota.admits(HOG, 4)]).toEqual([false, true]);
  takes[1]();
  last();
});

test('what was taken long ago does not count: a client that takes its answers is never refused', () => {
  const { quota, answer } = quotaOf();
  for (let i = 0; i < 15; i++) {
    expect(quota.admits(HOG, MAX - 1), `answer ${i}`).toBe(true);
    answer(HOG, MAX - 1)();
  }
});

test('a client that takes its answers has them counted now and then, and not each time', () => {
  const { quota, arena, answer } = quotaOf({ slots: 128, all: 16 * MAX });
  const count = vi.spyOn(arena, 'countWhere');
  for (let i = 0; i < 100; i++) {
    expect(quota.admits(HOG, 1)).toBe(true);
    answer(HOG, 1)();
  }
  expect(count).toHaveBeenCalledTimes(9);
});

test("chunks that were left by an earlier use of a slot are nobody's answer", () => {
  const { quota, arena, answer } = quotaOf();
  answer(HOG, 1);
  expect(arena.claim(useOf(0, nextFree(0)), 3)).toBeGreaterThan(0);
  expect([quota.admits(HOG, MAX), quota.admits(HOG, MAX - 1)]).toEqual([false, true]);
});

test('who has none waiting gets one, however large', () => {
  const { quota, answer } = quotaOf();
  expect(quota.admits(HOG, MAX * 2)).toBe(true);
  const take = answer(HOG, MAX * 2);
  expect(quota.admits(HOG, 1)).toBe(false);
  take();
  expect(quota.admits(HOG, MAX * 2)).toBe(true);
});

test('no client has more waiting than is left for all, so there is always some for the next one', () => {
  const { quota, answer } = quotaOf({ slots: 32 });
  const clients = [HOG, OTHER, 5, 6, 7];
  const had = clients.map((client) => {
    let chunks = 0;
    while (quota.admits(client, 1)) {
      answer(client, 1);
      chunks++;
    }
    return chunks;
  });
  expect(had).toEqual([10, 5, 3, 1, 1]);
  // Nothing is left, and yet:
  expect(quota.admits(8, MAX)).toBe(true);
});

test('all threads count the same', () => {
  const { threads, answer } = quotaOf();
  expect(threads[0].admits(HOG, 6)).toBe(true);
  answer(HOG, 6);
  expect(threads[1].admits(HOG, 6)).toBe(false);
  expect(threads[1].admits(OTHER, 6)).toBe(true);
  answer(OTHER, 6);
  expect(threads[0].admits(OTHER, 6)).toBe(false);
  expect(threads[0].admits(OTHER, 2)).toBe(true);
});

test('what garbage attributes to nobody is admitted: it is mended elsewhere', () => {
  const { quota } = quotaOf();
  for (const client of [MAX_CLIENTS, 0xfff]) {
    expect([MAX, MAX, MAX].map((chunks) => quota.admits(client, chunks))).toEqual([true, true, true]);
  }
});
