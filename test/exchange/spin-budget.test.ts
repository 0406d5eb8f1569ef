/**
 * How long is looked for something, on a clock that stands still between the looks at it. Seen to fail when no long look
 * comes after a failure, when long looks do not become rarer, and when a success does not begin anew.
 */
import { performance } from 'node:perf_hooks';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { SpinBudget } from '../../src/exchange/spin-budget.js';

// With a single CPU there is nothing to look for.
vi.mock('node:os', async (original) => ({ ...(await original<object>()), availableParallelism: () => 2 }));

/** A microsecond, in milliseconds: so much passes from one look at the clock to the next. */
const TICK_MS = 0.001;
const LONG_US = 200;
const USUAL_US = 50;
/** The clock is a sum of fractions. */
const about = (us: number): unknown => expect.closeTo(us, -1);

let now = 0;
beforeEach(() => {
  now = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => (now += TICK_MS));
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Whole microseconds of one fruitless look. */
function fail(budget: SpinBudget): number {
  const before = now;
  expect(budget.spin(() => false)).toBe(false);
  return Math.round((now - before) / TICK_MS) - 1;
}
const failures = (budget: SpinBudget, count: number) => Array.from({ length: count }, () => fail(budget));

test('after a failure comes a long look; while those fail too, they become rarer, and the others shorter', () => {
  const budget = new SpinBudget();
  const all = failures(budget, 80);
  const long = all.flatMap((us, index) => (us > LONG_US / 2 ? [index] : []));
  expect(long).toEqual([1, 4, 9, 18, 35, 52, 69]);
  expect(all[0]).toEqual(about(USUAL_US));
  expect(all.filter((us) => us < LONG_US / 2).slice(1, 3)).toEqual([about(USUAL_US / 4), about(USUAL_US / 8)]);
  expect(Math.min(...all)).toEqual(about(4));
  expect(Math.max(...all.slice(10).filter((us) => us < LONG_US / 2))).toEqual(about(4));
});

test('a success begins anew, and lets the next look take twice as long as it took', () => {
  const budget = new SpinBudget();
  failures(budget, 20);
  const isThereAfterUs = (us: number) => {
    const at = now + us * TICK_MS;
    return () => now >= at;
  };
  // Within reach of a long look only, and so awaited for as many calls as it takes to have one.
  let tries = 0;
  while (tries < 100 && !budget.spin(isThereAfterUs(80))) tries++;
  expect(tries).toBeGreaterThan(0);
  expect(tries).toBeLessThan(100);
  expect(fail(budget)).toBeGreaterThan(2 * 75);
  expect(fail(budget)).toEqual(about(LONG_US));
});

test('what is there at once costs no look at the clock', () => {
  const before = now;
  expect(new SpinBudget().spin(() => true)).toBe(true);
  expect(now).toBe(before);
});
