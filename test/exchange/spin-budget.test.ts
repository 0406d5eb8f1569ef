/**
 * How long is looked for something, on a clock that stands still between the looks at it. Seen to fail when a short wait is
 * not followed by a long look, when looks do not become shorter after long waits, when a success does not begin anew, when the
 * CPU is offered at once or never, when a look outlasts its call or offers the CPU with little time left, when a call after
 * one that needed an offer keeps the CPU as long, or one after that that needed none does not, and when a worker learns this.
 */
import { performance } from 'node:perf_hooks';

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

import { SpinBudget } from '../../src/exchange/spin-budget.js';
import { native } from '../../src/native.js';

// With a single CPU there is nothing to look for.
vi.mock('node:os', async (original) => ({ ...(await original<object>()), availableParallelism: () => 2 }));

/** A microsecond, in milliseconds: so much passes from one look at the clock to the next. */
const TICK_MS = 0.001;
const LONG_US = 200;
const USUAL_US = 50;
/** The clock is a sum of fractions. */
const about = (us: number): unknown => expect.closeTo(us, -1);

let now = 0;
/** When the CPU was offered, and for how long somebody had it each time. */
let yields: number[] = [];
let takenUs = 0;
beforeEach(() => {
  now = 1000;
  yields = [];
  takenUs = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => (now += TICK_MS));
  vi.spyOn(native, 'yieldCpu').mockImplementation(() => {
    yields.push(now);
    now += takenUs * TICK_MS;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** Whole microseconds of one fruitless look, which is followed by a sleep of `sleepUs`. */
function fail(budget: SpinBudget, sleepUs: number): number {
  const before = now;
  expect(budget.spin(() => false)).toBe(false);
  const us = Math.round((now - before) / TICK_MS) - 1;
  now += sleepUs * TICK_MS;
  budget.slept();
  return us;
}

test('after a wait that a long look would have covered comes a long look', () => {
  const budget = new SpinBudget(() => 0);
  expect(fail(budget, 100)).toEqual(about(USUAL_US));
  expect(fail(budget, 90)).toEqual(about(LONG_US));
  expect(fail(budget, 90)).toEqual(about(LONG_US));
});

test('after waits that no look would have covered looks become shorter, until one was not in vain', () => {
  const budget = new SpinBudget(() => 0);
  const looks = Array.from({ length: 6 }, () => fail(budget, 1000));
  expect(looks.slice(0, 2)).toEqual([about(USUAL_US), about(USUAL_US / 4)]);
  expect(looks.slice(2)).toEqual([about(4), about(4), about(4), about(4)]);
  expect(fail(budget, 100)).toEqual(about(4));
  expect(fail(budget, 1000)).toEqual(about(LONG_US));
});

test('something that came while it was looked for lets the next look take twice as long as that took', () => {
  const budget = new SpinBudget(() => 0);
  const at = (us: number) => {
    const then = now + us * TICK_MS;
    return () => now >= then;
  };
  expect(fail(budget, 100)).toEqual(about(USUAL_US));
  expect(budget.spin(at(80))).toBe(true);
  expect(fail(budget, 1000)).toEqual(about(2 * 80));
  fail(budget, 1000);
  expect(budget.spin(at(3))).toBe(true);
  expect(fail(budget, 100)).toEqual(about(USUAL_US));
});

test('whoever looks keeps its CPU for some microseconds, and then offers it before each further look', () => {
  const before = now;
  fail(new SpinBudget(() => 0), 0);
  expect(Math.round((yields[0] - before) / TICK_MS)).toBeGreaterThan(5);
  expect(Math.round((yields[0] - before) / TICK_MS)).toBeLessThan(10);
  // Of each of these looks the offer looks at the clock as well.
  expect(yields.length).toBeGreaterThan(USUAL_US / 2 - 5);
});

test('the CPU is not offered after the last look', () => {
  expect(new SpinBudget(() => 0).spin(() => false)).toBe(false);
  expect(yields.at(-1)).toBeLessThan(now - TICK_MS / 2);
});

/** A call of so many microseconds. */
class Timed {
  deadline = 0;
  readonly #us: number;

  constructor(us: number) {
    this.#us = us;
  }

  startClock(at: number): void {
    if (this.deadline === 0) this.deadline = at + this.#us * TICK_MS;
  }
}

test("a look ends at its call's deadline, which counts from its first look at a clock, and learns nothing from it", () => {
  const budget = new SpinBudget(() => 0);
  const call = new Timed(20);
  const before = now;
  expect(budget.spin(() => false, call)).toBe(false);
  expect(call.deadline).toBeCloseTo(before + 21 * TICK_MS, 6);
  expect(Math.abs(now - call.deadline)).toBeLessThan(1.5 * TICK_MS);
  // Its time is up: only what is there at once is found.
  expect(budget.spin(() => false, call)).toBe(false);
  expect(Math.abs(now - call.deadline)).toBeLessThan(3.5 * TICK_MS);
  expect(fail(budget, 1000)).toEqual(about(USUAL_US));
});

test('with little time left the CPU is not offered, which may take longer than that', () => {
  for (const [us, offers] of [
    [1000, false],
    [9000, false],
    [11_000, true],
  ] as const) {
    yields = [];
    const before = now;
    expect(new SpinBudget(() => 0).spin(() => false, new Timed(us))).toBe(false);
    expect(Math.round((now - before) / TICK_MS) - 1).toEqual(about(USUAL_US));
    expect(yields.length > 0).toBe(offers);
  }
});

describe('how soon the CPU is offered', () => {
  let budget: SpinBudget;
  beforeEach(() => {
    budget = new SpinBudget(() => 0);
  });

  /** @returns whole microseconds of looking for something that comes after so many, until the CPU was offered first */
  function offeredAfter(us: number, ...call: [] | [Timed]): number | undefined {
    yields = [];
    const startedAt = now + TICK_MS;
    expect(budget.spin(() => now > startedAt + us * TICK_MS, ...call)).toBe(true);
    return yields.length === 0 ? undefined : Math.round((yields[0] - startedAt) / TICK_MS);
  }
  const answeredAfter = (us: number) => offeredAfter(us, new Timed(60_000_000));

  test('sooner after an answer that came while somebody had it, as late as ever after one that did not', () => {
    takenUs = 10;
    for (let i = 0; i < 200; i++) expect(answeredAfter(1.5)).toBeUndefined();
    expect([5, 6]).toContain(answeredAfter(20));
    for (let i = 0; i < 3; i++) expect([2, 3]).toContain(answeredAfter(20));
    expect(answeredAfter(1.5)).toBeUndefined();
    expect([5, 6]).toContain(answeredAfter(20));
  });

  test('as late as ever once in 16 calls, or it would never be known whether that is enough again', () => {
    takenUs = 10;
    for (let i = 0; i < 200; i++) expect(answeredAfter(1.5)).toBeUndefined();
    const waits = Array.from({ length: 40 }, () => answeredAfter(20) ?? 0);
    const late = waits.flatMap((wait, index) => (wait >= 5 ? [index] : []));
    expect(late).toEqual([0, 16, 32]);
  });

  test('offers that nobody takes change nothing, and answers beside them are usual ones', () => {
    for (let i = 0; i < 200; i++) expect(answeredAfter(1.5)).toBeUndefined();
    for (let i = 0; i < 3; i++) expect([5, 6]).toContain(answeredAfter(20));
    takenUs = 10;
    expect([5, 6]).toContain(answeredAfter(20));
    takenUs = 0;
    // They take longer by now, and nobody else wants the CPU.
    expect([2, 3, 4]).toContain(answeredAfter(4.5));
    for (let i = 0; i < 3; i++) expect(answeredAfter(3.5)).toBeUndefined();
  });

  test('a worker learns nothing from when tasks come', () => {
    takenUs = 10;
    for (let i = 0; i < 200; i++) expect(offeredAfter(1.5)).toBeUndefined();
    for (let i = 0; i < 3; i++) expect([5, 6]).toContain(offeredAfter(20));
  });
});

test('a deadline costs no look at the clock', () => {
  const looks = [undefined, new Timed(60_000_000)].map((call) => {
    const before = now;
    let left = 200;
    expect(new SpinBudget(() => 0).spin(() => --left === 0, call)).toBe(true);
    return Math.round((now - before) / TICK_MS);
  });
  expect(looks[1]).toBe(looks[0]);
});

test('a sleep that no look in vain came before says nothing', () => {
  const budget = new SpinBudget(() => 0);
  budget.slept();
  expect(budget.spin(() => true)).toBe(true);
  budget.slept();
  expect(fail(budget, 1000)).toEqual(about(USUAL_US));
});

test('what is there at once costs no look at the clock', () => {
  const before = now;
  expect(new SpinBudget(() => 0).spin(() => true)).toBe(true);
  expect(now).toBe(before);
  expect(yields).toEqual([]);
});
