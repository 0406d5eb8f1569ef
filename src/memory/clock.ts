/**
 * The one clock that decides what has expired: milliseconds that all processes and threads of the host count alike,
 * whatever becomes of the wall clock (CLOCK_MONOTONIC: it stands still while the host is suspended).
 * Wall-clock moments are turned into moments of this clock once, where they come in, and back where they go out: to
 * callers, and to files that outlive a boot.
 */
import { performance } from 'node:perf_hooks';

import { native } from '../native.js';

const SAMPLES = 32;

/**
 * What performance.now() of this thread lags behind the host's clock: reading that costs a third of asking
 * process.hrtime, and allocates nothing. Between threads the results differ by less than a hand-over takes.
 */
function measureLag(): number {
  let least = -Infinity;
  let most = Infinity;
  for (let sample = 0; sample < SAMPLES; sample++) {
    const before = Number(process.hrtime.bigint()) / 1e6;
    const now = performance.now();
    const after = Number(process.hrtime.bigint()) / 1e6;
    least = Math.max(least, before - now);
    most = Math.min(most, after - now);
  }
  return (least + most) / 2;
}

let lagMs = measureLag();

/** Milliseconds of the host's clock, with fractions. */
export const hostMs = (): number => performance.now() + lagMs;

/** Whether a moment of the host's clock is past or present. What is no number has passed. */
export const hasPassed = (moment: number): boolean => !(moment > hostMs());

/** Both clocks are to be read within so long: a thread that is held up in between would move what it converts. */
const CLOSE_MS = 0.25;
const READINGS = 16;

/**
 * What the wall clock is ahead of the host's clock now. With fractions: a moment that goes from clock to clock, at each
 * start of a server for example, would drift by a part of a millisecond each time.
 */
function wallLeadMs(): number {
  let leadMs = 0;
  let closest = Infinity;
  let before = hostMs();
  for (let reading = 0; reading < READINGS && closest > CLOSE_MS; reading++) {
    const wall = Date.now();
    const fraction = native.wallFraction();
    // Otherwise it is not known of which of the two it is the fraction: as good as read two milliseconds apart.
    const doubtMs = Date.now() === wall ? 0 : 2;
    const after = hostMs();
    const apartMs = after - before + doubtMs;
    if (apartMs < closest) {
      closest = apartMs;
      leadMs = wall + fraction - (before + after) / 2;
    }
    before = after;
  }
  return leadMs;
}

/** When the wall clock, as it goes now, will show (or has shown) `wallMs`. */
export const hostMsOfWall = (wallMs: number): number => wallMs - wallLeadMs();

/** What the wall clock, as it goes now, will show (or has shown) at a moment of the host's clock; whole milliseconds. */
export const wallMsOfHost = (moment: number): number => Math.round(moment + wallLeadMs());

/** For tests: this thread's clock goes on from a later moment. */
export function advanceHostClock(ms: number): void {
  lagMs += ms;
}
