/** Seen to fail when: another use of the slot goes on with the clock of the one before; the clock never starts again. */
import { expect, test } from 'vitest';

import { WaitClock } from '#dist/server/wait-clock.js';

test('a request that is put aside again and again waits since the first time', () => {
  const clock = new WaitClock(4);
  expect([100, 101, 600, 4000, 9000].map((now) => clock.waitedMs(2, 77, now))).toEqual([0, 1, 500, 3900, 8900]);
});

test('each slot, and each use of one, has a time of its own', () => {
  const clock = new WaitClock(4);
  clock.waitedMs(1, 77, 100);
  expect(clock.waitedMs(2, 77, 300)).toBe(0);
  expect(clock.waitedMs(1, 77, 400)).toBe(300);
  expect(clock.waitedMs(1, 78, 500)).toBe(0);
  expect(clock.waitedMs(2, 77, 600)).toBe(300);
});

test('what nobody has put aside for long is another use, of the same word', () => {
  const clock = new WaitClock(4);
  clock.waitedMs(1, 77, 100);
  expect(clock.waitedMs(1, 77, 60_000)).toBe(0);
  expect(clock.waitedMs(1, 77, 60_010)).toBe(10);
});
