/**
 * Whoever stands still in the middle of a step, for as long as the others need to use everything many times over: they
 * go on, and it finishes afterwards what it had begun, with the right result.
 * Seen to fail when: the reaper frees the slots of a client that only stands still; a direct read does not look once
 * more; blocks with pins are used again; the sweeper does not queue what is in no queue; an idle client keeps the slot of
 * what it took back.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { setImmediate, setTimeout } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { KeyBuffer } from '#dist/codec/key-buffer.js';
import { KvsClient } from '#dist/index.js';
import { DataHeader } from '#dist/memory/layout.js';
import { attachData } from '#dist/memory/region.js';

import { audited } from '../fixtures/audited.js';
import { isStopped, Peer, temporaryPath } from '../fixtures/processes.js';
import { attachTestRegion, regionName } from '../fixtures/region.js';
import { closing, connect, failureOf, startServer, statsUntil } from '../fixtures/service.js';

const SLOTS = 16;
/** How long somebody stands still at least, beside that: `KVS_STOPPED_S=60` for a minute in each step. */
const STOPPED_MS = Number(process.env['KVS_STOPPED_S'] ?? 0) * 1000;
/** How often the others use all slots meanwhile, and all of the arena that they can get. */
const LAPS = 40;
const LARGE = 30_000;
const OLD = 'o'.repeat(LARGE);

/** Sets and reads small and large values, `key` among them, until all slots and the heap have been used many times. */
async function lap(client: KvsClient, key: string): Promise<void> {
  for (let round = 0; round < LAPS; round++) {
    const values = Array.from({ length: SLOTS }, (_, i) => `${round}`.repeat(i % 3 === 0 ? LARGE / 2 : 5));
    await Promise.all(values.map((value, i) => client.set(`other ${i}`, value)));
    expect(await Promise.all(values.map((_, i) => client.get(`other ${i}`)))).toEqual(values);
    await client.set(key, `${round % 10}`.repeat(LARGE));
  }
}

async function untilStopped(peer: Peer): Promise<void> {
  while (!isStopped(peer.process.pid ?? 0)) await setImmediate();
}

/** The step, what is asked for there, and what must come of it. */
const NEW = '9'.repeat(LARGE);
test.each<[string, (peer: Peer) => Promise<unknown>, unknown, string]>([
  ['building', (peer) => peer.tell('set', 'k', 20_000), true, 's'.repeat(20_000)],
  ['submitted', (peer) => peer.tell('set', 'k', 20_000), true, NEW],
  ['answered', (peer) => peer.tell('get', 'k'), OLD, NEW],
  ['releasing', (peer) => peer.tell('get', 'k'), OLD, NEW],
  ['reading the value', (peer) => peer.tell('get', 'k'), NEW, NEW],
  ['reading, before the last look', (peer) => peer.tell('get', 'k'), NEW, NEW],
  ['holding', (peer) => peer.tell('hold', 'k'), { isCopy: false, before: OLD, after: OLD }, NEW],
])('a client that is stopped when %s', async (step, ask, result, left) => {
  const { name } = await startServer({ slots: SLOTS, workers: 2, maxMemory: 8 * 2 ** 20 });
  const client = await connect(name);
  await client.set('k', OLD);
  const peer = await Peer.start('service/stopper', JSON.stringify({ name, step }));
  const answer = ask(peer);
  await untilStopped(peer);
  // What was handed over is executed, although it is in no queue.
  if (step === 'submitted') while ((await client.get('k')) === OLD);
  const stoppedAt = performance.now();
  await lap(client, 'k');
  while (performance.now() - stoppedAt < STOPPED_MS) {
    await setTimeout(1000);
    await lap(client, 'k');
  }
  expect(isStopped(peer.process.pid ?? 0)).toBe(true);
  peer.process.kill('SIGCONT');
  expect(await answer).toEqual(result);
  expect(await client.get('k')).toBe(left);
  await peer.tell('close');
  await statsUntil(client, ({ slots, memory }) => slots.inUse === 1 && memory.arenaUsedBytes === 0);
  await audited(name);
});

