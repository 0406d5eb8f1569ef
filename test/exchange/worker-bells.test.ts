/** Who is rung for what. Seen to fail when a worker that was rung counts as asleep until it runs. */
import { expect, test, vi } from 'vitest';

import { WorkerBells } from '#dist/exchange/worker-bells.js';
import { CtlHeader } from '#dist/memory/layout.js';
import { native } from '#dist/native.js';

import { privateCtl } from '../fixtures/region.js';

test('however many tasks come before a worker runs, one of those that sleep is rung', () => {
  const { ctl } = privateCtl();
  const { words } = ctl;
  const wake = vi.spyOn(native, 'futexWake');
  words[CtlHeader.asleep] = 0b1111_1111;
  const client = new WorkerBells(ctl);
  for (let task = 0; task < 100; task++) client.announce();
  expect(wake).toHaveBeenCalledTimes(1);
  wake.mockRestore();
  expect(words[CtlHeader.asleep]).toBe(0b1111_1110);
  expect(words[CtlHeader.awake]).toBe(1);
  expect([...words.subarray(CtlHeader.workerBells, CtlHeader.workerBells + 8)]).toEqual([1, 0, 0, 0, 0, 0, 0, 0]);
  // A worker that begins what takes long rings the next one, whoever is awake.
  client.ringOne();
  expect(words[CtlHeader.awake]).toBe(0b11);
});

test('a worker that sees more to do rings another, as long as fewer are awake than may be', () => {
  const { ctl } = privateCtl();
  const { words } = ctl;
  words[CtlHeader.asleep] = 0b1111_0101 | (1 << 31);
  words[CtlHeader.awake] = 0b1010;
  const worker = new WorkerBells(ctl);
  worker.ringAnother(2);
  expect(words[CtlHeader.awake]).toBe(0b1010);
  worker.ringAnother(3);
  expect(words[CtlHeader.awake]).toBe(0b1011);
  worker.ringAnother(3);
  expect(words[CtlHeader.asleep]).toBe(0b1111_0100 | (1 << 31));
  // One that has left to do what takes long does not count.
  worker.leave(1);
  worker.ringAnother(3);
  expect(words[CtlHeader.awake]).toBe(0b1101);
  for (let worker = 0; worker < 32; worker++) new WorkerBells(ctl).ringAnother(32);
  expect(words[CtlHeader.asleep]).toBe(0);
  expect(words[CtlHeader.awake]).toBe(0b1111_1101 | (1 << 31));
});
