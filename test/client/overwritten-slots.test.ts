/** What becomes of the calls of a client whose slots are overwritten by another: they end, and what follows goes on. */
import { once } from 'node:events';

import { expect, test } from 'vitest';

import { Call } from '#dist/client/call.js';
import { Session } from '#dist/client/session.js';
import { resolveCodec } from '#dist/codec/codec.js';
import { useOf } from '#dist/exchange/slot-word.js';
import { Slot } from '#dist/memory/layout.js';
import { set } from '#dist/operation/set.js';

import { attachTestRegion, createTestRegion } from '../fixtures/region.js';
import { connect, startServer } from '../fixtures/service.js';
import { startThread } from '../fixtures/threads.js';

/** A client of a region without workers, and a call to submit. */
function sessionOf(): Session {
  const { name } = createTestRegion();
  return new Session(attachTestRegion(name), { reads: 'server', reconnectTimeoutMs: 0 });
}

function callOf(key: string): Call {
  const call = new Call(set, resolveCodec('utf8'), 60_000);
  call.isAsync = true;
  call.key = key;
  call.value = 'v';
  return call;
}

test('a slot that is zeroed while its request is written ends as unknown', () => {
  const session = sessionOf();
  const call = callOf('k');
  Object.defineProperty(call, 'key', {
    get: () => {
      if (call.slot >= 0) session.region.ctl.words[session.table.base(call.slot) + Slot.word] = 0;
      return 'k';
    },
  });
  expect(session.start(call, 0)).toBe('started');
  expect(session.isDone(call)).toBe(false);
  expect(session.end(call)).toBe('unknown');
});

test('a predecessor that others write into a slot holds nothing up', () => {
  const session = sessionOf();
  const call = callOf('k');
  session.start(call, 0);
  session.region.ctl.words[session.table.base(call.slot) + Slot.after] = useOf(call.slot, call.word);
  expect(session.end(call)).toBe('no');
  expect(session.isUntidy).toBe(false);
  expect(session.mayRead('k', 0)).toBe(true);
});

test('answers whose hints somebody overwrites are found all the same', async () => {
  const { name } = await startServer();
  const client = await connect(name);
  await once(startThread('service/eraser', name).worker, 'message');
  for (let i = 0; i < 50; i++) client.setSync('blocking', `${i}`);
  expect(client.getSync('blocking')).toBe('49');
  for (let i = 0; i < 50; i++) await client.set('awaited', `${i}`);
  expect(await client.get('awaited')).toBe('49');
});
