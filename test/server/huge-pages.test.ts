/** The store in large pages, where the kernel has them for shared memory. */
import { readFileSync, statSync } from 'node:fs';

import { expect, test } from 'vitest';

import { native } from '#dist/native.js';

import { temporaryDirectory, until } from '../fixtures/processes.js';
import { connect, startServer } from '../fixtures/service.js';

const MIB = 2 ** 20;

/** KiB of the region's data that this process has mapped in large pages. */
function largeKib(name: string): number {
  const mappings = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  // The file had no name yet when it was mapped.
  const { ino } = statSync(`/dev/shm/kvs.${name}.data`);
  const data = mappings.filter((text) => text.split(/\s+/, 5)[4] === String(ino));
  return data.reduce((sum, text) => sum + Number(/^ShmemPmdMapped: +(\d+) kB$/m.exec(text)?.[1]), 0);
}

async function isSupported(): Promise<boolean> {
  const { buffer } = native.createSegment(temporaryDirectory(), 2 * MIB, 0o600);
  return (await native.gatherPages(new Int32Array(buffer)).done) === 1;
}

test('the store is gathered in large pages while it is used, if told to', async () => {
  const plain = await startServer();
  const server = await startServer({ hugePages: true });
  const client = await connect(server.name);
  const keys = Array.from({ length: 500 }, (_, i) => `key ${i}`);
  await client.mset(keys.map((key): [string, string] => [key, key.repeat(300)]));
  if (await isSupported()) await until(() => largeKib(server.name) > 0);
  expect(await client.mget(keys)).toEqual(keys.map((key) => key.repeat(300)));
  expect(await client.mdel(keys)).toBe(500);
  expect(largeKib(plain.name)).toBe(0);
});

test('a server can be stopped before and while it gathers', async () => {
  const servers = await Promise.all([16, 64].map((size) => startServer({ hugePages: true, maxMemory: size * MIB })));
  await servers[0].stop();
  if (await isSupported()) await until(() => largeKib(servers[1].name) > 0);
  await servers[1].stop();
  expect(servers.map(({ isRunning }) => isRunning)).toEqual([false, false]);
});
