/**
 * When answers are looked for, with calls that are always answered at once. Seen to fail when microtasks go on looking
 * without a turn of the event loop, when the first look is not from a microtask, when the CPU is not offered after a look
 * in vain, when it is after one that was not, and when it does not matter whether workers took tasks meanwhile.
 */
import { performance } from 'node:perf_hooks';

import { expect, onTestFinished, test, vi } from 'vitest';

import { Lookout } from '../../src/client/lookout.js';
import { native } from '../../src/native.js';

// With a single CPU there is nothing to look for.
vi.mock('node:os', async (original) => ({ ...(await original<object>()), availableParallelism: () => 2 }));

/** A lookout for one call at a time, which is answered when it is looked at the `looks`-th time. */
function lookoutFor(looks: number, tasksTaken = () => 0) {
  let left = 0;
  let onAnswer = (): void => {};
  const events: string[] = [];
  const counts = { looks: 0 };
  const look = (): boolean => {
    counts.looks++;
    if (left === 0 || --left > 0) return false;
    onAnswer();
    return true;
  };
  const lookout = new Lookout({
    glance: () => events.push('glance'),
    advance: look,
    isIdle: () => left === 0,
    rest: () => events.push('rest'),
    tasksTaken,
    arm: () => {
      events.push('arm');
      return true;
    },
  });
  return {
    events,
    counts,
    call: async () =>
      new Promise<void>((resolve) => {
        left = looks;
        onAnswer = resolve;
        lookout.begin();
      }),
    look: () => lookout.look(),
    disarm: () => lookout.disarm(),
  };
}

test('a call that is answered at once needs no turn of the event loop', async () => {
  const { call, events } = lookoutFor(1);
  let hasTurned = false;
  setImmediate(() => (hasTurned = true));
  await call();
  expect(events).toEqual(['glance', 'rest']);
  expect(hasTurned).toBe(false);
});

test('calls that are answered at once, one after the other, leave the event loop its turns', async () => {
  const { call } = lookoutFor(1);
  const turns: number[] = [];
  let calls = 0;
  const turn = (): void => {
    turns.push(calls);
    if (turns.length < 5) setImmediate(turn);
  };
  setImmediate(turn);
  while (turns.length < 5 && calls < 10_000) {
    await call();
    calls++;
  }
  const gaps = turns.slice(1).map((at, index) => at - turns[index]);
  expect(Math.max(turns[0], ...gaps)).toBeLessThanOrEqual(65);
  expect(turns).toHaveLength(5);
});

test('a call that takes long is looked for from the event loop, and then rung for', async () => {
  const { call, events, look } = lookoutFor(Infinity);
  void call();
  while (!events.includes('arm')) await new Promise(setImmediate);
  expect(events).toEqual(['glance', 'arm']);
  // A ring that comes late is no harm.
  look();
  while (events.length < 3) await new Promise(setImmediate);
  expect(events).toEqual(['glance', 'arm', 'arm']);
});

test('after a look in vain from the event loop the CPU is offered, after any other it is not', async () => {
  const clock = { now: 1000, stepMs: 0.01 };
  vi.spyOn(performance, 'now').mockImplementation(() => (clock.now += clock.stepMs));
  const yieldCpu = vi.spyOn(native, 'yieldCpu').mockImplementation(() => {});
  onTestFinished(() => {
    vi.restoreAllMocks();
  });
  const { call, counts, events } = lookoutFor(Infinity);
  void call();
  while (!events.includes('arm')) await new Promise(setImmediate);
  // From the microtask, the first one from the event loop, those until it is armed, and the last one after that.
  expect(counts.looks).toBeGreaterThan(10);
  expect(yieldCpu).toHaveBeenCalledTimes(counts.looks - 4);
  yieldCpu.mockClear();
  const soon = lookoutFor(2);
  await soon.call();
  expect(soon.events).toEqual(['glance', 'rest']);
  expect(yieldCpu).not.toHaveBeenCalled();
});

test.each([
  ['go on while workers take tasks', 20, 4],
  ['end when they take none', 0, 2],
])('dear offers from the event loop %s', async (_what, tasks, offers) => {
  const clock = { now: 1000 };
  let taken = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => (clock.now += 0.001));
  const yieldCpu = vi.spyOn(native, 'yieldCpu').mockImplementation(() => {
    clock.now += 4;
    taken += tasks;
  });
  onTestFinished(() => {
    vi.restoreAllMocks();
  });
  const { call, events, disarm } = lookoutFor(Infinity, () => taken);
  for (let arms = 1; arms <= 4; arms++) {
    void call();
    while (events.filter((event) => event === 'arm').length < arms) await new Promise(setImmediate);
    disarm();
  }
  expect(yieldCpu).toHaveBeenCalledTimes(offers);
});
