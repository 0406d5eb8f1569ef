/** Tasks, abort signals, and the end of a client. */
import { getEventListeners } from 'node:events';
import { runInNewContext } from 'node:vm';

import { expect, onTestFinished, test } from 'vitest';

import { SlotTable } from '#dist/exchange/slot-table.js';
import { replayOf } from '#dist/exchange/slot-word.js';
import { KvsClient, type Task } from '#dist/index.js';
import { Slot } from '#dist/memory/layout.js';

import { attachTestRegion, regionName } from '../fixtures/region.js';
import {
  closing,
  connect,
  failureOf,
  freeze,
  openClient,
  shareServer,
  startServerProcess,
} from '../fixtures/service.js';

const name = shareServer();

/** A client of a server that does not answer until it is told to go on. */
async function frozen(slots = 16) {
  const region = regionName();
  const server = await startServerProcess({ slots }, region);
  const client = await connect(region);
  await client.set('k', 'v');
  freeze(server);
  return { client, region, thaw: () => server.process.kill('SIGCONT') };
}

test('a task tells its state and gives its result as often as asked', async () => {
  const client = await connect(name);
  const task = client.submit('set', 'k', 'v');
  expect(task.state).toBe('submitted');
  const next = client.submit('get', 'k');
  expect(next.id).toBeGreaterThan(task.id);
  expect(next.waitSync()).toBe('v');
  expect(next.state).toBe('fulfilled');
  expect(task.waitSync()).toBe(true);
  expect([await task, await task.wait(), await task.wait(1000), task.waitSync(0)]).toEqual([true, true, true, true]);
  expect(await next.then((value) => `${value}!`)).toBe('v!');
  const failed = client.submit('incr', 'k');
  // A call on one key fails as one, however it was made.
  const alone = await failureOf(() => client.incrSync('k'));
  const { signal } = new AbortController();
  for (const failure of [await failureOf(failed.wait()), await failureOf(client.incr('k', 1, { signal }))]) {
    expect(failure).toMatchObject({ code: 'ERR_KVS_NOT_A_NUMBER', executed: 'no', message: alone.message });
  }
  expect(failed.state).toBe('rejected');
  expect(() => failed.waitSync()).toThrow(/numeric value/);
  expect(await failed.then(null, (error: unknown) => (error as Error).name)).toBe('KvsError');
  expect(failed.cancel()).toBe(false);
  expect(failed.state).toBe('rejected');
});

test('a wait with a limit of its own ends without ending the task', async () => {
  const { client, thaw } = await frozen();
  const task = client.submit('set', 'k', 'waited');
  expect(await failureOf(task.wait(5))).toMatchObject({ code: 'ERR_KVS_TIMEOUT', executed: 'unknown' });
  expect(await failureOf(() => task.waitSync(5))).toMatchObject({ code: 'ERR_KVS_TIMEOUT', executed: 'unknown' });
  expect(task.state).toBe('submitted');
  thaw();
  expect(await task).toBe(true);
  expect(await client.get('k')).toBe('waited');
});

test('cancelled tasks, queued or submitted, are never executed', async () => {
  const { client, thaw } = await frozen();
  const tasks: Task<true>[] = Array.from({ length: 40 }, (_, i) => client.submit('set', `${i}`, 'v'));
  expect(new Set(tasks.map(({ state }) => state))).toEqual(new Set(['submitted', 'queued']));
  const cancelled = tasks.filter((_, i) => i % 2 === 0);
  expect(cancelled.map((task) => task.cancel())).toEqual(cancelled.map(() => true));
  expect(cancelled.map(({ state }) => state)).toEqual(cancelled.map(() => 'cancelled'));
  expect(cancelled.map((task) => task.cancel())).toEqual(cancelled.map(() => false));
  thaw();
  for (const task of cancelled) {
    expect(await failureOf(task.wait())).toMatchObject({ code: 'ERR_KVS_ABORTED', executed: 'no' });
  }
  await Promise.all(tasks.filter((_, i) => i % 2 === 1));
  const values = await client.mget(tasks.map((_, i) => `${i}`));
  expect(values).toEqual(tasks.map((_, i) => (i % 2 === 0 ? undefined : 'v')));
  expect((await client.stats()).slots.inUse).toBe(1);
});

