/** One server per name, however many start at once. */
import { expect, onTestFinished, test } from 'vitest';

import { KvsServer } from '#dist/index.js';

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
