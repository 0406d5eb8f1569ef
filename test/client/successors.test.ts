/**
 * A server that starts anew, after the files of the last one were removed: who only reads finds it, with and without turns
 * of the event loop, and each outage is waited for. Seen to fail when: nobody asks whether the server of a region is alive
 * that says it is ready; the time of an outage counts from the one before.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { performance } from 'node:perf_hooks';

import { expect, onTestFinished, test, vi } from 'vitest';

import { Presence } from '#dist/client/presence.js';
import { CtlHeader, SERVER_LEASE_BYTE } from '#dist/memory/layout.js';
import { add } from '#dist/memory/words.js';
import { native } from '#dist/native.js';

import { attachTestRegion, createTestRegion, loseRegion, regionName } from '../fixtures/region.js';
import { connect, failureOf, openClient, startServerProcess } from '../fixtures/service.js';

const SHM = '/dev/shm';

test.each(['with', 'without'])('a client that only reads finds the server that began anew, %s turns', async (turns) => {
  const name = regionName();
  const first = await startServerProcess({}, name);
  const reader = await openClient({ name });
  await reader.set('k', 'old');
  expect(reader.getSync('k')).toBe('old');
  await first.kill();
  loseRegion(name);
  expect(reader.getSync('k')).toBe('old');
  await startServerProcess({}, name);
  await (await connect(name)).set('k', 'new');
  if (turns === 'with') while ((await reader.get('k')) === 'old') await new Promise(setImmediate);
  else for (let reads = 0; reads < 20_000 && reader.getSync('k') === 'old'; reads++);
  expect(reader.getSync('k')).toBe('new');
  // Calls that write go there as well.
  await reader.set('k', 'newest');
  expect(await (await connect(name)).get('k')).toBe('newest');
});

test('with rubbish under its name reads go on with the last state, and writes say why they fail', async () => {
  const name = regionName();
  const server = await startServerProcess({}, name);
  const client = await openClient({ name, reconnectTimeoutMs: 0 });
  await client.set('k', 'v');
  await server.kill();
  loseRegion(name);
  writeFileSync(join(SHM, `kvs.${name}.ctl`), 'rubbish', { mode: 0o600 });
  for (let reads = 0; reads < 20_000; reads++) expect(client.getSync('k')).toBe('v');
  expect(await failureOf(client.set('k', 'w'))).toMatchObject({ code: 'ERR_KVS_SERVER_GONE' });
  const again = await failureOf(client.set('k', 'w'));
  expect(again).toMatchObject({ code: 'ERR_KVS_SERVER_GONE', executed: 'no', cause: { code: 'ERR_KVS_CORRUPT' } });
  loseRegion(name);
  await startServerProcess({}, name);
  for (;;) {
    // The reason is looked for again now and then.
    if ((await client.set('k', 'w').catch((error: unknown) => error)) === true) break;
  }
  expect(client.getSync('k')).toBe('w');
});

test('an outage that nobody saw the end of does not count for the next', () => {
  const region = createTestRegion();
  const { ctl } = region;
  const presence = new Presence(attachTestRegion(region.name), 1000);
  const now = vi.spyOn(performance, 'now');
  onTestFinished(() => now.mockRestore());
  const isGoneAt = (ms: number): boolean => {
    now.mockReturnValue(ms);
    return presence.isGone;
  };
  expect([isGoneAt(0), isGoneAt(5000)]).toEqual([false, false]);
  // Dead: the kernel takes the lease back.
  native.unlockByte(region.ctlFd, SERVER_LEASE_BYTE);
  expect([6000, 6999, 7000].map(isGoneAt)).toEqual([false, false, true]);
  // Another one came, served, and died.
  add(ctl.words, CtlHeader.epoch, 1);
  expect([60_000, 60_999, 61_000].map(isGoneAt)).toEqual([false, false, true]);
  // Seen alive, too.
  native.tryLockByte(region.ctlFd, SERVER_LEASE_BYTE);
  expect(isGoneAt(70_000)).toBe(false);
  native.unlockByte(region.ctlFd, SERVER_LEASE_BYTE);
  expect([80_000, 80_999, 81_000].map(isGoneAt)).toEqual([false, false, true]);
});
