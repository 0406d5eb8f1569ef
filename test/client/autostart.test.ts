/**
 * Servers that clients start: one of however many, nobody's child, with the options that were asked for; and why there is
 * none. Seen to fail when: the server is a child; what it says is not listened to; a relative directory stays relative.
 */
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { parsePlain } from '#dist/cli/server-flags.js';
import { readSettings } from '#dist/cli/server-settings.js';
import { type AutostartOptions, KvsClient, type KvsStatistics } from '#dist/index.js';
import { type ResolvedServerOptions, resolveServerOptions } from '#dist/server/options.js';

import { Peer, temporaryDirectory, until } from '../fixtures/processes.js';
import { regionName } from '../fixtures/region.js';
import { closing, connect, failureOf } from '../fixtures/service.js';

const SMALL: AutostartOptions = { workers: 1, maxMemory: 16 * 2 ** 20, slots: 64 };
const PATIENCE = { connectTimeoutMs: 60_000, timeoutMs: 60_000 };

/** Processes that were started to serve the region. */
const serversOf = (name: string): number[] =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return pid > 0 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes(name);
      } catch {
        return false; // it has ended meanwhile
      }
    });

/** A name whose servers are killed when the test ends: they outlive their clients. */
function freeName(): string {
  const name = regionName();
  // One that was started too late would take the place of a dead one.
  onTestFinished(() => {
    for (const pid of serversOf(name)) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended meanwhile.
      }
    }
  });
  return name;
}

/** What a server makes of its command line. */
function optionsOf(pid: number): ResolvedServerOptions {
  const [, , ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  const flags = parsePlain(args);
  if (flags === undefined) throw new Error(`not the flags of a server: ${args.join(' ')}`);
  return readSettings(flags, {}).resolved;
}

const startPeer = (options: object): Promise<Peer> =>
  Peer.start('service/client', JSON.stringify({ ...PATIENCE, ...options }));

/** @returns the pids of a process' ancestors, its parent first */
function ancestorsOf(pid: number): number[] {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const parent = Number(/^PPid:\t(\d+)$/m.exec(status)?.[1]);
  return parent === 0 ? [] : [parent, ...ancestorsOf(parent)];
}

test('ten processes that connect at once share one server', async () => {
  const name = freeName();
  const peers = await Promise.all(Array.from({ length: 10 }, () => startPeer({ name, autostart: SMALL })));
  const sums = await Promise.all(peers.map((peer) => peer.tell('incr', 'count')));
  expect(sums.map((sum) => (sum as { result: number }).result).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 10 }, (_, i) => i + 1),
  );
  const stats = (await Promise.all(peers.map((peer) => peer.tell('stats')))) as { result: KvsStatistics }[];
  expect(new Set(stats.map(({ result }) => result.pid)).size).toBe(1);
  expect(stats[0].result).toMatchObject({ clients: 10, workers: 1, slots: { total: 64 } });
});

test('a server is no descendant of the client that started it, and outlives it', async () => {
  const name = freeName();
  const peer = await startPeer({ name, autostart: SMALL });
  expect(await peer.tell('set', 'k', 'v')).toEqual({ result: true });
  const { result } = (await peer.tell('stats')) as { result: KvsStatistics };
  await until(() => !ancestorsOf(result.pid).includes(peer.process.pid ?? 0));
  await peer.kill();
  const client = await connect(name);
  expect(await client.get('k')).toBe('v');
  expect((await client.stats()).pid).toBe(result.pid);
});

test('it has the options that were asked for, and paths as its client sees them', async () => {
  const name = freeName();
  const folder = temporaryDirectory();
  mkdirSync(path.join(folder, 'shm'));
  const relative = (part: string): string => path.relative(process.cwd(), path.join(folder, part));
  const autostart: Required<AutostartOptions> = {
    workers: 1,
    stripes: 16,
    slots: 64,
    maxMemory: 16 * 2 ** 20,
    maxSlotsPerClient: 32,
    maxArenaPerClient: 3 * 2 ** 20,
    maxValueBytes: 100_000,
    eviction: 's3-fifo',
    dir: relative('log'),
    sync: 'always',
    segmentBytes: 2 ** 20,
    snapshotIntervalMs: 12_345.5,
    snapshotLogBytes: 3 * 2 ** 20,
    logMemory: 2 ** 21,
    drainTimeoutMs: 1000,
    hugePages: false,
    keep: true,
  };
  const shmDir = relative('shm');
  const client = closing(await KvsClient.connect({ name, shmDir, autostart, ...PATIENCE }));
  await client.set('k', 'v');
  const { pid, eviction, slots, log } = await client.stats();
  const { onEvent: _, ...expected } = resolveServerOptions({
    name,
    ...autostart,
    shmDir: path.join(folder, 'shm'),
    dir: path.join(folder, 'log'),
  });
  expect(optionsOf(pid)).toMatchObject(expected);
  expect({ eviction, slots }).toMatchObject({ eviction: { policy: 's3-fifo' }, slots: { total: 64 } });
  expect(log).toMatchObject({ trouble: 'none' });
  expect(readdirSync(path.join(folder, 'log')).length).toBeGreaterThan(0);
  expect(await failureOf(client.set('k', 'x'.repeat(100_001)))).toMatchObject({ code: 'ERR_KVS_TOO_LARGE' });
  process.kill(pid, 'SIGTERM');
  await until(() => serversOf(name).length === 0);
  // It has kept its data, and says that it was stopped.
  const gone = await failureOf(KvsClient.connect({ name, shmDir }));
  expect([gone.code, gone.message]).toEqual([
    'ERR_KVS_NO_REGION',
    expect.stringContaining('was stopped; what it held'),
  ]);
  const again = closing(await KvsClient.connect({ name, shmDir, autostart, ...PATIENCE }));
  expect(await again.get('k')).toBe('v');
});

test.each<[string, object, RegExp]>([
  ['a bound', { maxMemory: 5 }, /^invalid client options: autostart: maxMemory: expected a whole number from 4194304 /],
  [
    'what does not fit together',
    { maxMemory: 4 * 2 ** 20, maxValueBytes: 2 * 2 ** 20 },
    /^invalid client options: autostart: maxValueBytes: expected at most a quarter of maxMemory/,
  ],
  ['a choice', { eviction: 'lru' }, /autostart\.eviction: expected one of none, s3-fifo, got string "lru"$/],
  ['a name', { maxMem: 5 }, /^invalid client options: autostart\.maxMem: there is no option of that name$/],
  ['no object', [5], /autostart/],
])('a wrong option of it is a TypeError that names it: %s', async (_, autostart, message) => {
  const name = freeName();
  const connecting = KvsClient.connect({ name, autostart, ...PATIENCE } as never);
  await expect(connecting).rejects.toThrow(TypeError);
  await expect(connecting).rejects.toThrow(message);
});

test('why it does not start is what connect() fails with, at once', async () => {
  const name = freeName();
  const log = KvsClient.connect({ name, autostart: { ...SMALL, dir: '/proc/none/log' }, ...PATIENCE });
  expect(await failureOf(log)).toMatchObject({
    code: 'ERR_KVS_LOG_DIR',
    message: expect.stringContaining('/proc/none') as string,
  });
  const nowhere = KvsClient.connect({ name, shmDir: '/nonexistent', autostart: true, ...PATIENCE });
  await expect(nowhere).rejects.toThrow('invalid client options: autostart: shmDir: expected a directory');
});
