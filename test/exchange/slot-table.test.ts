import { describe, expect, test } from 'vitest';

import { Status } from '#dist/errors.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import {
  claimedBy,
  generationOf,
  nextFree,
  ownerOf,
  SlotState,
  stateOf,
  useOf,
  withState,
} from '#dist/exchange/slot-word.js';
import { Slot } from '#dist/memory/layout.js';
import { load, store } from '#dist/memory/words.js';

import { privateCtl } from '../fixtures/region.js';

const SLOT = 3;
const OWNER = 5;

function table() {
  const { ctl, geometry } = privateCtl();
  const slots = new SlotTable(ctl, geometry);
  const index = slots.base(SLOT) + Slot.word;
  return { slots, words: ctl.words, index, geometry };
}

/** What each step is tried with, the states it may leave, and where it leads. */
const STEPS: {
  name: string;
  run: (slots: SlotTable, word: number) => boolean;
  from: (keyof typeof SlotState)[];
  to: keyof typeof SlotState;
}[] = [
  { name: 'claim', run: (slots) => slots.claim(SLOT, OWNER) !== 0, from: ['free'], to: 'building' },
  {
    name: 'submit',
    run: (slots, word) => slots.submit(SLOT, withState(word, SlotState.building)) !== 0,
    from: ['building'],
    to: 'submitted',
  },
  { name: 'begin', run: (slots) => slots.begin(SLOT) !== 0, from: ['submitted'], to: 'executing' },
  {
    name: 'putBack',
    run: (slots, word) => slots.putBack(SLOT, withState(word, SlotState.executing)),
    from: ['executing'],
    to: 'submitted',
  },
  {
    name: 'complete',
    run: (slots, word) => slots.complete(SLOT, withState(word, SlotState.executing)),
    from: ['executing'],
    to: 'done',
  },
  {
    name: 'withdraw',
    run: (slots, word) => slots.withdraw(SLOT, withState(word, SlotState.submitted)),
    from: ['submitted'],
    to: 'building',
  },
  { name: 'abandon', run: (slots, word) => slots.abandon(SLOT, word), from: ['executing'], to: 'abandoned' },
  {
    name: 'release of a done slot',
    run: (slots, word) => slots.release(SLOT, withState(word, SlotState.done)),
    from: ['done'],
    to: 'free',
  },
  {
    name: 'release of an abandoned slot',
    run: (slots, word) => slots.release(SLOT, withState(word, SlotState.abandoned)),
    from: ['abandoned'],
    to: 'free',
  },
];
const STATES = Object.keys(SlotState) as (keyof typeof SlotState)[];

describe.each(STEPS)('$name', ({ run, from, to }) => {
  test.each(STATES)('from %s it is taken or refused as it should', (state) => {
    const { slots, words, index } = table();
    const free = nextFree(nextFree(0));
    const word = state === 'free' ? free : withState(claimedBy(free, OWNER), SlotState[state]);
    store(words, index, word);
    expect(run(slots, word)).toBe(from.includes(state));
    const after = load(words, index);
    const isTaken = from.includes(state);
    const owner = to === 'free' ? 0 : OWNER;
    const taken = [SlotState[to], owner, to === 'free' ? 3 : 2];
    expect([stateOf(after), ownerOf(after), generationOf(after)]).toEqual(
      isTaken ? taken : [SlotState[state], ownerOf(word), 2],
    );
  });

  test('it touches no other slot', () => {
    const { slots, words, index } = table();
    const state = from[0];
    const word = state === 'free' ? 0 : withState(claimedBy(0, OWNER), SlotState[state]);
    store(words, index, word);
    run(slots, word);
    for (let slot = 0; slot < slots.count; slot++) {
      if (slot !== SLOT) expect(slots.word(slot)).toBe(0);
    }
  });
});

test('a word of an earlier use of the slot opens nothing', () => {
  const { slots } = table();
  const building = slots.claim(SLOT, OWNER);
  const submitted = slots.submit(SLOT, building);
  const executing = slots.begin(SLOT);
  expect(slots.complete(SLOT, executing)).toBe(true);
  expect(slots.release(SLOT, withState(submitted, SlotState.done))).toBe(true);

  // The same owner uses the slot again, so only the generation tells.
  const stale = { building, submitted, executing };
  let word = slots.claim(SLOT, OWNER);
  expect(slots.submit(SLOT, stale.building)).toBe(0);
  expect(slots.word(SLOT)).toBe(word);
  word = slots.submit(SLOT, word);
  expect(slots.withdraw(SLOT, stale.submitted)).toBe(false);
  expect(slots.begin(SLOT, stale.submitted)).toBe(0);
  expect(slots.word(SLOT)).toBe(word);
  word = slots.begin(SLOT, word);
  expect(slots.complete(SLOT, stale.executing)).toBe(false);
  expect(slots.putBack(SLOT, stale.executing)).toBe(false);
  expect(slots.abandon(SLOT, stale.executing)).toBe(false);
  expect(slots.word(SLOT)).toBe(word);
  expect(slots.complete(SLOT, word)).toBe(true);
  expect(slots.release(SLOT, withState(stale.executing, SlotState.done))).toBe(false);
  expect(slots.release(SLOT, withState(word, SlotState.done))).toBe(true);
});

