/**
 * A call that was taken back while another one came before it: its slot comes free when that one has finished, also when
 * its client calls nothing any more.
 * Seen to fail when: no timer looks, or only once; the timer keeps the process alive, or goes on when nothing is left;
 * the slot is released while what it came after is pending; others are not told of the free slot.
 */
import { afterEach, expect, test, vi } from 'vitest';

import { Call } from '#dist/client/call.js';
import { Session } from '#dist/client/session.js';
import { resolveCodec } from '#dist/codec/codec.js';
import { SlotState, stateOf, withState } from '#dist/exchange/slot-word.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { TaskQueue } from '#dist/exchange/task-queue.js';
import { clientBase } from '#dist/memory/client-lease.js';
import { ClientRecord, CtlHeader, RegionState } from '#dist/memory/layout.js';
import { OPERATIONS } from '#dist/operation/table.js';

import { attachTestRegion, createTestRegion } from '../fixtures/region.js';

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

const codec = resolveCodec('utf8');
const OTHER = 9;

function callOf(key: string): Call {
  const call = new Call(
    OPERATIONS.find((one) => one?.name === 'set')!,
    codec,
    60_000,
  );
  call.key = key;
  call.value = 'v';
  call.isAsync = true;
  return call;
}

/** A client with a call that a worker has begun and nobody waits for, and one behind it that was taken back. */
function scene() {
  const region = createTestRegion();
  region.ctl.words[CtlHeader.state] = RegionState.ready;
  new TaskQueue(region.ctl, region.geometry).reset();
  const table = new SlotTable(region.ctl, region.geometry);
  const session = new Session(attachTestRegion(region.name), { reads: 'server', reconnectTimeoutMs: 0 });
  const [first, second] = [callOf('k'), callOf('k')];
  expect(session.start(first, 0)).toBe('started');
  expect(session.start(second, 1)).toBe('started');
  const executing = table.begin(first.slot, table.word(first.slot));
  const timers = vi.spyOn(globalThis, 'setTimeout');
  expect(session.end(second)).toBe('no');
  expect(session.end(first)).toBe('unknown');
  expect([first, second].map(({ slot }) => stateOf(table.word(slot)))).toEqual([
    SlotState.abandoned,
    SlotState.building,
  ]);
  return {
    region,
    session,
    timers,
    stateOfSecond: () => stateOf(table.word(second.slot)),
    /** The worker has done it, and frees the slot. */
    finish: () => table.release(first.slot, withState(executing, SlotState.abandoned)),
  };
}

test('the slot of an idle client comes free once what it came after has finished, and then nothing looks any more', () => {
  vi.useFakeTimers();
  const { region, session, finish, stateOfSecond } = scene();
  expect(vi.getTimerCount()).toBe(1);
  vi.advanceTimersByTime(10_000);
  expect(stateOfSecond()).toBe(SlotState.building);
  expect(vi.getTimerCount()).toBe(1);
  // Somebody else waits for a slot.
  const record = clientBase(region, OTHER);
  region.ctl.words[record + ClientRecord.starving] = 1;
  region.ctl.words[CtlHeader.starving] = 1;
  finish();
  vi.advanceTimersByTime(2000);
  expect(stateOfSecond()).toBe(SlotState.free);
  expect(vi.getTimerCount()).toBe(0);
  expect(region.ctl.words[record + ClientRecord.bell]).toBe(1);
  session.close();
});

test('no process lives on for it', () => {
  const { session, timers, finish } = scene();
  expect(timers.mock.results.map(({ value }) => (value as NodeJS.Timeout).hasRef())).toEqual([false]);
  finish();
  session.close();
});

test.each(['close', 'lose'] as const)('%s ends the looks', (how) => {
  vi.useFakeTimers();
  const { session, stateOfSecond } = scene();
  session[how]();
  expect(vi.getTimerCount()).toBe(0);
  expect(stateOfSecond()).toBe(how === 'close' ? SlotState.free : SlotState.building);
  session.close();
});

test('a client that takes nothing back has no timer', () => {
  vi.useFakeTimers();
  const region = createTestRegion();
  region.ctl.words[CtlHeader.state] = RegionState.ready;
  new TaskQueue(region.ctl, region.geometry).reset();
  const session = new Session(attachTestRegion(region.name), { reads: 'server', reconnectTimeoutMs: 0 });
  const call = callOf('k');
  session.start(call, 0);
  expect(session.end(call)).toBe('no');
  expect(vi.getTimerCount()).toBe(0);
  session.close();
});
