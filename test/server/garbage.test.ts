/** Whatever one client writes into shared memory harms itself alone: not the server, not the store. */
import { setTimeout as delay } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { replayOf, SlotState } from '#dist/exchange/slot-word.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { WorkerBells } from '#dist/exchange/worker-bells.js';
import { KvsClient } from '#dist/index.js';
import { CTL_MAGIC, CtlHeader, INLINE_BYTES, RegionState, Slot } from '#dist/memory/layout.js';

import { Peer, until } from '../fixtures/processes.js';
import { attachTestRegion, regionName } from '../fixtures/region.js';
import {
  closing,
  connect,
  openClient,
  randomness,
  startServer,
  startServerProcess,
  statsUntil,
} from '../fixtures/service.js';

const KEYS = 60;

async function work(client: KvsClient, id: number, over: AbortSignal): Promise<number> {
  let done = 0;
  for (let round = 0; !over.aborted; round++) {
    const keys = Array.from({ length: KEYS }, (_, i) => `${id}:${i}`);
    const value = (i: number) => `${id}:${i}:${round} `.repeat(i % 10 === 0 ? 300 : 3);
    expect(await Promise.all(keys.map((key, i) => client.set(key, value(i))))).toEqual(keys.map(() => true));
    expect(client.mgetSync(keys)).toEqual(keys.map((_, i) => value(i)));
    expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys.map((_, i) => value(i)));
    done += 3 * KEYS;
  }
  return done;
}

test('requests of garbage fail alone while others work', async () => {
  // In a process of its own: its housekeeping goes on while this one is in a blocking call.
  const name = regionName();
  await startServerProcess({ slots: 128 }, name);
  const seed = randomness()(2 ** 31);
  console.log(`rogue seed: ${seed}`);
  const clients = await Promise.all([connect(name), connect(name)]);
  const over = new AbortController();
  const loads = clients.map((client, id) => work(client, id, over.signal));
  const failed = Promise.all(loads);
  for (let life = 0; life < 3; life++) {
    const options = JSON.stringify({ name: name, seed: seed + life, everywhere: false });
    const rogue = await Peer.start('service/rogue', options);
    for (let part = 0; part < 10; part++) await Promise.race([rogue.tell('run', 3000), failed]);
    await rogue.kill();
  }
  over.abort();
  for (const done of await failed) expect(done).toBeGreaterThan(KEYS);
  // What it left behind is reclaimed like that of any dead client.
  await statsUntil(
    clients[0],
    (stats) => stats.slots.inUse === 1 && stats.memory.arenaUsedBytes === 0 && stats.clients === 2,
  );
  // It may have stored something under keys of its own; the store is whole all the same.
  const observer = await openClient({ name: name, codec: 'buffer', keyEncoding: 'buffer' });
  let found = 0;
  for await (const [key, value] of observer.entries()) {
    expect(key.length).toBeGreaterThan(0);
    // What it stored came from its own slots, not from beyond them.
    if (key.toString().startsWith('rogue')) expect(value.length).toBeLessThanOrEqual(INLINE_BYTES);
    expect(await observer.get(key)).toEqual(value);
    found++;
  }
  expect(await observer.size()).toBe(found);
  expect(found).toBeGreaterThanOrEqual(2 * KEYS);
});

test('a request without a key stores nothing', async () => {
  const server = await startServer();
  const client = await connect(server.name);
  const rogue = await Peer.start('service/rogue', JSON.stringify({ name: server.name, seed: 1, everywhere: false }));
  await rogue.tell('emptyKeys');
  await rogue.kill();
  await statsUntil(client, ({ slots, clients }) => slots.inUse === 1 && clients === 1);
  expect(await client.size()).toBe(0);
  await client.set('k', 'v');
  expect([...client.entriesSync()]).toEqual([['k', 'v']]);
});

test('a server whose slots are overwritten by anybody goes on, and its store stays whole', async () => {
  const server = await startServer({ workers: 2, slots: 256, drainTimeoutMs: 100 });
  const seed = randomness()(2 ** 31);
  const client = closing(await KvsClient.connect({ name: server.name, timeoutMs: 300, reads: 'server' }));
  const keys = Array.from({ length: 100 }, (_, i) => `kept ${i}`);
  const patient = await connect(server.name);
  await patient.mset(keys.map((key): [string, string] => [key, key]));
  await patient.close();
  const rogue = await Peer.start('service/rogue', JSON.stringify({ name: server.name, seed, everywhere: true }));
  for (let part = 0; part < 20; part++) {
    const wreck = rogue.tell('run', 2000);
    // Anything may become of these, except that they do not return.
    // Not of what is kept: a request whose operation is overwritten is one like any other.
    await Promise.allSettled(Array.from({ length: 30 }, (_, i) => client.get(`another ${i}`)));
    await wreck;
  }
  await rogue.kill();
  expect(server.isRunning).toBe(true);
  // Directly from the store: no slot is needed for this.
  const reader = await openClient({ name: server.name, reads: 'direct' });
  expect(keys.filter((key) => reader.getSync(key) !== key)).toEqual([]);
  expect(server.size).toBeGreaterThanOrEqual(keys.length);
});