test('a slot is claimed by one owner at a time', () => {
  const { slots } = table();
  const word = slots.claim(SLOT, 1);
  expect(ownerOf(word)).toBe(1);
  expect(slots.claim(SLOT, 2)).toBe(0);
  expect(slots.submitted(SLOT)).toBe(0);
  expect(slots.word(SLOT)).toBe(word);
});

test('a release forgets that somebody waited', () => {
  const { slots, words } = table();
  const word = slots.claim(SLOT, 1);
  store(words, slots.base(SLOT) + Slot.waiter, 1);
  slots.release(SLOT, word);
  expect(load(words, slots.base(SLOT) + Slot.waiter)).toBe(0);
});

test('a generation outlives its last number', () => {
  const { slots, words, index } = table();
  store(words, index, nextFree(0) * (2 ** 18 - 1));
  const word = slots.claim(SLOT, OWNER);
  expect(generationOf(word)).toBe(2 ** 18 - 1);
  expect(slots.release(SLOT, word)).toBe(true);
  expect(slots.word(SLOT)).toBe(0);
});

test('a use is pending from its claim until it is done or freed', () => {
  const { slots } = table();
  const building = slots.claim(SLOT, OWNER);
  const use = useOf(SLOT, building);
  expect(slots.isPending(use)).toBe(true);
  const submitted = slots.submit(SLOT, building);
  expect(slots.isPending(use)).toBe(true);
  const executing = slots.begin(SLOT);
  expect(slots.isPending(use)).toBe(true);
  slots.complete(SLOT, executing);
  expect(slots.isPending(use)).toBe(false);
  slots.release(SLOT, withState(submitted, SlotState.done));
  slots.claim(SLOT, OWNER);
  expect(slots.isPending(use)).toBe(false);
});

test('a use counts as answered once its word says so and the hint does, and no other use of the slot', () => {
  const { slots, words, index } = table();
  const hint = slots.base(SLOT) + Slot.answered;
  const executing = slots.begin(SLOT, slots.submit(SLOT, slots.claim(SLOT, OWNER)));
  const done = withState(executing, SlotState.done);
  expect(slots.isAnswered(SLOT, done)).toBe(false);
  store(words, hint, done);
  expect(slots.isAnswered(SLOT, done)).toBe(false);
  store(words, hint, 0);
  expect(slots.complete(SLOT, executing)).toBe(true);
  expect(load(words, hint)).toBe(done);
  expect(slots.isAnswered(SLOT, done)).toBe(true);
  store(words, hint, 0);
  expect(slots.isAnswered(SLOT, done)).toBe(false);

  store(words, hint, done);
  slots.release(SLOT, done);
  expect(slots.isAnswered(SLOT, done)).toBe(false);
  const next = slots.begin(SLOT, slots.submit(SLOT, slots.claim(SLOT, OWNER)));
  expect(load(words, index)).toBe(next);
  expect(slots.isAnswered(SLOT, withState(next, SlotState.done))).toBe(false);
});

test('garbage is never pending', () => {
  const { slots } = table();
  for (const use of [-1, -(2 ** 31), slots.count, 4095, 2 ** 30, 2 ** 31 - 1]) expect(slots.isPending(use)).toBe(false);
});

test('records lie behind each other', () => {
  const { slots, geometry } = table();
  expect(slots.base(0)).toBe(geometry.slotsOffset / 4);
  expect(slots.base(4) - slots.base(3)).toBe(Slot.sizeBytes / 4);
  expect(slots.count).toBe(geometry.slots);
});

test('slots are counted by their states', () => {
  const { slots } = table();
  slots.claim(1, OWNER);
  slots.claim(7, OWNER);
  slots.submit(7, slots.word(7));
  expect(slots.countWhere((state) => state !== SlotState.free)).toBe(2);
  expect(slots.countWhere((state) => state === SlotState.submitted)).toBe(1);
  expect(slots.countWhere((state) => state === SlotState.free)).toBe(slots.count - 2);
});

test('that an answer found no room is forgotten with the request that is withdrawn', () => {
  const { slots, words } = table();
  const status = slots.base(SLOT) + Slot.status;
  const submitted = slots.submit(SLOT, slots.claim(SLOT, OWNER));
  words[status] = Status.busy;
  expect(slots.withdraw(SLOT, withState(submitted, SlotState.executing))).toBe(false);
  expect(words[status]).toBe(Status.busy);
  expect(slots.withdraw(SLOT, submitted)).toBe(true);
  expect(words[status]).toBe(Status.ok);
});
