/**
 * Servers that are killed while what they have acknowledged is in memory only, because the disk hangs: in the middle of a
 * stop, and followed by a server that cannot go on with the region as it is.
 * With `always` there is no such thing: nothing is answered before it is synced.
 * Seen to fail when: what was appended counts as durable before its sync; the region is said to have ended before the log is written; it is put aside as it was found; the next
 * server answers what waited for the log though a sync had failed.
 */
import { closeSync, existsSync, openSync, readdirSync, statSync, truncateSync, writeSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import type { KvsClient, ServerEvent } from '#dist/index.js';
import { DataHeader } from '#dist/memory/layout.js';

import { type BadDisk, startOnBadDisk } from '../fixtures/bad-disk.js';
import { Peer, until } from '../fixtures/processes.js';
import { loseRegion } from '../fixtures/region.js';
import { connect, openClient, type ServerShape, startServerProcess, statsUntil } from '../fixtures/service.js';

/** Its calls wait for the next server, however long that takes to start. */
const connectPatiently = (name: string): Promise<KvsClient> =>
  openClient({ name, reconnectTimeoutMs: 60_000, reads: 'server' });

interface Scene extends BadDisk {
  readonly client: KvsClient;
}

async function start(sync: 'always' | 'everysec'): Promise<Scene> {
  const scene = await startOnBadDisk({ maxMemory: 8 * 2 ** 20, sync });
  return { ...scene, client: await connectPatiently(scene.name) };
}

/** `only in memory` is acknowledged, and in no file. */
async function startAndHang(): Promise<Scene> {
  const scene = await start('everysec');
  const { client, faults } = scene;
  faults.begin('fdatasyncSync hang');
  await client.set('written', '1');
  await until(() => faults.hasHung);
  await client.set('only in memory', '2');
  return scene;
}

async function expectAll(name: string, options: ServerShape): Promise<ServerEvent[]> {
  const server = await startServerProcess(options, name);
  const client = await connect(name);
  expect(await client.get('written')).toBe('1');
  expect(await client.get('only in memory')).toBe('2');
  return (await server.tell('events')) as ServerEvent[];
}

test('with `always` nothing is answered while its sync hangs', async () => {
  const { client, faults, server, options, name } = await start('always');
  await client.set('written', '1');
  faults.begin('fdatasyncSync hang');
  let isAnswered = false;
  const late = client.set('only in memory', '2').then(() => (isAnswered = true));
  await until(() => faults.hasHung);
  // An answer that is there already would be found with this one.
  expect(await client.get('written')).toBe('1');
  expect(isAnswered).toBe(false);
  await server.kill();
  // The next server answers in its place.
  await expectAll(name, options);
  expect(await late).toBe(true);
});

test('killed in the middle of a stop', async () => {
  const { name, dir, server, options } = await startAndHang();
  void server.tell('stop').catch(() => {});
  // The last snapshot is begun when nobody works any more.
  await until(() => readdirSync(dir).some((file) => file.endsWith('.tmp')));
  await server.kill();
  await expectAll(name, options);
});

// Seen to fail (never to begin the snapshot) when a stop goes by the figures that the thread has published.
test('stopped while the log has written nothing yet, and killed in the middle of that', async () => {
  const { name, dir, server, options, client, faults } = await start('everysec');
  faults.begin('writeSync hang .kvl');
  await client.set('written', '1');
  await until(() => faults.hasHung);
  await client.set('only in memory', '2');
  void server.tell('stop').catch(() => {});
  await until(() => readdirSync(dir).some((file) => file.endsWith('.tmp')));
  await server.kill();
  await expectAll(name, options);
});

test('killed, and followed by a server of another shape', async () => {
  const { name, server, options } = await startAndHang();
  await server.kill();
  const events = await expectAll(name, { ...options, maxMemory: 16 * 2 ** 20 });
  expect(events.map(({ type }) => type)).toContain('region-replaced');
});

test('killed, and one server after the other has died over it', async () => {
  const { name, server, options } = await startAndHang();
  await server.kill();
  const data = openSync(`/dev/shm/kvs.${name}.data`, 'r+');
  writeSync(data, new Int32Array([2]), 0, 4, DataHeader.recoveries * 4);
  closeSync(data);
  const events = await expectAll(name, options);
  expect(events.map(({ type }) => type)).toContain('region-replaced');
});

test('after a failed sync the next server answers nothing before there is a snapshot of all', async () => {
  const { name, dir, options, faults, server: first, client } = await start('always');
  const segments = (): string[] => readdirSync(dir).filter((file) => file.endsWith('.kvl'));
  await client.set('good', '1');
  const segment = join(dir, segments()[0] ?? '');
  const { size } = statSync(segment);
  faults.begin('fdatasyncSync EIO');
  let isAnswered = false;
  const waiting = client.set('waiting', '2').then((answer) => (isAnswered = answer));
  await statsUntil(client, ({ log }) => log?.trouble === 'failed');
  // The log goes on in a new segment, and the snapshot that would close the gap does not come to its end.
  faults.begin('fdatasyncSync hang snapshot-');
  await until(() => faults.hasHung);
  expect(segments()).toHaveLength(2);
  await first.kill();
  faults.forgetHangs();
  const second = Peer.startWith(faults.settings, 'service/server', JSON.stringify({ name, ...options }));
  await until(() => faults.hasHung);
  expect(isAnswered).toBe(false);
  faults.end();
  await second;
  await waiting;
  expect(isAnswered).toBe(true);
  await (await second).kill();
  // The machine fails: what the failed sync was to make durable never came to the disk.
  if (existsSync(segment)) truncateSync(segment, size);
  loseRegion(name);
  await startServerProcess(options, name);
  const later = await connect(name);
  expect(await later.get('good')).toBe('1');
  expect(await later.get('waiting')).toBe('2');
});
