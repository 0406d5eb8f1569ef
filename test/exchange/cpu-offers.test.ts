/**
 * Whether the CPU is offered, by what it cost before. Seen to fail when a single dear offer ends them, when two do not, when
 * they end it for ever, or for as long at first as at last, and when it does not matter who took them.
 */
import { performance } from 'node:perf_hooks';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { CpuOffers } from '../../src/exchange/cpu-offers.js';
import { native } from '../../src/native.js';

const CHEAP_MS = 0.01;
const DEAR_MS = 4;

let now = 0;
let costMs = 0;
/** Tasks taken in each millisecond of an offer. */
let tasksPerMs = 0;
let taken = 0;
beforeEach(() => {
  now = 1000;
  tasksPerMs = 0;
  // So that it wraps.
  taken = 0x7fff_fffe;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  vi.spyOn(native, 'yieldCpu').mockImplementation(() => {
    now += costMs;
    taken = (taken + tasksPerMs * costMs) | 0;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Offers that cost so much; whether each was made. */
function offersOf(offers: CpuOffers, ...costs: number[]): boolean[] {
  return costs.map((cost) => {
    costMs = cost;
    return offers.offer(now) !== 'withheld';
  });
}

test('offers go on while they are cheap, or dear now and then', () => {
  const offers = new CpuOffers(() => taken);
  for (let i = 0; i < 5; i++) {
    expect(offersOf(offers, CHEAP_MS, DEAR_MS, CHEAP_MS)).toEqual([true, true, true]);
    now += 20;
  }
});

test('two dear ones soon after each other end them for a while, then one shows whether it still is so', () => {
  const offers = new CpuOffers(() => taken);
  expect(offersOf(offers, DEAR_MS, CHEAP_MS, DEAR_MS, CHEAP_MS)).toEqual([true, true, true, false]);
  now += 2 * DEAR_MS;
  expect(offersOf(offers, CHEAP_MS)).toEqual([false]);
  now += 2 * DEAR_MS;
  expect(offersOf(offers, DEAR_MS, CHEAP_MS)).toEqual([true, false]);
  now += 100 * DEAR_MS;
  expect(offersOf(offers, CHEAP_MS, DEAR_MS, CHEAP_MS)).toEqual([true, true, true]);
});

test('as long as it still is so they end for longer, until they cost next to nothing', () => {
  const offers = new CpuOffers(() => taken);
  expect(offersOf(offers, DEAR_MS, DEAR_MS)).toEqual([true, true]);
  for (const times of [4, 8, 16, 32, 60, 60]) {
    now += (times - 2) * DEAR_MS;
    expect(offersOf(offers, CHEAP_MS)).toEqual([false]);
    now += 2 * DEAR_MS;
    expect(offersOf(offers, DEAR_MS)).toEqual([true]);
  }
  // A while later it is as at first.
  now += 100 * DEAR_MS;
  expect(offersOf(offers, DEAR_MS, DEAR_MS, CHEAP_MS)).toEqual([true, true, false]);
  now += 5 * DEAR_MS;
  expect(offersOf(offers, CHEAP_MS)).toEqual([true]);
});

test('however dear they are, they end, and for 1.2 s at most', () => {
  for (const cost of [25, 5000]) {
    const offers = new CpuOffers(() => taken);
    for (let i = 0; i < 8; i++) {
      expect(offersOf(offers, cost, cost, CHEAP_MS)).toEqual([true, true, false]);
      now += 1200;
    }
  }
});

test('dear ones during which workers took tasks do not end them, nor pass for one of two', () => {
  const offers = new CpuOffers(() => taken);
  tasksPerMs = 4;
  expect(offersOf(offers, DEAR_MS, DEAR_MS, DEAR_MS)).toEqual([true, true, true]);
  tasksPerMs = 3;
  expect(offersOf(offers, DEAR_MS)).toEqual([true]);
  tasksPerMs = 4;
  expect(offersOf(offers, DEAR_MS)).toEqual([true]);
  tasksPerMs = 0;
  expect(offersOf(offers, DEAR_MS, CHEAP_MS)).toEqual([true, false]);
});

test('whoever asked for it is told of each offer that was taken, and for how long', () => {
  const told: number[][] = [];
  const offers = new CpuOffers(
    () => taken,
    (madeAt, tookMs) => told.push([madeAt, tookMs]),
  );
  const outcomes = [0.001, 0.0625, 0.002, 0.5].map((cost) => {
    costMs = cost;
    return offers.offer(now);
  });
  expect(outcomes).toEqual(['unwanted', 'taken', 'unwanted', 'taken']);
  expect(told).toEqual([
    [expect.closeTo(1000.001), expect.closeTo(0.0625)],
    [expect.closeTo(1000.0655), expect.closeTo(0.5)],
  ]);
});
