/**
 * When the thread that makes a snapshot pauses, and for how long. Seen to fail when a crowd goes unnoticed or is forgotten at
 * once, when it is given way to for ever, and when somebody who waits does not matter.
 */
import { expect, test, vi } from 'vitest';

import type { LogOptions } from '../../src/server/options.js';
import { LogBoard } from '../../src/server/log-board.js';
import { SnapshotPace } from '../../src/server/snapshot-pace.js';
import { Snapshots } from '../../src/server/snapshots.js';
import { createTestRegion, regionName, shapeOf } from '../fixtures/region.js';

vi.mock('node:os', async (original) => ({ ...(await original<object>()), cpus: () => Array.from({ length: 4 }) }));

/** A pace that began at 1000, and what it goes by. */
function paceOf() {
  const state = { length: 1, isUrgent: false, looks: 0 };
  const runQueue = {
    get length() {
      state.looks++;
      return state.length;
    },
  };
  return { state, pace: new SnapshotPace(runQueue, () => state.isUrgent, 1000) };
}

test('with a CPU for everybody it works for a millisecond, and pauses for as long as it worked', () => {
  const { pace, state } = paceOf();
  state.length = 4;
  expect(pace.pauseAt(1000.05)).toBe(0);
  expect(state.looks).toBe(0);
  expect(pace.pauseAt(1000.5)).toBe(0);
  expect(pace.pauseAt(1001.5)).toBe(1.5);
  pace.resumeAt(1003);
  expect(pace.pauseAt(1003.9)).toBe(0);
  expect(pace.pauseAt(1004)).toBe(1);
});

test('with more threads than CPUs it works for a tenth of one, pauses thirty times as long, and does not forget at once', () => {
  const { pace, state } = paceOf();
  state.length = 5;
  expect(pace.pauseAt(1000.05)).toBe(0);
  expect(pace.pauseAt(1000.2)).toBeCloseTo(6, 5);
  state.length = 4;
  pace.resumeAt(1100);
  expect(pace.pauseAt(1100.15)).toBeCloseTo(4.5, 5);
  pace.resumeAt(1100.3);
  expect(pace.pauseAt(1100.5)).toBe(0);
  expect(pace.pauseAt(1101.3)).toBeCloseTo(1, 5);
});

test('no pause is longer than thirty milliseconds', () => {
  const { pace, state } = paceOf();
  expect(pace.pauseAt(1050)).toBe(30);
  state.length = 5;
  pace.resumeAt(1100);
  expect(pace.pauseAt(1102)).toBe(30);
});

test('it looks how crowded it is once in a tenth of a millisecond', () => {
  const { pace, state } = paceOf();
  for (let now = 1000; now < 1000.95; now += 0.01) expect(pace.pauseAt(now)).toBe(0);
  expect(state.looks).toBeGreaterThanOrEqual(7);
  expect(state.looks).toBeLessThanOrEqual(9);
});

test('it gives way for twenty seconds', () => {
  const { pace, state } = paceOf();
  state.length = 5;
  pace.resumeAt(20_999);
  expect(pace.pauseAt(20_999.5)).toBeCloseTo(15, 5);
  pace.resumeAt(21_000);
  expect(pace.pauseAt(21_000.5)).toBe(0);
  expect(pace.pauseAt(21_002)).toBe(2);
});

test('it does not pause while somebody waits for it', () => {
  const { pace, state } = paceOf();
  state.length = 5;
  state.isUrgent = true;
  expect(pace.pauseAt(1010)).toBe(0);
  expect(state.looks).toBe(0);
  state.isUrgent = false;
  expect(pace.pauseAt(1010)).toBe(30);
});

test('a server that stops says that it waits', async () => {
  const buffer = LogBoard.allocate();
  const region = createTestRegion(regionName(), shapeOf({ logBytes: 2 ** 16 }));
  const snapshots = new Snapshots(region, { dir: '' } as LogOptions, '', buffer, () => {});
  const board = new LogBoard(buffer);
  expect(board.isSnapshotUrgent).toBe(false);
  await snapshots.makeLast();
  expect(board.isSnapshotUrgent).toBe(true);
});
