/**
 * A request that two workers name when one of them dies: only one has begun it, and the living one will show which.
 * Seen to fail when: the request is settled at once, which executes it twice.
 */
import { afterEach, expect, test, vi } from 'vitest';

import { BellRinger } from '#dist/exchange/bell-ringer.js';
import { SlotState, stateOf } from '#dist/exchange/slot-word.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { TaskQueue } from '#dist/exchange/task-queue.js';
import { WorkerBells } from '#dist/exchange/worker-bells.js';
import { geometryOf, WorkerRecord, workerBase } from '#dist/memory/layout.js';
import { viewsOf } from '#dist/memory/segment.js';
import { WorkerRecovery } from '#dist/server/recovery.js';
import { Store } from '#dist/store/store.js';

import { shapeOf } from '../fixtures/region.js';

const geometry = geometryOf(shapeOf({ maxMemoryBytes: 2 ** 20, workers: 2 }));
const [DEAD, ALIVE] = [0, 1];
const SLOT = 3;
const CLIENT = 5;

afterEach(() => void vi.useRealTimers());

/** A request in execution that both workers name, with nothing done of it. */
function contested() {
  vi.useFakeTimers();
  const [ctl, data] = [geometry.ctlBytes, geometry.dataBytes].map((bytes) => viewsOf(new SharedArrayBuffer(bytes)));
  Store.format(data, geometry);
  const queue = new TaskQueue(ctl, geometry);
  queue.reset();
  const table = new SlotTable(ctl, geometry);
  const executing = table.begin(SLOT, table.submit(SLOT, table.claim(SLOT, CLIENT)));
  for (const worker of [DEAD, ALIVE]) {
    data.words[workerBase(geometry, worker) + WorkerRecord.slotWord] = executing;
    data.words[workerBase(geometry, worker) + WorkerRecord.slot] = SLOT + 1;
  }
  const bells = new BellRinger(ctl, geometry.clientsOffset, () => '/nowhere');
  new WorkerRecovery(ctl, data, geometry, queue, bells, new WorkerBells(ctl)).recover(DEAD);
  const forget = () => (data.words[workerBase(geometry, ALIVE) + WorkerRecord.slot] = 0);
  return { table, queue, executing, forget };
}

test('it is left to the living worker as long as that names it', () => {
  const { table, queue, executing, forget } = contested();
  vi.advanceTimersByTime(60_000);
  expect(table.word(SLOT)).toBe(executing);
  expect(queue.isEmpty()).toBe(true);
  table.complete(SLOT, executing);
  forget();
  vi.advanceTimersByTime(1000);
  expect(stateOf(table.word(SLOT))).toBe(SlotState.done);
  expect(vi.getTimerCount()).toBe(0);
});

test('it is executed again when the living worker turns to something else', () => {
  const { table, queue, executing, forget } = contested();
  forget();
  expect(table.word(SLOT)).toBe(executing);
  vi.advanceTimersByTime(1000);
  expect(stateOf(table.word(SLOT))).toBe(SlotState.submitted);
  expect(queue.dequeue()).toBe(SLOT);
  expect(vi.getTimerCount()).toBe(0);
});

test('it is freed if its client has abandoned it by then', () => {
  const { table, executing, forget } = contested();
  table.abandon(SLOT, executing);
  forget();
  vi.advanceTimersByTime(1000);
  expect(stateOf(table.word(SLOT))).toBe(SlotState.free);
});
