/** What a response is before an operation has said anything, whatever stood in the slot. */
import { expect, test } from 'vitest';

import { Status } from '#dist/errors.js';
import { PayloadArena } from '#dist/exchange/payload-arena.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { Slot } from '#dist/memory/layout.js';
import { ResponseWriter } from '#dist/operation/response-writer.js';

import { privateCtl } from '../fixtures/region.js';

const SLOT = 2;
const FIELDS = ['status', 'responseCodec', 'responseBytes', 'responseExtent', 'responseChunks', 'count'] as const;

function responseOver(garbage: number) {
  const { ctl, geometry } = privateCtl();
  const table = new SlotTable(ctl, geometry);
  const base = table.base(SLOT);
  ctl.words.fill(garbage, base + Slot.status, base + Slot.request / 4);
  const response = new ResponseWriter(ctl, table, new PayloadArena(ctl, geometry, 0));
  response.begin(SLOT, 0);
  const said = () => FIELDS.map((field) => ctl.words[base + Slot[field]]);
  return { response, said, words: ctl.words, base };
}

const EMPTY_SUCCESS = [Status.ok, 0, 0, 0, 0, 0];

test.each([0, 1, -1, 0x5a5a5a5a])('over words of %d it begins as an empty success', (garbage) => {
  expect(responseOver(garbage).said()).toEqual(EMPTY_SUCCESS);
});

test('each use of a slot begins anew, and a status counts whatever it was before', () => {
  const { response, said, words, base } = responseOver(0);
  response.status(Status.no);
  response.codec(3);
  response.count(7);
  expect(response.reserve(12)).toBe(true);
  expect(said()).toEqual([Status.no, 3, 12, 0, 0, 7]);
  response.begin(SLOT, 0);
  expect(said()).toEqual(EMPTY_SUCCESS);
  response.status(Status.no);
  expect(words[base + Slot.status]).toBe(Status.no);
  response.status(Status.ok);
  expect(words[base + Slot.status]).toBe(Status.ok);
  expect([response.isBusy, response.isRefused]).toEqual([false, false]);
});

test('of a payload that gets room in the arena somebody is told before it is copied, of others not', () => {
  const { ctl, geometry } = privateCtl();
  const table = new SlotTable(ctl, geometry);
  const told: number[] = [];
  const arena = new PayloadArena(ctl, geometry, 0, 'responses');
  const response = new ResponseWriter(ctl, table, arena, undefined, (bytes) => told.push(bytes));
  response.begin(SLOT, 0);
  expect([response.reserve(100), response.isInArena]).toEqual([true, false]);
  expect([response.reserve(20_000), response.isInArena]).toEqual([true, true]);
  expect([response.reserve(geometry.arenaChunks * 4096), response.isBusy]).toEqual([false, true]);
  expect(told).toEqual([20_000]);
});
