/**
 * Blocking calls on a clock that moves by as much as it is looked at, as long as they sleep, and for milliseconds whenever
 * the CPU is offered. Seen to fail when looks do not know their call, when a sleep is not followed by slept(), and when it
 * does not matter whether workers took tasks during an offer.
 */
import { performance } from 'node:perf_hooks';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { BlockingCalls } from '../../src/client/blocking.js';
import { Call } from '../../src/client/call.js';
import type { Connection } from '../../src/client/connection.js';
import type { Pipeline } from '../../src/client/pipeline.js';
import { native } from '../../src/native.js';
import { ping } from '../../src/operation/ping.js';
import { resolveCodec } from '../../src/codec/codec.js';

// With a single CPU there is nothing to look for.
vi.mock('node:os', async (original) => ({ ...(await original<object>()), availableParallelism: () => 2 }));

const TICK_MS = 0.001;
const SLICE_MS = 4;
let now = 0;
/** By other clients, whenever the CPU is offered. */
let tasksPerOffer = 0;
let tasksTaken = 0;
let offers = 0;
beforeEach(() => {
  now = 1000;
  tasksPerOffer = 0;
  offers = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => (now += TICK_MS));
  vi.spyOn(native, 'yieldCpu').mockImplementation(() => {
    now += SLICE_MS;
    tasksTaken += tasksPerOffer;
    offers++;
  });
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** What a call finds whose answer comes `answerMs` after it was made, or else `sleepMs` after it has begun to sleep. */
function blockingCalls(sleepMs: number, answerMs = Infinity, isHinted = true) {
  const sleeps = { count: 0, beganAt: 0 };
  let doneAt = Infinity;
  const session = {
    start: () => {
      doneAt = now + answerMs;
      return 'started';
    },
    isAnswered: () => isHinted && now >= doneAt,
    isDone: () => now >= doneAt,
    tasksTaken: () => tasksTaken,
    table: { word: () => 0 },
    sleep: (_call: Call, _word: number, timeoutMs: number) => {
      sleeps.count++;
      if (doneAt === Infinity) {
        sleeps.beganAt = now;
        doneAt = now + sleepMs;
      }
      now += Math.min(timeoutMs, doneAt - now);
    },
    starvation: { end: () => {} },
    tidy: () => false,
    end: () => 'no',
    take: () => true,
    isServing: true,
    isExpelled: false,
    isGone: false,
    isUntidy: false,
  };
  const connection = { session, options: { name: 'fake' } } as unknown as Connection;
  const pipeline = { session: () => session, isIdle: true, queuedCount: 0, inFlightCount: 0 } as unknown as Pipeline;
  const blocking = new BlockingCalls(connection, pipeline);
  const run = (timeoutMs: number) => blocking.run(new Call(ping, resolveCodec('utf8'), timeoutMs));
  return { run, sleeps };
}

test('a call ends at its deadline, however long whoever takes the CPU would keep it', () => {
  const { run, sleeps } = blockingCalls(Infinity);
  const before = now;
  expect(() => run(1)).toThrow(expect.objectContaining({ code: 'ERR_KVS_TIMEOUT', executed: 'no' }) as Error);
  expect(sleeps.count).toBe(1);
  expect(now - before).toBeGreaterThan(1);
  expect(now - before).toBeLessThan(1.01);
});

test('looks follow how long was slept', () => {
  const lookOf = ({ run, sleeps }: ReturnType<typeof blockingCalls>): number => {
    const before = now;
    expect(run(9)).toBe(true);
    return Math.round((sleeps.beganAt - before) / TICK_MS);
  };
  const soon = blockingCalls(0.05);
  expect([lookOf(soon), lookOf(soon)]).toEqual([expect.closeTo(50, -1), expect.closeTo(200, -1)]);
  const late = blockingCalls(2);
  expect([lookOf(late), lookOf(late)]).toEqual([expect.closeTo(50, -1), expect.closeTo(12, -1)]);
});

test('an answer whose hint is lost is found at the end of the look, without a sleep', () => {
  const { run, sleeps } = blockingCalls(0, 0.01, false);
  const before = now;
  expect(run(9)).toBe(true);
  expect(sleeps.count).toBe(0);
  expect(now - before).toBeLessThan(0.1);
});

test.each([
  ['go on while workers take tasks', 20, 4],
  ['end when they take none', 0, 2],
])('dear offers of a blocking call %s', (_what, tasks, made) => {
  tasksPerOffer = tasks;
  const { run } = blockingCalls(0, SLICE_MS / 2);
  for (let i = 0; i < 4; i++) expect(run(100)).toBe(true);
  expect(offers).toBe(made);
});
