/**
 * One client cannot have all slots, nor all room for large requests and answers: something is left for others.
 * Seen to fail when: a client claims beyond its limit of slots.
 */
import { describe, expect, onTestFinished, test } from 'vitest';

import { PayloadArena } from '#dist/exchange/payload-arena.js';
import { ownerOf, SlotState, stateOf } from '#dist/exchange/slot-word.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { CHUNK_BYTES, CtlHeader, geometryOf } from '#dist/memory/layout.js';
import { clientLimits, readLimits, writeLimits } from '#dist/memory/client-limits.js';

import { isStopped, Peer, until } from '../fixtures/processes.js';
import { attachTestRegion, privateCtl, regionName, shapeOf } from '../fixtures/region.js';
import { connect, freeze, startServer, startServerProcess } from '../fixtures/service.js';

const LARGE = 20_000;
const CALLS = 10_000;

/** What a client holds now. */
function holdingsOf(name: string) {
  const { ctl, geometry } = attachTestRegion(name);
  const table = new SlotTable(ctl, geometry);
  const arena = new PayloadArena(ctl, geometry, 0);
  const isHeldBy = (slot: number, client: number): boolean =>
    stateOf(table.word(slot)) !== SlotState.free && ownerOf(table.word(slot)) === client;
  return {
    slots: (client: number) =>
      Array.from({ length: table.count }, (_, slot) => isHeldBy(slot, client)).filter(Boolean).length,
    chunks: (client: number) => arena.countWhere((_, slot) => isHeldBy(slot, client)),
    geometry,
  };
}

test(`${CALLS} large requests of one client at once leave slots and room for others`, async () => {
  const server = await startServerProcess({ slots: 64, maxMemory: 64 * 2 ** 20, maxValueBytes: 2 ** 17 }, regionName());
  const { name } = (await server.tell('stats')) as { name: string };
  const hog = await Peer.start('service/hog', JSON.stringify({ name, bytes: LARGE }));
  const client = await connect(name);
  const held = holdingsOf(name);
  const limits = clientLimits(held.geometry);
  // Nothing is answered for now: the hog takes all that it gets.
  freeze(server);
  onTestFinished(() => void server.process.kill('SIGCONT'));
  await hog.tell('sets', CALLS);
  await until(() => held.slots(0) + 1 > limits.slots || held.chunks(0) + LARGE / CHUNK_BYTES + 1 > limits.chunks);
  const [slots, chunks] = [held.slots(0), held.chunks(0)];
  const set = client.set('k', 'v'.repeat(LARGE));
  const small = client.set('small', 'v');
  expect(held.slots(1)).toBe(2);
  server.process.kill('SIGCONT');
  expect(await Promise.all([set, small])).toEqual([true, true]);
  expect(slots).toBeLessThanOrEqual(limits.slots);
  expect(chunks).toBeLessThanOrEqual(limits.chunks);
  // Always an answer, while the hog goes on.
  for (let i = 0; i < 50; i++) {
    expect(await client.set(`k${i}`, `${i}`.repeat(LARGE / 5))).toBe(true);
    expect(client.getSync(`k${i}`)).toBe(`${i}`.repeat(LARGE / 5));
  }
  expect(await hog.tell('answered')).toBe(CALLS);
  expect((await client.stats()).expelled).toBe(0);
});

test('a client that is stopped with all the answers it can have leaves room for those of others', async () => {
  const { name } = await startServer({ slots: 256, maxMemory: 16 * 2 ** 20, maxValueBytes: 2 ** 16 });
  const hog = await Peer.start('service/hog', JSON.stringify({ name, bytes: LARGE }));
  await hog.tell('sets', 20);
  expect(await hog.tell('answered')).toBe(20);
  const client = await connect(name);
  const held = holdingsOf(name);
  const { chunks } = clientLimits(held.geometry);
  await client.set('k', 'v'.repeat(LARGE));
  const resumed = hog.tell('getsAndStop', 1000);
  await until(() => isStopped(hog.process.pid ?? 0));
  // What it has not taken comes near the limit, and stays there.
  await until(() => held.chunks(0) + 2 * Math.ceil(LARGE / CHUNK_BYTES) > chunks);
  for (let i = 0; i < 100; i++) {
    expect(client.getSync('k')).toBe('v'.repeat(LARGE));
    expect(held.chunks(0)).toBeLessThanOrEqual(chunks + held.geometry.workers * Math.ceil(LARGE / CHUNK_BYTES));
  }
  hog.process.kill('SIGCONT');
  await resumed;
  expect(await hog.tell('answered')).toBe(1000);
});

