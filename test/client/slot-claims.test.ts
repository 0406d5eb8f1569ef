/**
 * How many slots a client takes, and which. Seen to fail when: others that wait do not matter; the share is that of all
 * clients together; one that was given back is not the next to be taken.
 */
import { expect, test } from 'vitest';

import { SlotClaims } from '#dist/client/slot-claims.js';
import { ownerOf } from '#dist/exchange/slot-word.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { CtlHeader } from '#dist/memory/layout.js';

import { privateCtl, shapeOf } from '../fixtures/region.js';

const SLOTS = 16;

/** Two of so many clients. */
function scene(clients: number) {
  const { ctl, geometry } = privateCtl(shapeOf({ slots: SLOTS }));
  ctl.words[CtlHeader.clients] = clients;
  const table = new SlotTable(ctl, geometry);
  const [one, other] = [0, 1].map((client) => new SlotClaims(ctl, table, client, SLOTS));
  const setStarving = (count: number): void => void (ctl.words[CtlHeader.starving] = count);
  return { table, one, other, setStarving };
}

function claimAll(claims: SlotClaims): number[] {
  const slots: number[] = [];
  for (let slot = claims.claim(); slot >= 0; slot = claims.claim()) slots.push(slot);
  return slots;
}

test('a client takes all that are free while nobody waits', () => {
  const { table, one, other } = scene(3);
  const slots = claimAll(one);
  expect(slots.toSorted((a, b) => a - b)).toEqual(Array.from({ length: SLOTS }, (_, slot) => slot));
  expect(slots.every((slot) => ownerOf(table.word(slot)) === 0)).toBe(true);
  expect(other.claim()).toBe(-1);
});

test.each([
  [1, 16],
  [2, 8],
  [3, 5],
  [100, 1],
])('of %i clients each takes %i while somebody waits', (clients, share) => {
  const { one, other, setStarving } = scene(clients);
  setStarving(1);
  expect(claimAll(one)).toHaveLength(share);
  if (clients > 1) expect(claimAll(other)).toHaveLength(share);
});

test('who has more than its share when somebody begins to wait takes none until it has less', () => {
  const { table, one, other, setStarving } = scene(2);
  const slots = claimAll(one);
  setStarving(1);
  for (const [given, slot] of slots.slice(0, 8).entries()) {
    expect(one.claim(), `${given} given back`).toBe(-1);
    one.release(slot, table.word(slot));
  }
  expect(one.claim()).toBe(-1);
  expect(claimAll(other)).toHaveLength(8);
  one.release(slots[8], table.word(slots[8]));
  expect(one.claim()).toBe(slots[8]);
  expect(one.claim()).toBe(-1);
});

test('the slot that was given back last is the next to be taken', () => {
  const { table, one } = scene(1);
  const [first, second, third] = [one.claim(), one.claim(), one.claim()];
  one.release(third, table.word(third));
  one.release(first, table.word(first));
  expect([one.claim(), one.claim()]).toEqual([first, third]);
  expect([first, second, third]).not.toContain(one.claim());
});
