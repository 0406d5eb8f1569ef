/**
 * Which call a call must come after, by what the table says is pending. Seen to fail when the call that was alone is not
 * remembered: once others come, once somebody reads its key, and once nobody waits for it any more.
 */
import { beforeEach, expect, test } from 'vitest';

import { resolveCodec } from '../../src/codec/codec.js';
import { Call } from '../../src/client/call.js';
import { BLOCKED, Ordering } from '../../src/client/ordering.js';
import type { SlotTable } from '../../src/exchange/slot-table.js';
import { flush } from '../../src/operation/flush.js';
import { mset } from '../../src/operation/mset.js';
import { set } from '../../src/operation/set.js';

const NONE = -1;
const codec = resolveCodec<string>('utf8');
const pending = new Set<number>();
const table = { isPending: (use: number) => pending.has(use) } as unknown as SlotTable;
let ordering = new Ordering(table);
beforeEach(() => {
  pending.clear();
  ordering = new Ordering(table);
});

function callOn(key: string | Uint8Array, use: number): Call<true> {
  const call = new Call(set, codec, 1000);
  call.key = key;
  call.use = use;
  return call;
}
/** Issues a call that nothing is pending beside. */
function issueAlone(key: string | Uint8Array, use: number): Call<true> {
  const call = callOn(key, use);
  pending.add(use);
  ordering.note(call, true);
  return call;
}

test.each(['key', Buffer.from('key')])('a call comes after the one that was alone, if it is on its key (%s)', (key) => {
  issueAlone(key, 7);
  expect(ordering.predecessorOf(callOn('other', 8), 1)).toBe(NONE);
  expect(ordering.predecessorOf(callOn('key', 8), 1)).toBe(7);
  expect(ordering.isPending('key')).toBe(true);
  expect(ordering.isPending('other')).toBe(false);
  pending.clear();
  expect(ordering.predecessorOf(callOn('key', 8), 0)).toBe(NONE);
});

test('who reads the key learns of the call that was alone', () => {
  issueAlone('key', 7);
  expect([ordering.isPending('other'), ordering.isPending('key')]).toEqual([false, true]);
});

test('batches, and operations on everything, are held back by the call that was alone', () => {
  issueAlone('key', 7);
  const batch = new Call(mset, codec, 1000);
  batch.items = [
    { key: 'a', value: '' },
    { key: 'key', value: '' },
  ];
  expect(ordering.predecessorOf(batch, 1)).toBe(BLOCKED);
  expect(ordering.predecessorOf(new Call(flush, codec, 1000), 1)).toBe(BLOCKED);
});

test('a call that was alone and that nobody waits for any more is still come after', () => {
  const call = issueAlone('key', 7);
  ordering.forget(call, true);
  // The next one is alone among those that somebody waits for.
  expect(ordering.isIdle(0)).toBe(false);
  ordering.note(callOn('other', 8), false);
  expect(ordering.predecessorOf(callOn('key', 9), 1)).toBe(7);
});

test('bytes of a key may change once the call is issued', () => {
  const key = Buffer.from('key');
  issueAlone(key, 7);
  key.write('abc');
  expect(ordering.predecessorOf(callOn('key', 8), 1)).toBe(7);
  expect(ordering.predecessorOf(callOn('abc', 8), 1)).toBe(NONE);
});

// Seen to fail when only the next submission looks whether it has finished: a walk went to a server that did not answer.
test('a client is idle again once what it gave up has finished', () => {
  ordering.forget(issueAlone('key', 7), true);
  expect(ordering.isIdle(0)).toBe(false);
  expect(ordering.isIdle(1)).toBe(false);
  pending.clear();
  expect(ordering.isIdle(0)).toBe(true);
  expect(ordering.isIdle(1)).toBe(false);
});
