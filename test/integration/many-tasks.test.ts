/** More tasks than slots: those that do not fit wait their turn, and nobody waits for ever. */
import { expect, test } from 'vitest';

import { Peer } from '../fixtures/processes.js';
import { connect, startServer } from '../fixtures/service.js';

const TASKS = 3000;

test('3,000 tasks at once on 1,024 slots all come to their own result', async () => {
  const server = await startServer({ workers: 4 });
  const client = await connect(server.name);
  const sets = Array.from({ length: TASKS }, (_, i) => client.submit('set', `task ${i}`, `value ${i}`));
  expect(sets.filter(({ state }) => state === 'queued').length).toBeGreaterThan(0);
  expect(await Promise.all(sets)).toEqual(sets.map(() => true));
  const gets = Array.from({ length: TASKS }, (_, i) => client.submit('get', `task ${i}`));
  expect(await Promise.all(gets)).toEqual(gets.map((_, i) => `value ${i}`));
  expect([...sets, ...gets].every(({ state }) => state === 'fulfilled')).toBe(true);
  expect(await client.size()).toBe(TASKS);
  expect((await client.stats()).slots).toEqual({ total: 1024, inUse: 1 });
});

test('3,000 tasks whose values need the arena all come to their own result', async () => {
  const server = await startServer({ workers: 2 });
  const client = await connect(server.name);
  const value = (i: number) => `${i} `.repeat(500 + (i % 400));
  const keys = Array.from({ length: TASKS }, (_, i) => `task ${i % 300}`);
  const sets = keys.map((key, i) => client.submit('set', key, value(i)));
  const gets = keys.map((key) => client.submit('get', key));
  expect(await Promise.all(sets)).toEqual(sets.map(() => true));
  expect(await Promise.all(gets)).toEqual(keys.map((_, i) => value(TASKS - 300 + (i % 300))));
  expect((await client.stats()).memory.arenaUsedBytes).toBe(0);
});

test('blocking calls get their turn among 3,000 tasks in flight on 16 slots', async () => {
  const server = await startServer({ slots: 16 });
  const client = await connect(server.name);
  const tasks = Array.from({ length: TASKS }, (_, i) => client.submit('incr', `count ${i % 7}`));
  expect(client.getSync('count 0')).toBe(`${Math.ceil(TASKS / 7)}`);
  expect(tasks.every(({ state }) => state !== 'queued')).toBe(true);
  expect(await Promise.all(tasks)).toEqual(tasks.map((_, i) => Math.floor(i / 7) + 1));
});

test('three clients with 3,000 tasks each on 16 slots: every result is right, and none starves', async () => {
  const server = await startServer({ slots: 16 });
  const clients = 3;
  const start = (id: number) =>
    Peer.start('service/crowd', JSON.stringify({ name: server.name, id, clients, tasks: TASKS }));
  const peers = await Promise.all(Array.from({ length: clients }, (_, id) => start(id)));
  // Whoever is done goes on asking until all are: one that starves would never be.
  expect(await Promise.all(peers.map((peer) => peer.tell('run')))).toEqual([0, 0, 0]);
  const observer = await connect(server.name);
  const counts = await observer.mget(peers.map((_, id) => `done ${id}`));
  expect(counts).toEqual(peers.map(() => `${TASKS}`));
});
