import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import {
  claimedBy,
  generationOf,
  generationOfUse,
  MAX_SLOTS,
  nextFree,
  ownerOf,
  slotOfUse,
  SlotState,
  stateOf,
  useOf,
  withState,
} from '#dist/exchange/slot-word.js';

const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
const state = fc.constantFrom(...Object.values(SlotState));
const owner = fc.nat(2047);
const slot = fc.nat(MAX_SLOTS - 1);
const LAST_GENERATION = 2 ** 18 - 1;

test('another state keeps owner and generation', () => {
  fc.assert(
    fc.property(word, state, (before, to) => {
      const after = withState(before, to);
      expect([stateOf(after), ownerOf(after), generationOf(after)]).toEqual([
        to,
        ownerOf(before),
        generationOf(before),
      ]);
      expect(after).toBe(after | 0);
    }),
  );
});

test('a claim takes owner and state in one word and keeps the generation', () => {
  fc.assert(
    fc.property(word, owner, (before, client) => {
      const after = claimedBy(before, client);
      expect([stateOf(after), ownerOf(after), generationOf(after)]).toEqual([
        SlotState.building,
        client,
        generationOf(before),
      ]);
    }),
  );
});

test('a freed word has no owner and the next generation, which wraps around', () => {
  fc.assert(
    fc.property(word, (before) => {
      const after = nextFree(before);
      const next = generationOf(before) === LAST_GENERATION ? 0 : generationOf(before) + 1;
      expect([stateOf(after), ownerOf(after), generationOf(after)]).toEqual([SlotState.free, 0, next]);
    }),
  );
  expect(nextFree(-1)).toBe(0);
});

test('a use names slot and generation in 30 bits, whoever owns it in whatever state', () => {
  fc.assert(
    fc.property(slot, word, owner, state, (index, before, client, to) => {
      const use = useOf(index, before);
      expect([slotOfUse(use), generationOfUse(use)]).toEqual([index, generationOf(before)]);
      expect(use).toBeGreaterThanOrEqual(0);
      expect(use).toBeLessThan(2 ** 30);
      expect(useOf(index, withState(claimedBy(before, client), to))).toBe(use);
    }),
  );
});
