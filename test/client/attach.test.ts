/** Connecting where no server is ready: not yet, no longer, or never. */
import { expect, test } from 'vitest';

import { KvsClient } from '#dist/index.js';
import { CtlHeader, RegionState } from '#dist/memory/layout.js';

import { createTestRegion, regionName } from '../fixtures/region.js';
import { closing, failureOf, freeze, openClient, startServer, startServerProcess } from '../fixtures/service.js';

test('no server of the name', async () => {
  const name = regionName();
  const failure = await failureOf(KvsClient.connect({ name }));
  expect(failure.code).toBe('ERR_KVS_NO_REGION');
  expect(failure.message).toContain(`kvs-server --name ${name}`);
});

test('a server that starts, and is not ready in time', async () => {
  const region = createTestRegion();
  const failure = await failureOf(KvsClient.connect({ name: region.name, connectTimeoutMs: 30 }));
  expect(failure.code).toBe('ERR_KVS_NOT_READY');
  expect(failure.message).toContain('within connectTimeoutMs (30 ms)');
  expect((failure.cause as Error).message).toContain(region.name);
});

test('a server that becomes ready while a client waits for it', async () => {
  const region = createTestRegion();
  const connecting = KvsClient.connect({ name: region.name, connectTimeoutMs: 60_000 });
  setImmediate(() => Atomics.store(region.ctl.words, CtlHeader.state, RegionState.ready));
  const client = closing(await connecting);
  // Nobody answers there; but the client is connected.
  expect(await failureOf(client.set('k', 'v', { timeoutMs: 5 }))).toMatchObject({
    code: 'ERR_KVS_TIMEOUT',
    executed: 'no',
  });
});

test.each([
  ['stopping', RegionState.stopping],
  ['stopped', RegionState.stopped],
])('a server that is %s', async (_name, state) => {
  const region = createTestRegion();
  Atomics.store(region.ctl.words, CtlHeader.state, state);
  const failure = await failureOf(KvsClient.connect({ name: region.name }));
  expect(failure.code).toBe('ERR_KVS_NO_REGION');
  expect(failure.message).toContain('is stopping');
});

test('a server that was killed', async () => {
  const name = regionName();
  const server = await startServerProcess({}, name);
  await server.kill();
  const failure = await failureOf(KvsClient.connect({ name }));
  expect(failure.code).toBe('ERR_KVS_NO_REGION');
  expect(failure.message).toContain('has died');
});

test('connecting to a server while it stops either works or says that there is none', async () => {
  for (let round = 0; round < 5; round++) {
    const server = await startServer();
    const attempts = Array.from({ length: 10 }, () => KvsClient.connect({ name: server.name }));
    const stopped = server.stop();
    attempts.push(KvsClient.connect({ name: server.name }));
    for (const attempt of await Promise.allSettled(attempts)) {
      if (attempt.status === 'fulfilled') {
        expect(await failureOf(closing(attempt.value).set('k', 'v'))).toMatchObject({ code: 'ERR_KVS_SERVER_GONE' });
      } else {
        expect(attempt.reason).toMatchObject({ code: 'ERR_KVS_NO_REGION' });
      }
    }
    await stopped;
  }
});

test('a frozen server lets clients connect and answers when it goes on', async () => {
  const name = regionName();
  const server = await startServerProcess({}, name);
  freeze(server);
  const client = await openClient({ name });
  const call = client.set('k', 'v');
  server.process.kill('SIGCONT');
  expect(await call).toBe(true);
});
