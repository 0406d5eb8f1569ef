/**
 * What a server makes of files alone, written here record by record. Seen to fail when versions are raised only behind what
 * is loaded, or to what only some of the files name, and when an entry loses bytes as its expiry changes.
 */

import { expect, test } from 'vitest';

import { type LogDirectory, openLogDirectory } from '#dist/log/directory.js';
import { SnapshotWriter } from '#dist/log/snapshot-writer.js';
import { LogWriter } from '#dist/log/writer.js';

import { diskDirectory } from '../fixtures/processes.js';
import { STORE_ID } from '../fixtures/log/logged-store.js';
import { addEntry, type Effect, encodeEffects } from '../fixtures/log/model-store.js';
import { connect, startServer } from '../fixtures/service.js';

const HIGHEST = 1_000_003;
/** Enough for each of four stripes to have some. */
const KEYS = Array.from({ length: 40 }, (_, i) => `key ${i}`);
const put = (key: string, value = 'value'): Effect => ({ type: 'put', key, value });

/** @returns the path of a directory with what `write` writes */
function directoryOf(write: (directory: LogDirectory) => void): string {
  const path = diskDirectory();
  const directory = openLogDirectory(path);
  write(directory);
  directory.close();
  return path;
}

/** A log that begins with record `nextSequence`. @param highestVersion what its header names */
function writeLog(
  directory: LogDirectory,
  batches: readonly { readonly effects: readonly Effect[]; readonly version: number }[],
  nextSequence = 1,
  highestVersion = 0,
): void {
  const log = LogWriter.open(directory, { storeId: STORE_ID, nextSequence, highestVersion });
  for (const { effects, version } of batches) {
    const { views, bytes } = encodeEffects(effects, version);
    log.append(views, 0, bytes);
  }
  log.close();
}

const FIRST = { effects: KEYS.map((key) => put(key)), version: 1 };

/** By what names the highest version. */
const FILES: Record<string, (directory: LogDirectory) => void> = {
  'the last write': (directory) => writeLog(directory, [FIRST, { effects: [put('key 7')], version: HIGHEST }]),
  'a write that others followed': (directory) =>
    writeLog(directory, [{ effects: [put('key 7')], version: HIGHEST }, FIRST]),
  'a removal': (directory) =>
    writeLog(directory, [FIRST, { effects: [put('gone'), { type: 'remove', key: 'gone' }], version: HIGHEST - 1 }]),
  'the header of the log': (directory) => writeLog(directory, [FIRST], 1, HIGHEST),
  'the footer of a snapshot': (directory) => {
    writeSnapshot(directory, KEYS.slice(0, 20), 1, HIGHEST);
    writeLog(directory, [{ effects: KEYS.slice(20).map((key) => put(key)), version: 100 }], 21);
  },
  'an entry of a snapshot': (directory) => {
    writeSnapshot(directory, ['key 0'], HIGHEST, 0);
    writeLog(directory, [{ effects: KEYS.slice(1).map((key) => put(key)), version: 100 }], 21);
  },
};

/** A snapshot behind 20 records. */
function writeSnapshot(directory: LogDirectory, keys: readonly string[], version: number, highest: number): void {
  const writer = SnapshotWriter.begin(directory, { storeId: STORE_ID, sequence: 20 });
  for (const key of keys) addEntry(writer, key, { value: 'value', version, expiresAtMs: 0, codec: 1 });
  writer.raiseVersion(highest);
  writer.finish(20);
}

test.each(Object.entries(FILES))('versions go on above the highest, which %s names', async (_, write) => {
  const { name } = await startServer({ dir: directoryOf(write), sync: 'no', stripes: 4 });
  const client = await connect(name);
  for (const key of KEYS) {
    const { value, version = 0 } = (await client.getEntry(key)) ?? {};
    expect(value).toBe('value');
    expect(version, key).toBeGreaterThan(HIGHEST);
    await client.set(key, 'new');
    expect((await client.getEntry(key))?.version, key).toBeGreaterThan(version);
    await client.set(`not ${key}`, 'new');
    expect((await client.getEntry(`not ${key}`))?.version, key).toBeGreaterThan(HIGHEST);
  }
});