test('a large mget can be cancelled when a part of it has come', async () => {
  const region = regionName();
  const server = await startServerProcess({}, region);
  const controller = new AbortController();
  let decoded = 0;
  // The first value decoded is of the first part; by the next microtask the second part, which nobody answers now, has
  // been asked for.
  const decode = (bytes: Buffer): string => {
    if (decoded++ === 0) {
      freeze(server);
      queueMicrotask(() => controller.abort());
    }
    return bytes.toString();
  };
  const codec = { encode: (text: string) => text, decode };
  const client = await openClient({ name: region, codec, reads: 'server' });
  const keys = Array.from({ length: 200 }, (_, i) => `part ${i}`);
  await client.mset(keys.map((key): [string, string] => [key, key.repeat(6000)]));
  expect((await failureOf(client.mget(keys, { signal: controller.signal }))).code).toBe('ERR_KVS_ABORTED');
  expect(decoded).toBeLessThan(200);
  server.process.kill('SIGCONT');
  expect(await client.mdel(keys)).toBe(200);
  expect((await client.stats()).memory.arenaUsedBytes).toBe(0);
});

test('an abort signal ends awaited calls and tasks, with its reason as the cause', async () => {
  const { client, thaw } = await frozen();
  const controller = new AbortController();
  const { signal } = controller;
  const calls = [
    client.set('k', 'aborted', { signal }),
    client.mset({ k: 'aborted', l: 'aborted' }, { signal }),
    client.submit('set', 'k', 'aborted', { signal }).wait(),
    client.flush({ signal }),
  ].map(failureOf);
  const other = client.set('other', 'v');
  const reason = new Error('no longer needed');
  controller.abort(reason);
  for (const call of calls) {
    expect(await call).toMatchObject({ code: 'ERR_KVS_ABORTED', executed: 'no', cause: reason });
  }
  expect(await failureOf(client.set('k', 'aborted', { signal }))).toMatchObject({ code: 'ERR_KVS_ABORTED' });
  expect(await failureOf(() => client.setSync('k', 'aborted', { signal }))).toMatchObject({ executed: 'no' });
  thaw();
  await other;
  expect(await client.mget(['k', 'l', 'other'])).toEqual(['v', undefined, 'v']);
});

test.each([
  { done: 0, effects: 0, executed: 'no' },
  { done: 5, effects: 0, executed: 'unknown' },
  { done: 0, effects: 7, executed: 'unknown' },
])(
  'of a call that waits for the next server after $done parts and $effects effects, the end says $executed',
  async ({ done, effects, executed }) => {
    const { client, region, thaw } = await frozen();
    const controller = new AbortController();
    const flushed = failureOf(client.flush({ signal: controller.signal }));
    const { ctl, geometry } = attachTestRegion(region);
    const table = new SlotTable(ctl, geometry);
    const slot = Array.from({ length: geometry.slots }, (_, i) => i).find((each) => table.submitted(each) !== 0) ?? -1;
    // As a recovery leaves it: server/settlement.ts.
    const base = table.base(slot);
    ctl.words.set([replayOf(slot, table.submitted(slot), 1)], base + Slot.replay);
    ctl.words[base + Slot.replayDone] = done;
    ctl.words[base + Slot.replayEffects] = effects;
    controller.abort();
    expect(await flushed).toMatchObject({ code: 'ERR_KVS_ABORTED', executed });
    thaw();
    expect(await client.get('k')).toBe('v');
    expect((await client.stats()).slots.inUse).toBe(1);
  },
);

