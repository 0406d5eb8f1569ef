/**
 * A disk that fails under a server: writes are refused or wait, reads go on, nothing that was acknowledged is missing later,
 * and the service goes on by itself once the disk does.
 */
import { mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { describe, expect, onTestFinished, test } from 'vitest';

import { type KvsClient, KvsError, type ServerEvent } from '#dist/index.js';

import { Peer } from '../fixtures/processes.js';
import { regionName } from '../fixtures/region.js';
import { connect, type ServerShape, startServerProcess, statsUntil } from '../fixtures/service.js';

interface Scene {
  readonly name: string;
  readonly dir: string;
  readonly server: Peer;
  /** Lets the disk fail, or (undefined) work again. */
  fail(fault: string | undefined): void;
}

async function startOnBadDisk(sync: 'always' | 'everysec', shape: ServerShape = {}): Promise<Scene> {
  const name = regionName();
  const dir = mkdtempSync(join(tmpdir(), 'kvs-faults-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const faults = join(dir, 'faults');
  const log = join(dir, 'log');
  const settings = { preload: 'failing-disk', env: { KVS_TEST_FAULTS: faults } };
  // One worker: what was asked for first is logged first.
  const options = { name, workers: 1, maxMemory: 16 * 2 ** 20, dir: log, sync, ...shape };
  const server = await Peer.startWith(settings, 'service/server', JSON.stringify(options));
  const fail = (fault: string | undefined): void =>
    fault === undefined ? rmSync(faults) : writeFileSync(faults, fault);
  return { name, dir: log, server, fail };
}

/** Writes until the server refuses. @param known what there must be of it later, undefined: nothing */
async function writeUntilRefused(
  client: KvsClient,
  known: Map<string, string | undefined>,
  padding = '',
): Promise<KvsError> {
  for (let i = 0; ; i++) {
    const key = `bad ${i}`;
    try {
      await client.set(key, `${i}${padding}`, { timeoutMs: 400 });
      known.set(key, `${i}${padding}`);
    } catch (error) {
      if (!(error instanceof KvsError)) throw error;
      if (error.code === 'ERR_KVS_NOT_DURABLE') return error;
      // Waits for the disk; whether it will have happened is not known, unless no worker has begun with it in time.
      expect(error.code).toBe('ERR_KVS_TIMEOUT');
      if (error.executed === 'no') known.set(key, undefined);
      else expect(error.executed).toBe('unknown');
    }
  }
}

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
async function loseMachine({ server, name, dir }: Scene): Promise<KvsClient> {
  await server.kill();
  for (const file of readdirSync('/dev/shm')) if (file.startsWith(`kvs.${name}.`)) rmSync(join('/dev/shm', file));
  await startServerProcess({ dir }, name);
  return connect(name);
}

test('a start that has no room for its log fails at once, and leaves what is in the files to the next one', async () => {
  const { name, dir, server } = await startOnBadDisk('everysec');
  const client = await connect(name);
  await client.set('k', 'v');
  await client.close();
  await server.tell('stop');
  await server.kill();
  const options = { name, workers: 1, maxMemory: 16 * 2 ** 20, dir };
  // Behind this one recovery has nothing to write.
  const second = await startServerProcess(options, name);
  await second.tell('stop');
  await second.kill();
  const faults = `${dir}.faults`;
  writeFileSync(faults, 'writeSync ENOSPC .kvl');
  const settings = { preload: 'failing-disk', env: { KVS_TEST_FAULTS: faults } };
  const failing = await Peer.startWith(settings, 'service/failing-start', JSON.stringify(options));
  // Nothing is tried again, and no snapshot waits for a log that nobody writes.
  expect(await failing.tell('outcome')).toEqual({
    code: 'ERR_KVS_NO_SPACE',
    events: ['log-loaded', 'log-thread-died'],
  });
  expect(readdirSync('/dev/shm').filter((file) => file.startsWith(`kvs.${name}.`))).toEqual([]);
  await startServerProcess(options, name);
  expect(await (await connect(name)).get('k')).toBe('v');
});

test.each(['always', 'everysec'] as const)(
  'a segment that cannot be begun stops writes until it can, `%s`',
  async (sync) => {
    const scene = await startOnBadDisk(sync, { segmentBytes: 2 ** 16, snapshotIntervalMs: 0 });
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
    for (const [key, value] of known) expect([key, await after.get(key)]).toEqual([key, value]);
  },
);

describe.each([
  { fault: 'fdatasyncSync EIO', reason: 'failed' },
  { fault: 'writeSync EIO', reason: 'failed' },
  { fault: 'writeSync ENOSPC', reason: 'full' },
  { fault: 'writeSync EROFS', reason: 'failed' },
])('$fault', ({ fault, reason }) => {
  test('with `always` nothing is acknowledged meanwhile, and everything that was is there later', async () => {
    const scene = await startOnBadDisk('always');
    const client = await connect(scene.name);
    const known = new Map<string, string | undefined>();
    for (let i = 0; i < 50; i++) {
      await client.set(`good ${i}`, `${i}`);
      known.set(`good ${i}`, `${i}`);
    }
    scene.fail(fault);
    const waiting = client.set('waiting', 'for the disk');
    const refusal = await writeUntilRefused(client, known);
    expect(refusal).toMatchObject({ code: 'ERR_KVS_NOT_DURABLE', executed: 'no' });
    await expect(client.del('good 1')).rejects.toMatchObject({ code: 'ERR_KVS_NOT_DURABLE' });
    await expect(client.incr('number')).rejects.toMatchObject({ code: 'ERR_KVS_NOT_DURABLE' });
    expect(await client.get('good 7')).toBe('7');
    expect((await client.stats()).log).toMatchObject({ trouble: reason });
    scene.fail(undefined);
    expect(await waiting).toBe(true);
    known.set('waiting', 'for the disk');
    await writeUntilTaken(client);
    known.set('taken', 'again');
    const events = ((await scene.server.tell('events')) as ServerEvent[]).map(({ type }) => type);
    expect(events).toContain('log-trouble');
    expect(events).toContain('log-resumed');
    const later = await loseMachine(scene);
    for (const [key, value] of known) expect(await later.get(key), key).toBe(value);
  });
});