test('several clients that are stopped with all the answers they can have leave room for large requests and answers', async () => {
  const largest = 2 ** 16;
  const { name } = await startServer({ slots: 1024, maxMemory: 16 * 2 ** 20, maxValueBytes: largest });
  const client = await connect(name);
  const held = holdingsOf(name);
  const hogs: Peer[] = [];
  for (let i = 0; i < 4; i++) hogs.push(await Peer.start('service/hog', JSON.stringify({ name, bytes: LARGE })));
  await hogs[0].tell('sets', 20);
  expect(await hogs[0].tell('answered')).toBe(20);
  const resumed: Promise<unknown>[] = [];
  let room = 2 * clientLimits(held.geometry).chunks;
  for (const [i, hog] of hogs.entries()) {
    resumed.push(hog.tell('getsAndStop', 60));
    await until(() => isStopped(hog.process.pid ?? 0));
    // Half of what those before have left.
    await until(() => held.chunks(i + 1) + 2 * Math.ceil(LARGE / CHUNK_BYTES) > room / 2);
    room -= held.chunks(i + 1);
  }
  for (let i = 0; i < 100; i++) {
    const value = `${i % 10}`.repeat(largest);
    expect(client.setSync('k', value, { timeoutMs: 10_000 })).toBe(true);
    expect(client.getSync('k', { timeoutMs: 10_000 })).toBe(value);
  }
  for (const hog of hogs) hog.process.kill('SIGCONT');
  await Promise.all(resumed);
  expect(await Promise.all(hogs.map((hog) => hog.tell('answered')))).toEqual([60, 60, 60, 60]);
});

describe('limits', () => {
  test('are what was asked for, and leave a share to others by default', () => {
    const geometry = geometryOf(shapeOf({ slots: 64 }));
    const half = geometry.arenaChunks >> 1;
    expect(clientLimits(geometry)).toEqual({ slots: 56, chunks: half - 17 });
    expect(clientLimits(geometry, 10, 10_000)).toEqual({ slots: 10, chunks: 3 });
    expect(clientLimits(geometry, 4000, 2 ** 40)).toEqual({ slots: 64, chunks: geometry.arenaChunks });
  });

  test('reach the clients through the header, where garbage is not believed', () => {
    const { ctl, geometry } = privateCtl();
    writeLimits(ctl, { slots: 5, chunks: 6 });
    expect(readLimits(ctl, geometry)).toEqual({ slots: 5, chunks: 6 });
    for (const garbage of [0, -1, 2 ** 31 - 1, -(2 ** 31)]) {
      ctl.words[CtlHeader.maxSlotsPerClient] = garbage;
      ctl.words[CtlHeader.maxChunksPerClient] = garbage;
      expect(readLimits(ctl, geometry)).toEqual(clientLimits(geometry));
    }
  });

  test('as small as can be still let every request through', async () => {
    const { name } = await startServer({
      slots: 16,
      maxSlotsPerClient: 1,
      maxArenaPerClient: 1,
      maxValueBytes: 2 ** 16,
    });
    const client = await connect(name);
    const keys = Array.from({ length: 100 }, (_, i) => `k${i}`);
    const valueOf = (key: string): string => key.repeat(key.endsWith('0') ? 15_000 : 1);
    const sets = keys.map((key) => client.set(key, valueOf(key)));
    expect(client.setSync('sync', 'v')).toBe(true);
    expect(await Promise.all(sets)).toEqual(keys.map(() => true));
    expect(await client.mget(keys)).toEqual(keys.map(valueOf));
    expect((await client.stats()).expelled).toBe(0);
  });
});
