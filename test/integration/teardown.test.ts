/** Processes and threads end as programs do: when nothing is left to do, or in the middle of it. */
import { expect, test } from 'vitest';

import { ClientRecord } from '#dist/memory/layout.js';

import { fixturePath, run, until } from '../fixtures/processes.js';
import { attachTestRegion, regionName } from '../fixtures/region.js';
import { connect, freeze, startServer, startServerProcess, statsUntil } from '../fixtures/service.js';

const program = fixturePath('service/endings');
const play = (name: string, scenario: string, onLine?: (line: string) => void) =>
  run(process.execPath, [program, name, scenario], onLine);

const CLEAN = { code: 0, signal: null, stderr: '' };

test('idle clients do not keep their process alive', async () => {
  const server = await startServer();
  expect(await play(server.name, 'idle')).toMatchObject(CLEAN);
  const client = await connect(server.name);
  expect(await client.mget(['idle', 'idle too'])).toEqual(['was here', 'was here']);
  await statsUntil(client, ({ clients, slots }) => clients === 1 && slots.inUse === 1);
});

test('calls that nobody awaits keep their process alive until they are done', async () => {
  const server = await startServer();
  expect(await play(server.name, 'unawaited')).toMatchObject(CLEAN);
  const client = await connect(server.name);
  const keys = Array.from({ length: 2000 }, (_, i) => `unawaited ${i}`);
  expect(await client.mget(keys)).toEqual(keys.map((_, i) => `${i}`.repeat(i % 100)));
});

test('a call to a server that stands still keeps its process until the server goes on', async () => {
  const name = regionName();
  const server = await startServerProcess({}, name);
  freeze(server);
  let hasEnded = false;
  const lines: string[] = [];
  const ended = play(name, 'frozen', (line) => void lines.push(line)).finally(() => (hasEnded = true));
  // Until its event loop sleeps, with nothing left to do but to wait for the answer; or it has ended, wrongly.
  const region = attachTestRegion(name);
  const armed = region.geometry.clientsOffset / 4 + ClientRecord.armed;
  await until(() => hasEnded || Atomics.load(region.ctl.words, armed) === 1);
  server.process.kill('SIGCONT');
  expect(await ended).toMatchObject(CLEAN);
  expect(lines).toEqual(['point', 'answered']);
  expect(await (await connect(name)).get('frozen')).toBe('done');
});

test('a process whose server dies ends by itself once its calls have failed', async () => {
  const name = regionName();
  const server = await startServerProcess({}, name);
  freeze(server);
  const lines: string[] = [];
  const ended = play(name, 'lostServer', (line) => void lines.push(line));
  await until(() => lines.length > 0);
  server.process.kill('SIGKILL');
  expect(await ended).toMatchObject(CLEAN);
  expect(lines).toEqual(['point', 'ERR_KVS_SERVER_GONE']);
});

test.each([
  ['exit', 7],
  ['exitInside', 8],
])('process.exit in the middle of calls (%s) leaves nothing behind', async (scenario, code) => {
  const server = await startServer();
  expect(await play(server.name, scenario)).toMatchObject({ ...CLEAN, code });
  const client = await connect(server.name);
  await statsUntil(
    client,
    ({ clients, slots, memory }) => clients === 1 && slots.inUse === 1 && memory.arenaUsedBytes === 0,
  );
  expect(await client.set('k', 'after')).toBe(true);
});

test('threads terminated in the middle of blocking and awaited calls leave nothing behind', async () => {
  const server = await startServer({ slots: 64 });
  expect(await play(server.name, 'threads')).toMatchObject(CLEAN);
  const client = await connect(server.name);
  expect(await client.get('threads')).toBe('done');
  await statsUntil(
    client,
    ({ clients, slots, memory }) => clients === 1 && slots.inUse === 1 && memory.arenaUsedBytes === 0,
  );
  for await (const [key, value] of client.entries()) {
    if (key === 'large') expect(value === 'l'.repeat(200_000)).toBe(true);
    else expect(key === 'threads' ? value : Number(value)).toBe(key === 'threads' ? 'done' : Number(value));
  }
});
