/**
 * Items come due at their tick, whatever the distance, and nothing is lost or doubled on the way down the levels.
 * Seen to fail when: the level of an item is too low; a list of a higher level is taken for due; a chunk that is freed is
 * still linked; of two lists that become one only the first is kept; a sift leaves out a level; memory stays.
 */
import { expect, test } from 'vitest';

import { MAX_TICK, TimingWheel } from '#dist/store/timing-wheel.js';

import { randomFrom } from '../fixtures/store/key-store.js';

/** All that is due now, as `hash@tick`. */
function due(wheel: TimingWheel): string[] {
  const found: string[] = [];
  do while (wheel.takeDue()) found.push(`${wheel.hash}@${wheel.tick}`);
  while (wheel.settleOne() || wheel.nextTick() === -1);
  while (wheel.takeDue()) found.push(`${wheel.hash}@${wheel.tick}`);
  return found.sort();
}

test.each([0, 1, 255, 256, 65_535, 2 ** 24 - 1, 2 ** 31 - 2, 2 ** 31, 2 ** 32 - 300])(
  'around tick %i, each item comes due at its tick and not before',
  (start) => {
    const wheel = new TimingWheel(start);
    const distances = [0, 1, 2, 127, 128, 255, 256, 257, 65_535, 65_536, 65_537, 2 ** 24, 2 ** 24 + 1];
    const ticks = distances.map((distance) => start + distance).filter((tick) => tick <= MAX_TICK);
    for (const [hash, tick] of ticks.entries()) wheel.add(hash - 2, tick);
    expect(wheel.size).toBe(ticks.length);
    for (const [hash, tick] of ticks.entries()) {
      if (tick > start) {
        wheel.advance(tick - 1);
        expect(due(wheel)).toEqual([]);
      }
      wheel.advance(tick);
      expect(due(wheel)).toEqual([`${hash - 2}@${tick}`]);
    }
    expect(wheel.size).toBe(0);
    expect(wheel.nextTick()).toBe(Infinity);
  },
);

test('as a sorted list says, with any steps', () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = randomFrom(seed);
    const below = (end: number): number => Math.floor(random() * end);
    let now = below(2 ** (8 * below(5)));
    const wheel = new TimingWheel(now);
    let model: { hash: number; tick: number }[] = [];
    for (let step = 0; step < 300; step++) {
      for (let count = below(80); count > 0; count--) {
        const item = { hash: below(2 ** 32) | 0, tick: Math.min(MAX_TICK, now + below(2 ** (2 * below(14)))) };
        wheel.add(item.hash, item.tick);
        model.push(item);
      }
      if (below(10) === 0) {
        wheel.beginSift();
        // What is due already will be looked at anyway.
        const waiting = model.filter(({ tick }) => tick > now);
        const kept = new Set(waiting.filter(() => below(2) === 0));
        const keys = waiting.map(({ hash, tick }) => `${hash}@${tick}`);
        const seen: string[] = [];
        const again = model.filter(({ tick }) => tick <= now);
        while (wheel.takeSifted()) {
          seen.push(`${wheel.hash}@${wheel.tick}`);
          const item = model.find(({ hash, tick }) => hash === wheel.hash && tick === wheel.tick)!;
          if (kept.has(item)) again.push(item);
          if (kept.has(item)) wheel.add(wheel.hash, wheel.tick);
        }
        expect(seen.sort()).toEqual(keys.sort());
        model = again;
      }
      const next = Math.min(...model.map(({ tick }) => Math.max(now, tick)));
      expect(wheel.nextTick()).toBeLessThanOrEqual(next);
      now = Math.min(MAX_TICK, now + below(2 ** (2 * below(13))));
      wheel.advance(now);
      const gone = model.filter(({ tick }) => tick <= now);
      model = model.filter(({ tick }) => tick > now);
      expect(due(wheel)).toEqual(gone.map(({ hash, tick }) => `${hash}@${tick}`).sort());
      expect(wheel.size).toBe(model.length);
    }
  }
});

test('the next tick is one at which there is something to do, and never later than the first item', () => {
  const wheel = new TimingWheel(1000);
  wheel.add(7, 70_000);
  let wakes = 0;
  for (;;) {
    const tick = wheel.nextTick();
    expect(tick).toBeLessThanOrEqual(70_000);
    wheel.advance(tick);
    wakes++;
    while (wheel.settleOne());
    if (wheel.takeDue()) break;
  }
  expect(wheel.tick).toBe(70_000);
  // Once for each level on the way down.
  expect(wakes).toBeLessThanOrEqual(3);
});

test('8 bytes an item, and they are given back', () => {
  const wheel = new TimingWheel(0);
  const empty = wheel.bytes;
  const items = 500_000;
  for (let item = 0; item < items; item++) wheel.add(item, 1 + (item % 5000));
  expect(wheel.bytes).toBeLessThan(items * 8.5 + 2 ** 20);
  wheel.advance(5000);
  expect(due(wheel)).toHaveLength(items);
  expect(wheel.bytes).toBeLessThanOrEqual(Math.max(empty, 2 ** 18));
  wheel.add(1, 6000);
  wheel.advance(6000);
  expect(due(wheel)).toEqual(['1@6000']);
});
