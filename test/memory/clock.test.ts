/**
 * The clock that decides what has expired: the same for all threads, and free of what becomes of the wall clock.
 * Seen to fail when: it is Date.now(), or the thread's own performance.now(); moments are converted by one look at each clock,
 * or by whole milliseconds.
 */
import { Worker } from 'node:worker_threads';

import { expect, onTestFinished, test, vi } from 'vitest';

import { hasPassed, hostMs, hostMsOfWall, wallMsOfHost } from '#dist/memory/clock.js';
import { native } from '#dist/native.js';

const kernelMs = (): number => Number(process.hrtime.bigint()) / 1e6;
/** What reading clocks takes, on a slow machine. */
const GRAIN_MS = 0.005;
/** Longer than any test is held up on a busy host. */
const AHEAD_MS = 60_000;

test('it is the monotonic clock of the host', () => {
  for (let round = 0; round < 1000; round++) {
    const before = kernelMs();
    const now = hostMs();
    const after = kernelMs();
    expect(now).toBeGreaterThanOrEqual(before - GRAIN_MS);
    expect(now).toBeLessThanOrEqual(after + GRAIN_MS);
  }
});

test('another thread has the same', async () => {
  const module = new URL('../../dist/memory/clock.js', import.meta.url).href;
  const program = `import { parentPort } from 'node:worker_threads'; import { hostMs } from ${JSON.stringify(module)};
    parentPort.on('message', () => parentPort.postMessage(hostMs()));`;
  const thread = new Worker(new URL(`data:text/javascript,${encodeURIComponent(program)}`));
  onTestFinished(async () => void (await thread.terminate()));
  for (let round = 0; round < 100; round++) {
    const before = hostMs();
    const theirs = await new Promise<number>((resolve) => {
      thread.once('message', resolve);
      thread.postMessage('');
    });
    expect(theirs).toBeGreaterThanOrEqual(before - GRAIN_MS);
    expect(theirs).toBeLessThanOrEqual(hostMs() + GRAIN_MS);
  }
});

test('moments of the wall clock come and go by the wall clock as it goes at that time', () => {
  const wall = Date.now();
  const soon = hostMsOfWall(wall + AHEAD_MS);
  expect(Math.abs(wallMsOfHost(soon) - (wall + AHEAD_MS))).toBeLessThanOrEqual(2);
  const step = 30 * 24 * 3_600_000;
  const truth = Date.now;
  const stub = vi.spyOn(Date, 'now').mockImplementation(() => truth() + step);
  onTestFinished(() => stub.mockRestore());
  expect(Math.abs(wallMsOfHost(soon) - (wall + AHEAD_MS + step))).toBeLessThanOrEqual(2);
  expect(hasPassed(soon)).toBe(false);
});

test('a moment that goes from clock to clock, again and again, does not drift', () => {
  const wall = Date.now() + 5000;
  for (let round = 0; round < 50; round++) {
    const there = hostMsOfWall(wall);
    // At another part of a millisecond.
    const until = performance.now() + 0.37;
    while (performance.now() < until);
    expect(wallMsOfHost(there)).toBe(wall);
  }
  const moment = hostMs() + 5000;
  expect(Math.abs(hostMsOfWall(wallMsOfHost(moment)) - moment)).toBeLessThan(1);
});

test('the fraction of the wall clock is what is missing until its next millisecond', () => {
  const errors: number[] = [];
  while (errors.length < 51) {
    const wall = Date.now();
    const fraction = native.wallFraction();
    if (Date.now() !== wall) continue;
    const since = performance.now();
    let before = since;
    while (Date.now() === wall) before = performance.now();
    const now = performance.now();
    // Held up just there: nobody knows when the millisecond began.
    if (now - before > 0.05) continue;
    errors.push(Math.abs(fraction + now - since - 1));
  }
  // Between the two first looks, too, the thread may be held up.
  expect(errors.toSorted((a, b) => a - b)[25]).toBeLessThan(0.1);
});

test.each(['before', 'after'])('a thread that is held up %s it reads the wall clock moves no moment', (when) => {
  const wall = Date.now() + 5000;
  const truth = Date.now;
  let isHeldUp = true;
  const holdUp = () => {
    const until = performance.now() + (isHeldUp ? 50 : 0);
    while (performance.now() < until);
    isHeldUp = false;
  };
  const stub = vi.spyOn(Date, 'now').mockImplementation(() => {
    if (when === 'before') holdUp();
    const now = truth();
    holdUp();
    return now;
  });
  onTestFinished(() => stub.mockRestore());
  const moment = hostMsOfWall(wall);
  isHeldUp = true;
  const shown = wallMsOfHost(moment);
  stub.mockRestore();
  expect(Math.abs(wallMsOfHost(moment) - wall)).toBeLessThanOrEqual(2);
  expect(Math.abs(shown - wall)).toBeLessThanOrEqual(2);
});

test('a moment has passed from itself on, and what is no moment has', () => {
  expect(hasPassed(hostMs())).toBe(true);
  expect(hasPassed(hostMs() + 60_000)).toBe(false);
  expect(hasPassed(Number.NaN)).toBe(true);
});