test('a server whose header is overwritten is found, serves and finds its keys as before', async () => {
  const deaths: number[] = [];
  const server = await startServer({
    workers: 2,
    onEvent: (event) => {
      if (event.type === 'worker-died') deaths.push(event.worker);
    },
  });
  const client = await connect(server.name);
  await client.set('k', 'before');
  const { ctl } = attachTestRegion(server.name);
  // For all who ask the header the region is stopped or left, until it is mended; workers ask the server's own memory.
  for (let round = 0; round < 10; round++) {
    ctl.words.fill(round % 2 === 0 ? RegionState.stopped : RegionState.kept, 0, CtlHeader.epoch);
    new WorkerBells(ctl).ringAll(2);
    await until(() => ctl.words[CtlHeader.magic] === CTL_MAGIC);
  }
  expect(deaths).toEqual([]);
  for (const reads of ['server', 'direct'] as const) {
    const other = await openClient({ name: server.name, reads });
    expect(await other.get('k')).toBe('before');
    expect(await other.post('k', 'again')).toBe(false);
  }
  expect(await client.set('k', 'after')).toBe(true);
  expect(await client.get('k')).toBe('after');
});

test('direct reads go on while the header is overwritten', async () => {
  const server = await startServer();
  const client = await openClient({ name: server.name, cacheEntries: 0 });
  await client.set('k', 'v');
  const { ctl } = attachTestRegion(server.name);
  // Whoever mends it has no turn in between: all is on this thread. Seen to fail when the client looks for another server.
  for (const garbage of [77, -1, 0x7fffffff]) {
    ctl.words.fill(garbage, 0, CtlHeader.epoch);
    expect(client.getSync('k')).toBe('v');
  }
  await until(() => ctl.words[CtlHeader.magic] === CTL_MAGIC);
});

test('slots that were overwritten come free again once nobody writes there', async () => {
  const server = await startServer({ slots: 64 });
  const client = await connect(server.name);
  const { ctl, geometry } = attachTestRegion(server.name);
  const table = new SlotTable(ctl, geometry);
  // Every state, and owners that do not exist; what is left to the client itself is one of its own.
  for (let slot = 1; slot < table.count; slot++) {
    ctl.words[table.base(slot) + Slot.word] = (slot << 14) | ((slot % 2 === 0 ? 2000 : 77) << 3) | (slot % 8);
  }
  await statsUntil(client, ({ slots }) => slots.inUse === 1);
});

test('slots that were overwritten in the name of a client come free with the next one of its index', async () => {
  const server = await startServer({ slots: 64 });
  const client = await connect(server.name);
  const { ctl, geometry } = attachTestRegion(server.name);
  const table = new SlotTable(ctl, geometry);
  const states = [SlotState.building, SlotState.submitted, SlotState.done];
  for (const [slot, state] of states.entries()) ctl.words[table.base(10 + slot) + Slot.word] = state;
  await client.close();
  const next = await connect(server.name);
  expect((await next.stats()).slots.inUse).toBe(1);
});

test('a request that finds the ring of a quiet server overwritten is executed', async () => {
  const server = await startServer();
  const client = await connect(server.name);
  await client.set('k', 'v');
  const { ctl, geometry } = attachTestRegion(server.name);
  // Long enough that the server has seen that nobody asks for anything.
  await delay(600);
  ctl.words.fill(-1, geometry.queueOffset / 4, geometry.queueOffset / 4 + geometry.queueCells);
  expect(await client.set('k', 'w')).toBe(true);
});

// Seen to fail (two keys missing, though all was acknowledged) when the notes stay.
test('what was noted of a use that a server died over is not taken for one 2^18 uses later', async () => {
  const server = await startServer();
  const client = await connect(server.name);
  const { ctl, geometry } = attachTestRegion(server.name);
  const table = new SlotTable(ctl, geometry);
  for (let slot = 0; slot < table.count; slot++) {
    const base = table.base(slot);
    ctl.words[base + Slot.replay] = replayOf(slot, table.word(slot), 1);
    ctl.words[base + Slot.replayDone] = 2;
  }
  const keys = ['a', 'b', 'c', 'd', 'e'];
  expect(await client.mset(keys.map((key) => [key, key] as const))).toBe(true);
  expect(await client.mget(keys)).toEqual(keys);
});

// Seen to fail when what a listener throws comes out of the housekeeping: nothing is mended any more.
test('a listener that throws ends nothing of the server', async () => {
  const thrown: unknown[] = [];
  const name = regionName();
  const peer = await Peer.start('service/throwing-listener', name);
  const client = await connect(name);
  const rogue = await Peer.start('service/rogue', JSON.stringify({ name, seed: 1, everywhere: false }));
  await rogue.tell('emptyKeys');
  await rogue.kill();
  while (thrown.length === 0) thrown.push(...((await peer.tell('thrown')) as unknown[]));
  expect(thrown[0]).toMatch(/^a fault of the test: client-/);
  const { ctl } = attachTestRegion(name);
  ctl.words[CtlHeader.magic] = 0;
  await until(() => ctl.words[CtlHeader.magic] === CTL_MAGIC);
  expect(await client.set('k', 'v')).toBe(true);
});
