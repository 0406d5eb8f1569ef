import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { openLogDirectory } from '#dist/log/directory.js';
import { recover } from '#dist/log/recovery.js';
import { SnapshotWriter } from '#dist/log/snapshot-writer.js';
import { LogWriter } from '#dist/log/writer.js';

import { CLIENT, Running } from '../fixtures/cli.js';
import { addEntry, type Effect, encodeEffects, ModelSink } from '../fixtures/log/model-store.js';
import { temporaryDirectory } from '../fixtures/processes.js';

const STORE_ID = '0123456789abcdef';
const kvs = (...args: string[]) => new Running(CLIENT, args).ended;

/** A snapshot behind two records, and a third behind the snapshot. */
function written(): string {
  const path = join(temporaryDirectory(), 'log');
  const directory = openLogDirectory(path);
  recover(directory, new ModelSink());
  const log = LogWriter.open(directory, { storeId: STORE_ID, nextSequence: 1 });
  const append = (version: number, ...effects: Effect[]) => {
    const { views, bytes } = encodeEffects(effects, version);
    log.append(views, 0, bytes);
    log.sync();
  };
  append(
    1,
    { type: 'put', key: 'a', value: 'one' },
    { type: 'put', key: 'b', value: 'two', expiresAtMs: 1_800_000_000_000 },
  );
  const snapshot = SnapshotWriter.begin(directory, { storeId: STORE_ID, sequence: 2 });
  addEntry(snapshot, 'a', { value: 'one', version: 1, expiresAtMs: 0, codec: 1 });
  snapshot.finish(2);
  append(3, { type: 'remove', key: 'a' });
  log.close();
  directory.close();
  return path;
}

const linesOf = (stdout: string): unknown[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);

test('log dump prints what a recovery would read, or all of one file', async () => {
  const path = written();
  const all = await kvs('log', 'dump', path);
  expect(all).toMatchObject({ code: 0, stderr: '' });
  expect(linesOf(all.stdout)).toMatchObject([
    { operation: 'entry', key: 'a', value: 'one', codec: 'utf8', version: 1 },
    { operation: 'remove', sequence: 3, key: 'a', version: 3, at: '2023-11-14T22:13:20.000Z' },
    { operation: 'mark', sequence: 4 },
  ]);
  const segment = await kvs('log', 'dump', join(path, 'log-0000000000000001.kvl'));
  expect(linesOf(segment.stdout)).toMatchObject([
    { operation: 'put', sequence: 1, key: 'a', value: 'one' },
    { operation: 'put', sequence: 2, key: 'b', expiresAt: '2027-01-15T08:00:00.000Z' },
    { sequence: 3 },
    { sequence: 4 },
  ]);
});

test('log check tells what a server would make of the files, and changes none', async () => {
  const path = written();
  const segment = join(path, 'log-0000000000000001.kvl');
  expect(await kvs('log', 'check', path)).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('A server would recover everything, up to record 4') as string,
  });
  truncateSync(segment, readFileSync(segment).length - 3);
  const torn = await kvs('--json', 'log', 'check', path);
  expect(torn.code).toBe(1);
  expect(JSON.parse(torn.stdout)).toMatchObject({
    ok: false,
    files: [
      { kind: 'snapshot', isSound: true },
      { kind: 'segment', isSound: false, lastSequence: 3 },
    ],
    recovery: { isRefused: false, lastSequence: 3, end: { file: segment, what: 'record 4 is not sound' } },
  });
  const bytes = readFileSync(segment);
  bytes[64 + 20] ^= 1;
  writeFileSync(segment, bytes);
  const damaged = await kvs('log', 'check', path);
  expect(damaged).toMatchObject({
    code: 1,
    stdout: expect.stringContaining('A server would refuse this log') as string,
  });
  expect(readFileSync(segment)).toEqual(bytes);
});

test('log check of a directory without any log is a no', async () => {
  const path = temporaryDirectory();
  const { code, stdout } = await kvs('log', 'check', path);
  expect({ code, stdout }).toEqual({
    code: 1,
    stdout: 'There is no file of a log: a server would begin an empty one.\n',
  });
  const json = await kvs('--json', 'log', 'check', path);
  expect({ code: json.code, ...(JSON.parse(json.stdout) as object) }).toMatchObject({ code: 1, ok: false, files: [] });
});

test('wrong words and paths are told as such', async () => {
  expect(await kvs('log', 'prune', '/tmp')).toMatchObject({ code: 2, stdout: '' });
  const missing = await kvs('log', 'check', join(temporaryDirectory(), 'none'));
  expect(missing).toMatchObject({ code: 5, stdout: '' });
  expect(missing.stderr).toContain('ENOENT');
  const foreign = join(temporaryDirectory(), 'log-0000000000000001.kvl');
  writeFileSync(foreign, 'a diary of somebody, in which there is no record of any other kind');
  expect((await kvs('log', 'dump', foreign)).stderr).toContain('is not a segment of a shm-kvs log');
});
