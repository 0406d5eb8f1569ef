/** Who answers a request that somebody else has answered, or that nobody waits for any more. */
import { expect, test } from 'vitest';

import type { BellRinger } from '#dist/exchange/bell-ringer.js';
import { PayloadArena } from '#dist/exchange/payload-arena.js';
import { SlotState, stateOf, useOf } from '#dist/exchange/slot-word.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { TaskQueue } from '#dist/exchange/task-queue.js';
import { viewsOf } from '#dist/memory/segment.js';
import { Answers } from '#dist/server/answers.js';
import { Parking } from '#dist/server/parking.js';

import { smallGeometry } from '../fixtures/store/key-store.js';

function executingWithAnswer() {
  const geometry = smallGeometry();
  const ctl = viewsOf(new SharedArrayBuffer(geometry.ctlBytes));
  const slots = new SlotTable(ctl, geometry);
  const arena = new PayloadArena(ctl, geometry, 0, 'responses');
  const parking = new Parking(Parking.allocate(geometry.slots), new TaskQueue(ctl, geometry));
  const bells = { note: () => {}, wakeOneStarving: () => {} } as unknown as BellRinger;
  const answers = new Answers(ctl, slots, arena, bells, parking);
  const executing = slots.begin(3, slots.submit(3, slots.claim(3, 1)));
  const chunk = arena.claim(useOf(3, executing), 2);
  return { slots, arena, answers, executing, chunk };
}

// Without the look at the word the answer's chunks are taken away (seen).
test('an answer that was given already keeps its chunks', () => {
  const { slots, arena, answers, executing, chunk } = executingWithAnswer();
  answers.finish(3, executing);
  answers.finish(3, executing);
  expect(stateOf(slots.word(3))).toBe(SlotState.done);
  expect(arena.isOwned(useOf(3, executing), chunk, 2)).toBe(true);
});

test('an abandoned request is freed with its chunks', () => {
  const { slots, arena, answers, executing } = executingWithAnswer();
  slots.abandon(3, executing);
  answers.finish(3, executing);
  expect(stateOf(slots.word(3))).toBe(SlotState.free);
  expect(arena.used()).toBe(0);
});