/** In which stripe of the map a key is. */
function stripesOf(name: string): (key: string) => number {
  const region = attachTestRegion(name);
  const { words } = attachData(region);
  const buffer = new KeyBuffer(words[DataHeader.hashSeed], words[DataHeader.hashSeed + 1]);
  return (key) => {
    buffer.take(key);
    return buffer.hash & (region.geometry.stripes - 1);
  };
}

/** A server of its own whose workers stall where the file says. */
async function startStalling(
  name: string,
): Promise<{ server: Peer; stall: (step: string, how: string) => void; file: string }> {
  const file = temporaryPath();
  const server = await Peer.startWith(
    { preload: 'service/stall', env: { KVS_STALL: file } },
    'service/server',
    JSON.stringify({ name, workers: 2, maxMemory: 16 * 2 ** 20 }),
  );
  return { server, stall: (step, how) => writeFileSync(file, `${step} ${how}`), file };
}

test.each([
  ['commit', 'old', 'unknown'],
  ['retire', 'new', 'unknown'],
  ['answer', 'new', 'unknown'],
])('a server that is stopped before %s', async (step, seen, executed) => {
  const name = regionName();
  const { server, stall, file } = await startStalling(name);
  const client = await connect(name, 600_000);
  const hasty = await connect(name, 600_000);
  const reader = closing(await KvsClient.connect({ name }));
  await client.set('k', 'old');
  stall(step, 'stop');
  const hurry = new AbortController();
  const hurried = failureOf(hasty.set('k', 'new', { signal: hurry.signal }));
  await untilStopped(server);
  // It is executing: nobody can know. What is asked for now is certainly not executed.
  hurry.abort();
  expect(await hurried).toMatchObject({ code: 'ERR_KVS_ABORTED', executed });
  expect(await failureOf(hasty.set('k', 'never', { timeoutMs: 50 }))).toMatchObject({ executed: 'no' });
  const waiting = [client.set('k', 'last'), client.incr('n')];
  for (let read = 0; read < 1000; read++) expect(reader.getSync('k')).toBe(seen);
  server.process.kill('SIGCONT');
  writeFileSync(`${file}.go`, '');
  expect(await Promise.all(waiting)).toEqual([true, 1]);
  expect(reader.getSync('k')).toBe('last');
  // The slot of what it took back comes free although it calls nothing any more.
  await statsUntil(client, ({ slots }) => slots.inUse === 1);
  await audited(name);
});

test.each([
  ['commit', 'old'],
  ['retire', 'new'],
  ['answer', 'new'],
])(
  'a worker thread that gets no time before %s: the other one goes on with all but what it holds',
  async (step, seen) => {
    const name = regionName();
    const { stall, file } = await startStalling(name);
    const client = await connect(name, 600_000);
    const reader = closing(await KvsClient.connect({ name }));
    await client.set('k', 'old');
    stall(step, 'starve');
    const starving = client.set('k', 'new');
    while (existsSync(file)) await setImmediate();
    const stripeOf = stripesOf(name);
    const others = Array.from({ length: 200 }, (_, i) => `other ${i}`);
    const isBeside = (key: string): boolean => stripeOf(key) === stripeOf('k');
    const set = (key: string): Promise<boolean> => client.set(key, key);
    await Promise.all(others.filter((key) => !isBeside(key)).map(set));
    // Those of its own stripe wait if it holds the lock.
    const sets = others.filter(isBeside).map(set);
    for (let read = 0; read < 1000; read++) expect(reader.getSync('k')).toBe(seen);
    writeFileSync(`${file}.go`, '');
    expect(await starving).toBe(true);
    await Promise.all(sets);
    expect(await client.mget(['k', ...others])).toEqual(['new', ...others]);
    await statsUntil(client, ({ slots }) => slots.inUse === 1);
    await audited(name);
  },
);
