/** Clients that are killed at any moment leave nothing behind: no slot, no arena chunk, no lease, no half-written value. */
import { setTimeout } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { auditedAtRest } from '../fixtures/audited.js';
import { Peer } from '../fixtures/processes.js';
import { connect, randomness, startServer, statsUntil } from '../fixtures/service.js';

const KILLS = 200;
const AT_ONCE = 6;

test('after 200 clients were killed under load everything they held is free again', async () => {
  const reaped: number[] = [];
  const server = await startServer({
    workers: 2,
    slots: 64,
    onEvent: (event) => {
      if (event.type === 'client-reaped') reaped.push(event.pid);
    },
  });
  const random = randomness();
  const pids: number[] = [];
  let started = 0;
  const killSome = async (): Promise<void> => {
    while (started < KILLS) {
      const kind = started++;
      const peer = await Peer.start('service/victim', JSON.stringify({ name: server.name, kind }));
      // Not to wait for anything: it dies at a moment of chance.
      await setTimeout(random(30));
      await peer.kill();
      pids.push(peer.process.pid!);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, killSome));
  expect(pids.length).toBe(KILLS);

  const client = await connect(server.name);
  const stats = await statsUntil(
    client,
    ({ slots, memory, clients }) => slots.inUse === 1 && memory.arenaUsedBytes === 0 && clients === 1,
  );
  // Each had two clients, and each of those was noticed once.
  const byNumber = (a: number, b: number) => a - b;
  expect(reaped.toSorted(byNumber)).toEqual([...pids, ...pids].toSorted(byNumber));
  expect(stats.operations['set']?.errors).toBe(0);

  let found = 0;
  for await (const [key, value] of client.entries()) {
    expect([`${key} `.repeat(3), `${key} `.repeat(6000)]).toContain(value);
    found++;
  }
  expect(found).toBeGreaterThan(0);
  expect(await client.size()).toBe(found);

  const all = Array.from({ length: 200 }, (_, i) => `after ${i}`);
  await client.mset(Object.fromEntries(all.map((key) => [key, key.repeat(300)])));
  expect(await client.mget(all)).toEqual(all.map((key) => key.repeat(300)));
  expect(await client.mdel(all)).toBe(200);
  await client.close();
  expect((await auditedAtRest(server.name)).map.entries).toBe(found);
});
