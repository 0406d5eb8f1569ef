/** One server per name, however many start at once. */
import { readdirSync, readFileSync } from 'node:fs';

import { expect, onTestFinished, test } from 'vitest';

import { KvsServer, type KvsStatistics } from '#dist/index.js';

import { Peer } from '../fixtures/processes.js';
import { regionName } from '../fixtures/region.js';
import { connect, failureOf, startServer, startServerProcess } from '../fixtures/service.js';

test('a second server of the name is refused with the pid of the first, which goes on', async () => {
  const name = regionName();
  const first = await startServerProcess({}, name);
  const client = await connect(name);
  await client.set('k', 'v');
  const failure = await failureOf(KvsServer.start({ name }));
  expect(failure).toMatchObject({ code: 'ERR_KVS_ALREADY_RUNNING', pid: first.process.pid });
  expect(failure.message).toContain(`process ${first.process.pid}`);
  expect(await client.get('k')).toBe('v');
});

test('a second server in the same process is refused too', async () => {
  const first = await startServer();
  expect(await failureOf(startServer({}, first.name))).toMatchObject({
    code: 'ERR_KVS_ALREADY_RUNNING',
    pid: process.pid,
  });
  await first.stop();
  const second = await startServer({}, first.name);
  expect(second.isRunning).toBe(true);
});

test('of many servers started at once, one starts', async () => {
  const name = regionName();
  const starts = await Promise.allSettled(
    Array.from({ length: 8 }, () => KvsServer.start({ name, workers: 1, maxMemory: 4 * 2 ** 20 })),
  );
  const started = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
  onTestFinished(async () => void (await Promise.all(started.map((server) => server.stop()))));
  expect(started.length).toBe(1);
  for (const start of starts) {
    if (start.status === 'rejected') expect(start.reason).toMatchObject({ code: 'ERR_KVS_ALREADY_RUNNING' });
  }
  expect(await (await connect(name)).ping()).toBe(true);
});

test('a server process that was killed is followed by another, and what it left is there', async () => {
  const name = regionName();
  const first = await startServerProcess({}, name);
  const client = await connect(name);
  await client.set('k', 'v');
  await first.kill();
  const events: string[] = [];
  const second = await startServer({ onEvent: ({ type }) => events.push(type) }, name);
  expect(events).toEqual(['recovered']);
  expect(second.size).toBe(1);
});

/** Processes that were started to serve the region. */
const serversOf = (name: string): number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return pid > 0 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(name);
      } catch {
        return false; // it has ended meanwhile
      }
    });

test('ten processes that connect with autostart at once share one server', async () => {
  const name = regionName();
  const options = { name, autostart: { workers: 1, maxMemory: 16 * 2 ** 20, slots: 64 }, connectTimeoutMs: 60_000 };
  const start = () => Peer.start('service/client', JSON.stringify({ ...options, timeoutMs: 60_000 }));
  // The server outlives its clients, and one that was started too late would take the place of a dead one.
  onTestFinished(() => {
    for (const pid of serversOf(name)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended meanwhile.
      }
    }
  });
  const peers = await Promise.all(Array.from({ length: 10 }, start));
  const sums = await Promise.all(peers.map((peer) => peer.tell('incr', 'count')));
  expect(sums.map((sum) => (sum as { result: number }).result).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 10 }, (_, i) => i + 1),
  );
  const stats = (await Promise.all(peers.map((peer) => peer.tell('stats')))) as { result: KvsStatistics }[];
  expect(new Set(stats.map(({ result }) => result.pid)).size).toBe(1);
  expect(stats[0].result).toMatchObject({ clients: 10, workers: 1, slots: { total: 64 } });
});
