/**
 * Clients notice at once that their server is gone, and go on with the next one by themselves. (Those that may wait for
 * the next one: warm-restart.test.ts.)
 */
import { expect, test } from 'vitest';

import { KvsClient, KvsServer } from '#dist/index.js';

import { Peer } from '../fixtures/processes.js';
import { regionName } from '../fixtures/region.js';
import { closing, connect, failureOf, freeze, startServer, startServerProcess } from '../fixtures/service.js';

interface Report {
  readonly failures: Readonly<Record<string, number>>;
  readonly faults: readonly string[];
  readonly succeeded: number;
}

const KNOWN = ['ERR_KVS_SERVER_GONE no', 'ERR_KVS_SERVER_GONE unknown'];

async function untilAllServed(peers: readonly Peer[], calls: number): Promise<void> {
  for (const peer of peers) {
    const goal = ((await peer.tell('progress')) as number) + calls;
    while (((await peer.tell('progress')) as number) < goal);
  }
}

test.each(['SIGKILL', 'stop'])(
  'four clients that wait for nobody live through five servers ended by %s',
  async (how) => {
    const name = regionName();
    let server = await startServerProcess({}, name);
    const start = (id: number) => Peer.start('service/survivor', JSON.stringify({ name, id }));
    const peers = await Promise.all([0, 1, 2, 3].map(start));
    for (const peer of peers) await peer.tell('run');
    for (let life = 0; life < 5; life++) {
      await untilAllServed(peers, 50);
      if (how === 'stop') await server.tell('stop');
      await server.kill();
      server = await startServerProcess({}, name);
      const events = (await server.tell('events')) as { type: string }[];
      expect(events.map(({ type }) => type)).toEqual(how === 'SIGKILL' ? ['recovered'] : []);
    }
    await untilAllServed(peers, 50);
    const reports = (await Promise.all(peers.map((peer) => peer.tell('report')))) as Report[];
    console.log(
      'failures by client:',
      reports.map(({ failures }) => failures),
    );
    for (const { failures, faults, succeeded } of reports) {
      expect(faults).toEqual([]);
      // With a deadline of a minute: each failure came because the server was found to be gone.
      expect(Object.keys(failures).filter((what) => !KNOWN.includes(what))).toEqual([]);
      expect(Object.values(failures).reduce((sum, count) => sum + count, 0)).toBeGreaterThan(0);
      expect(succeeded).toBeGreaterThan(250);
    }
  },
);

test('a client that waits for an answer notices a killed server, whatever way it waits', async () => {
  const name = regionName();
  const server = await startServerProcess({}, name);
  const options = { name, timeoutMs: 60_000, reconnectTimeoutMs: 0, reads: 'server' } as const;
  const client = closing(await KvsClient.connect(options));
  const asker = await Peer.start('service/client', JSON.stringify(options));
  await client.set('a', '1');
  freeze(server);
  const calls = [client.get('a'), client.mget(['a', 'b']), client.submit('del', 'a').wait(), client.size()];
  const blocked = asker.tell('getSync', 'a');
  server.process.kill('SIGKILL');
  for (const call of calls)
    expect(await failureOf(call)).toMatchObject({ code: 'ERR_KVS_SERVER_GONE', executed: 'no' });
  expect(await blocked).toMatchObject({ error: { code: 'ERR_KVS_SERVER_GONE' } });
  expect(await failureOf(client.get('a'))).toMatchObject({ code: 'ERR_KVS_SERVER_GONE', executed: 'no' });
  expect(await failureOf(() => client.getSync('a'))).toMatchObject({ code: 'ERR_KVS_SERVER_GONE', executed: 'no' });

  await startServerProcess({}, name);
  let value: unknown;
  while (value === undefined) value = await client.get('a').catch(() => undefined);
  expect(value).toBe('1');
  expect(await client.post('a', '2')).toBe(false);
  expect(await asker.tell('getSync', 'a')).toEqual({ result: '1' });
});

test('a server that is stopped finishes what it has and refuses the rest', async () => {
  const server = await startServer();
  const client = await connect(server.name);
  const calls = Array.from({ length: 500 }, (_, i) => client.incr('count', i % 3));
  const settled = Promise.allSettled(calls);
  const stopped = server.stop();
  expect(server.isRunning).toBe(false);
  const refused = await failureOf(client.get('count'));
  expect(refused).toMatchObject({ code: 'ERR_KVS_SERVER_GONE', executed: 'no' });
  await stopped;
  const results = await settled;
  for (const [i, result] of results.entries()) {
    const expected = Array.from({ length: i + 1 }, (_, j) => j % 3).reduce((sum, by) => sum + by, 0);
    if (result.status === 'fulfilled') expect(result.value).toBe(expected);
    else expect(result.reason).toMatchObject({ code: 'ERR_KVS_SERVER_GONE', executed: 'no' });
  }
  expect(results[0]?.status).toBe('fulfilled');
  expect(server.stop()).toBe(stopped);
  expect(server.size).toBe(0);
});

test('after one that was stopped a new server of the name starts empty, and a client of the old one uses it without being told', async () => {
  const first = await startServer();
  const client = await connect(first.name);
  await client.set('kept', 'no');
  await first.stop();
  expect((await failureOf(client.get('kept'))).code).toBe('ERR_KVS_SERVER_GONE');
  const second = await KvsServer.start({ name: first.name, maxMemory: 4 * 2 ** 20, maxValueBytes: 1000 });
  try {
    let answer: unknown = false;
    while (answer === false) answer = await client.get('kept').catch(() => false);
    expect(answer).toBeUndefined();
    // Its limits are those of the new server.
    expect((await failureOf(client.set('k', 'x'.repeat(1001)))).message).toContain('up to 1000');
    expect(second.stats().clients).toBe(1);
  } finally {
    await second.stop();
  }
});
