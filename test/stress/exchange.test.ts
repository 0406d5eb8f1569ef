/** What several processes pass through one region at once: nothing is lost, doubled or torn. */
import { expect, test } from 'vitest';

import { PayloadArena } from '#dist/exchange/payload-arena.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { SlotState, stateOf } from '#dist/exchange/slot-word.js';
import { TaskQueue } from '#dist/exchange/task-queue.js';
import { CtlHeader, RegionState } from '#dist/memory/layout.js';
import { store } from '#dist/memory/words.js';

import { fixturePath, run, until } from '../fixtures/processes.js';
import { createTestRegion, regionName, shapeOf } from '../fixtures/region.js';

const PRODUCERS = 4;
const CONSUMERS = 2;
const TASKS = 5_200_000;

interface Counts {
  tasks: number;
  sum: number;
  lost: number;
  duplicated: number;
  torn: number;
}

async function countsOf(name: string, args: readonly string[], onLine?: (line: string) => void) {
  const { code, stdout, stderr } = await run(process.execPath, [fixturePath(name), ...args], onLine);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as unknown;
}

const total = (counts: readonly Counts[]): Counts =>
  counts.reduce((sum, next) => ({
    tasks: sum.tasks + next.tasks,
    sum: sum.sum + next.sum,
    lost: sum.lost + next.lost,
    duplicated: sum.duplicated + next.duplicated,
    torn: sum.torn + next.torn,
  }));

test('5.2 million tasks of 4 processes reach 2 others once each and whole, and so do their answers', async () => {
  const region = createTestRegion(regionName(), shapeOf({ slots: 1024 }));
  const queue = new TaskQueue(region.ctl, region.geometry);
  const table = new SlotTable(region.ctl, region.geometry);
  queue.reset();
  store(region.ctl.words, CtlHeader.state, RegionState.ready);

  const each = TASKS / PRODUCERS;
  let ready = 0;
  const note = (line: string): void => void (ready += line === 'ready' ? 1 : 0);
  const start = (role: string, count: number) =>
    Array.from({ length: count }, (_, i) =>
      countsOf('exchange/exchanger', [region.name, role, String(i), String(each)], note),
    ) as Promise<Counts>[];
  const consumers = start('consumer', CONSUMERS);
  await until(() => ready === CONSUMERS);
  const produced = await Promise.all(start('producer', PRODUCERS));
  store(region.ctl.words, CtlHeader.state, RegionState.stopping);
  const consumed = await Promise.all(consumers);

  const expected = { tasks: TASKS, sum: (PRODUCERS * each * (each - 1)) / 2, lost: 0, duplicated: 0, torn: 0 };
  expect(total(produced)).toEqual(expected);
  expect(total(consumed)).toEqual(expected);
  for (const { tasks } of consumed) expect(tasks).toBeGreaterThan(0);
  expect([queue.isEmpty(), queue.length(), queue.dequeue()]).toEqual([true, 0, -1]);
  for (let slot = 0; slot < table.count; slot++) expect(stateOf(table.word(slot))).toBe(SlotState.free);
});

test('no chunk of the arena is ever held by two processes, and all come back', async () => {
  const region = createTestRegion();
  const arena = new PayloadArena(region.ctl, region.geometry, 0);
  const rounds = 100_000;
  const claimers = Array.from({ length: 4 }, (_, i) =>
    countsOf('exchange/claimer', [region.name, String(i), String(rounds)]),
  ) as Promise<{ claims: number; refused: number; torn: number; notOwned: number }>[];
  for (const { claims, refused, torn, notOwned } of await Promise.all(claimers)) {
    expect([claims + refused, torn, notOwned]).toEqual([rounds, 0, 0]);
    expect(claims).toBeGreaterThan(0);
  }
  expect(arena.used()).toBe(0);
});
