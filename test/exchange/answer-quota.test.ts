/**
 * How much of the arena answers of one client may take that it has not taken.
 * Seen to fail when: everything is admitted; nothing beyond the count is looked at again; answers of others count, or
 * those that were taken; who has none waiting is refused; `npm run test:mutations -- --only quota`.
 */
import { expect, test } from 'vitest';

import { AnswerQuota } from '#dist/exchange/answer-quota.js';
import { PayloadArena } from '#dist/exchange/payload-arena.js';
import { SlotState, useOf, withState } from '#dist/exchange/slot-word.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { MAX_CLIENTS } from '#dist/memory/layout.js';

import { privateCtl } from '../fixtures/region.js';

const MAX = 10;
const HOG = 3;
const OTHER = 4;

/** A server's threads, and the answers that wait in its slots. */
function quotaOf() {
  const { ctl, geometry } = privateCtl();
  const table = new SlotTable(ctl, geometry);
  const arena = new PayloadArena(ctl, geometry, 0);
  const counts = AnswerQuota.allocate();
  const threads = [0, 1].map(() => new AnswerQuota(counts, table, arena, MAX));
  let slots = 0;
  return {
    threads,
    quota: threads[0],
    /** Writes an answer of so many chunks that is not taken. @returns what takes it */
    answer: (client: number, chunks: number) => {
      const slot = slots++;
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

test('who has none waiting gets one, however large', () => {
  const { quota, answer } = quotaOf();
  expect(quota.admits(HOG, MAX * 2)).toBe(true);
  const take = answer(HOG, MAX * 2);
  expect(quota.admits(HOG, 1)).toBe(false);
  take();
  expect(quota.admits(HOG, MAX * 2)).toBe(true);
});

test('all threads count the same, each client for itself', () => {
  const { threads, answer } = quotaOf();
  expect(threads[0].admits(HOG, 6)).toBe(true);
  answer(HOG, 6);
  expect(threads[1].admits(HOG, 6)).toBe(false);
  expect(threads[1].admits(OTHER, 6)).toBe(true);
  answer(OTHER, 6);
  expect(threads[0].admits(OTHER, 6)).toBe(false);
  expect(threads[0].admits(OTHER, 4)).toBe(true);
});

test('what garbage attributes to nobody is admitted: it is mended elsewhere', () => {
  const { quota } = quotaOf();
  for (const client of [MAX_CLIENTS, 0xfff]) {
    expect([MAX, MAX, MAX].map((chunks) => quota.admits(client, chunks))).toEqual([true, true, true]);
  }
});
