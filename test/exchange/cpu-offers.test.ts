/**
 * Whether the CPU is offered, by what it cost before. Seen to fail when a single dear offer ends them, when two do not, and
 * when they end it for ever.
 */
import { performance } from 'node:perf_hooks';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { CpuOffers } from '../../src/exchange/cpu-offers.js';
import { native } from '../../src/native.js';

const CHEAP_MS = 0.01;
const DEAR_MS = 4;

let now = 0;
let costMs = 0;
beforeEach(() => {
  now = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  vi.spyOn(native, 'yieldCpu').mockImplementation(() => {
    now += costMs;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Offers that cost so much; whether each was made. */
function offersOf(offers: CpuOffers, ...costs: number[]): boolean[] {
  return costs.map((cost) => {
    costMs = cost;
    return offers.offer(now);
  });
}

test('offers go on while they are cheap, or dear now and then', () => {
  const offers = new CpuOffers();
  for (let i = 0; i < 5; i++) {
    expect(offersOf(offers, CHEAP_MS, DEAR_MS, CHEAP_MS)).toEqual([true, true, true]);
    now += 20;
  }
});

test('two dear ones soon after each other end them, for so long that they cost next to nothing', () => {
  const offers = new CpuOffers();
  expect(offersOf(offers, DEAR_MS, CHEAP_MS, DEAR_MS, CHEAP_MS)).toEqual([true, true, true, false]);
  now += 50 * DEAR_MS;
  expect(offersOf(offers, CHEAP_MS)).toEqual([false]);
  now += 10 * DEAR_MS;
  // Whether it still is so is seen by one.
  expect(offersOf(offers, DEAR_MS, CHEAP_MS)).toEqual([true, false]);
  now += 70 * DEAR_MS;
  expect(offersOf(offers, CHEAP_MS, DEAR_MS, CHEAP_MS)).toEqual([true, true, true]);
});
