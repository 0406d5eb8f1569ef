/**
 * A disk that fails under a server: writes are refused or wait, reads go on, nothing that was acknowledged is missing later,
 * and the service goes on by itself once the disk does.
 */
import { renameSync } from 'node:fs';
import { dirname } from 'node:path';

import { describe, expect, test } from 'vitest';

import { type KvsClient, KvsError, type ServerEvent } from '#dist/index.js';

import { type BadDisk, expectKnown, Faults, startOnBadDisk, writeUntilRefused } from '../fixtures/bad-disk.js';
import { Peer } from '../fixtures/processes.js';
import { loseRegion, regionFiles } from '../fixtures/region.js';
import { connect, startServerProcess, statsUntil } from '../fixtures/service.js';

async function writeUntilTaken(client: KvsClient): Promise<void> {
  for (;;) {
    try {
      await client.set('taken', 'again');
      return;
    } catch (error) {
      if (!(error instanceof KvsError) || error.code !== 'ERR_KVS_NOT_DURABLE') throw error;
    }
  }
}

/** The server and all its memory are gone; the next one has the files. */
async function loseMachine({ server, name, dir }: BadDisk): Promise<KvsClient> {
  await server.kill();
  loseRegion(name);
  await startServerProcess({ dir }, name);
  return connect(name);
}

test('a start that has no room for its log fails at once, and leaves what is in the files to the next one', async () => {
  const { name, dir, options, server } = await startOnBadDisk();
  const client = await connect(name);
  await client.set('k', 'v');
  await client.close();
  await server.tell('stop');
  await server.kill();
  // Behind this one recovery has nothing to write.
  const second = await startServerProcess(options, name);
  await second.tell('stop');
  await second.kill();
  const faults = new Faults(dirname(dir));
  faults.begin('writeSync ENOSPC .kvl');
  const failing = await Peer.startWith(faults.settings, 'service/failing-start', JSON.stringify({ name, ...options }));
  // Nothing is tried again, and no snapshot waits for a log that nobody writes.
  expect(await failing.tell('outcome')).toEqual({
    code: 'ERR_KVS_NO_SPACE',
    events: ['log-loaded', 'log-thread-died'],
  });
  expect(regionFiles(name)).toEqual([]);
  await startServerProcess(options, name);
  expect(await (await connect(name)).get('k')).toBe('v');
});

test.each(['always', 'everysec'] as const)(
  'a segment that cannot be begun stops writes until it can, `%s`',
  async (sync) => {
    const scene = await startOnBadDisk({ sync, segmentBytes: 2 ** 16, snapshotIntervalMs: 0 });
    const client = await connect(scene.name);
    const known = new Map<string, string | undefined>();
    const away = `${scene.dir}.away`;
    renameSync(scene.dir, away);
    // The segment that is open goes on, up to its end.
    expect((await writeUntilRefused(client, known, 'v'.repeat(1000))).code).toBe('ERR_KVS_NOT_DURABLE');
    expect((await client.stats()).log).toMatchObject({ trouble: 'failed' });
    renameSync(away, scene.dir);
    await writeUntilTaken(client);
    const events = (await scene.server.tell('events')) as ServerEvent[];
    // Told of once, and nothing was lost that a snapshot would have to make good.
    expect(events.map(({ type }) => type)).toEqual(['log-loaded', 'log-trouble', 'log-resumed']);
    // Each key was set once: so many records.
    const records = await client.size();
    await statsUntil(client, ({ log }) => (log?.durableSequence ?? 0) >= records);
    const after = await loseMachine(scene);
    expect(await after.get('taken')).toBe('again');
    await expectKnown(after, known);
  },
);

describe.each([
  { fault: 'fdatasyncSync EIO', reason: 'failed' },
  { fault: 'writeSync EIO', reason: 'failed' },
  { fault: 'writeSync ENOSPC', reason: 'full' },
  { fault: 'writeSync EROFS', reason: 'failed' },
])('$fault', ({ fault, reason }) => {
  test('with `always` nothing is acknowledged meanwhile, and everything that was is there later', async () => {
    const scene = await startOnBadDisk({ sync: 'always' });
    const client = await connect(scene.name);
    const known = new Map<string, string | undefined>();
    for (let i = 0; i < 50; i++) {
      await client.set(`good ${i}`, `${i}`);
      known.set(`good ${i}`, `${i}`);
    }
    scene.faults.begin(fault);
    const waiting = client.set('waiting', 'for the disk');
    const refusal = await writeUntilRefused(client, known);
    expect(refusal).toMatchObject({ code: 'ERR_KVS_NOT_DURABLE', executed: 'no' });
    await expect(client.del('good 1')).rejects.toMatchObject({ code: 'ERR_KVS_NOT_DURABLE' });
    await expect(client.incr('number')).rejects.toMatchObject({ code: 'ERR_KVS_NOT_DURABLE' });
    expect(await client.get('good 7')).toBe('7');
    expect((await client.stats()).log).toMatchObject({ trouble: reason });
    scene.faults.end();
    expect(await waiting).toBe(true);
    known.set('waiting', 'for the disk');
    await writeUntilTaken(client);
    known.set('taken', 'again');
    const events = ((await scene.server.tell('events')) as ServerEvent[]).map(({ type }) => type);
    expect(events).toContain('log-trouble');
    expect(events).toContain('log-resumed');
    const later = await loseMachine(scene);
    await expectKnown(later, known);
  });
});
