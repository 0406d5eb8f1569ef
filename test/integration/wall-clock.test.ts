/**
 * The wall clock steps back and forth by up to a month, in the client and in the server: nothing waits longer or shorter
 * for it, and no key expires earlier or later. (Half of the processes of a storm have such a clock, too.)
 * Seen to fail when: deadlines of calls are counted by Date.now(); the uptime is; keys expire by it.
 */
import { expect, onTestFinished, test, vi } from 'vitest';

import { KvsClient } from '#dist/index.js';

import { Peer } from '../fixtures/processes.js';
import { regionName } from '../fixtures/region.js';
import { closing, failureOf, freeze } from '../fixtures/service.js';

const MONTH_MS = 30 * 24 * 3600 * 1000;
const msSince = (start: bigint): number => Number(process.hrtime.bigint() - start) / 1e6;

/** A server, and a client in this process, both with such a clock. */
async function startWild(reconnectTimeoutMs: number): Promise<{ server: Peer; client: KvsClient }> {
  const name = regionName();
  const server = await Peer.startWith(
    { preload: 'storm/wild-clock' },
    'service/server',
    JSON.stringify({ name, workers: 1 }),
  );
  const truth = Date.now;
  const stub = vi.spyOn(Date, 'now').mockImplementation(() => truth() + (Math.random() * 2 - 1) * MONTH_MS);
  onTestFinished(() => stub.mockRestore());
  return {
    server,
    client: closing(await KvsClient.connect({ name, reads: 'server', timeoutMs: 600_000, reconnectTimeoutMs })),
  };
}

test('deadlines are neither early nor forgotten', async () => {
  const { server, client } = await startWild(600_000);
  await client.set('k', 'v');
  freeze(server);
  const patient = client.get('k');
  for (const call of [
    () => client.set('k', 'w', { timeoutMs: 200 }),
    () => client.setSync('k', 'w', { timeoutMs: 200 }),
  ]) {
    const start = process.hrtime.bigint();
    expect(await failureOf((async () => call())())).toMatchObject({ code: 'ERR_KVS_TIMEOUT', executed: 'no' });
    expect(msSince(start)).toBeGreaterThanOrEqual(199);
  }
  server.process.kill('SIGCONT');
  expect(await patient).toBe('v');
});

test('a dead server is waited for as long as was said', async () => {
  const { server, client } = await startWild(300);
  await client.set('k', 'v');
  const start = process.hrtime.bigint();
  await server.kill();
  expect(await failureOf(client.get('k'))).toMatchObject({ code: 'ERR_KVS_SERVER_GONE', executed: 'no' });
  expect(msSince(start)).toBeGreaterThanOrEqual(300);
});

test('the uptime of a server only grows', async () => {
  const { client } = await startWild(0);
  let last = 0;
  for (let round = 0; round < 50; round++) {
    const { uptimeMs } = await client.stats();
    expect(uptimeMs).toBeGreaterThanOrEqual(last);
    last = uptimeMs;
  }
  // A test does not take a day.
  expect(last).toBeLessThan(24 * 3600 * 1000);
});

test.each([
  { reads: 'server', cacheEntries: 0 },
  { reads: 'direct', cacheEntries: 0 },
  { reads: 'direct', cacheEntries: 10 },
] as const)('keys expire when they were to, with $reads reads and a cache of $cacheEntries', async (options) => {
  const { server } = await startWild(0);
  const { name } = JSON.parse(server.process.spawnargs.at(-1) ?? '{}') as { name: string };
  const client = closing(await KvsClient.connect({ name, ...options, timeoutMs: 600_000 }));
  // Of the moment at which it is issued: the clock then steps on.
  const now = Date.now();
  const fixed = vi.spyOn(Date, 'now').mockReturnValue(now);
  const start = process.hrtime.bigint();
  await client.set('soon', 'v', { expiresAt: now + 100 });
  await client.set('later', 'v', { expiresAt: new Date(now + MONTH_MS / 2) });
  await client.set('short', 'v', { ttlMs: 100 });
  const issued = process.hrtime.bigint();
  fixed.mockRestore();
  for (const key of ['soon', 'short']) {
    for (;;) {
      const before = msSince(issued);
      const value = await client.get(key);
      if (value !== undefined) expect(before).toBeLessThan(100);
      else break;
    }
    // It was `now` for up to a millisecond when that was asked.
    expect(msSince(start)).toBeGreaterThanOrEqual(key === 'soon' ? 99 : 100);
  }
  for (let round = 0; round < 50; round++) {
    expect(await client.get('later')).toBe('v');
    expect(await client.ttl('later')).toBeGreaterThan(MONTH_MS / 2 - 600_000);
    expect(await client.get('soon')).toBeUndefined();
  }
});
