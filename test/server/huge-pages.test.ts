/** The store in large pages, where the kernel has them for shared memory. */
import { closeSync, fstatSync, readFileSync, statSync } from 'node:fs';

import { expect, test } from 'vitest';

import { native } from '#dist/native.js';

import { missedLargePages } from '../fixtures/large-pages.js';
import { temporaryDirectory } from '../fixtures/processes.js';
import { connect, startServer } from '../fixtures/service.js';

const MIB = 2 ** 20;

/** KiB of a file that this process has mapped in large pages. The file may have had no name yet when it was mapped. */
function largeKib(inode: number): number {
  const mappings = readFileSync('/proc/self/smaps', 'utf8').split(/^(?=[0-9a-f]+-[0-9a-f]+ )/m);
  const its = mappings.filter((text) => text.split(/\s+/, 5)[4] === String(inode));
  return its.reduce((sum, text) => sum + Number(/^ShmemPmdMapped: +(\d+) kB$/m.exec(text)?.[1]), 0);
}

/** Whether the kernel has large pages for shared memory. */
function isSupported(): boolean {
  const { fd, buffer } = native.createSegment(temporaryDirectory(), 2 * MIB, 0o600, true);
  const { ino } = fstatSync(fd);
  closeSync(fd);
  return new Uint8Array(buffer)[0] === 0 && largeKib(ino) > 0;
}

test('the store has large pages, or none if told so, and works the same', async () => {
  const missedBefore = missedLargePages();
  const servers = await Promise.all([true, false].map((hugePages) => startServer({ hugePages, maxMemory: 16 * MIB })));
  const keys = Array.from({ length: 500 }, (_, i) => `key ${i}`);
  for (const { name } of servers) {
    const client = await connect(name);
    await client.mset(keys.map((key): [string, string] => [key, key.repeat(300)]));
    expect(await client.mget(keys)).toEqual(keys.map((key) => key.repeat(300)));
    expect(await client.mdel(keys)).toBe(500);
  }
  const [large, small] = servers.map(({ name }) => largeKib(statSync(`/dev/shm/kvs.${name}.data`).ino));
  const isThere = isSupported();
  if (missedLargePages() === missedBefore) expect(large > 0).toBe(isThere);
  expect(small).toBe(0);
});