test('one signal ends many calls of several clients, and is listened to once', async () => {
  const { client, region, thaw } = await frozen();
  const clients = [client, await connect(region)];
  const controller = new AbortController();
  const { signal } = controller;
  const warnings: string[] = [];
  const note = (warning: Error) => void warnings.push(warning.message);
  process.on('warning', note);
  onTestFinished(() => void process.off('warning', note));
  const calls = clients.flatMap((each) => Array.from({ length: 20 }, () => each.set('k', 'aborted', { signal })));
  expect(getEventListeners(signal, 'abort')).toHaveLength(1);
  const failures = Promise.all(calls.map((call) => failureOf(call)));
  controller.abort(new Error('enough'));
  for (const { code, cause } of await failures) {
    expect([code, (cause as Error).message]).toEqual(['ERR_KVS_ABORTED', 'enough']);
  }
  expect(getEventListeners(signal, 'abort')).toEqual([]);
  thaw();
  expect(await client.get('k')).toBe('v');
  // A warning comes in the next turn.
  await new Promise(setImmediate);
  expect(warnings).toEqual([]);
});

test('a signal that is none is refused', async () => {
  const client = await connect(name);
  const direct = closing(await KvsClient.connect({ name }));
  for (const signal of [{}, null, 'stop', new EventTarget()] as never[]) {
    const message = 'signal must be an AbortSignal, got';
    await expect(client.set('k', 'v', { signal })).rejects.toThrow(message);
    await expect(direct.get('k', { signal })).rejects.toThrow(message);
    for (const call of [() => client.setSync('k', 'v', { signal }), () => direct.getSync('k', { signal })]) {
      expect(call).toThrow(message);
    }
  }
  const foreign = runInNewContext(
    '({ aborted: false, addEventListener() {}, removeEventListener() {} })',
  ) as AbortSignal;
  expect(await client.set('k', 'v', { signal: foreign })).toBe(true);
});

test('a signal that is never aborted keeps nothing', async () => {
  const client = await connect(name);
  const { signal } = new AbortController();
  let listeners = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners++;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listeners--;
    remove(...args);
  };
  for (let i = 0; i < 50; i++) await client.set('k', `${i}`, { signal });
  expect(listeners).toBe(0);
});

test('close lets what is in flight finish, refuses the rest, and gives everything back', async () => {
  const observer = await connect(name);
  const before = (await observer.stats()).clients;
  const client = await KvsClient.connect({ name, timeoutMs: 60_000 });
  const calls = Array.from({ length: 2000 }, (_, i) => client.set(`closing ${i}`, 'v'));
  expect(client.isClosed).toBe(false);
  const closed = client.close();
  expect(client.isClosed).toBe(true);
  expect(client.close()).toBe(closed);
  const refused = [
    client.get('k'),
    client.set('k', 'v'),
    client.submit('get', 'k').wait(),
    client.mset({}),
    client.keys().next(),
    client.entries().next(),
    () => client.getSync('k'),
    () => client.setSync('k', 'v'),
    () => client.mgetSync(['k']),
    () => client.keysSync().next(),
    () => client.statsSync(),
  ];
  for (const call of refused) {
    expect(await failureOf(call)).toMatchObject({ code: 'ERR_KVS_CLOSED', executed: 'no' });
  }
  await closed;
  expect(await Promise.all(calls)).toEqual(calls.map(() => true));
  expect(await observer.mdel(calls.map((_, i) => `closing ${i}`))).toBe(2000);
  const stats = await observer.stats();
  expect([stats.clients, stats.slots.inUse]).toEqual([before, 1]);
  await client.close();
  expect(await failureOf(client.get('k'))).toMatchObject({ code: 'ERR_KVS_CLOSED' });
});

test('a client is disposed of like any other resource', async () => {
  const client = await KvsClient.connect({ name, timeoutMs: 60_000 });
  const call = client.set('k', 'disposed');
  await client[Symbol.asyncDispose]();
  expect(client.isClosed).toBe(true);
  expect(await call).toBe(true);
  expect(await (await connect(name)).get('k')).toBe('disposed');
});
