/**
 * How fast a log and a snapshot are written and read back, at the level of files: into a sink that only counts, so without
 * the cost of a store. Files are in the page cache when they are read.
 *
 *   node bench/log-recovery.mjs [--records=N] [--value-bytes=N] [--dir=path] [--json]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { openLogDirectory } from '../dist/log/directory.js';
import { randomStoreId } from '../dist/log/header.js';
import { createRecordViews, keyOffsetOf, recordBytes, valueOffsetOf, writeRecordHeader } from '../dist/log/record.js';
import { recover } from '../dist/log/recovery.js';
import { SnapshotWriter } from '../dist/log/snapshot-writer.js';
import { LogWriter } from '../dist/log/writer.js';

/** @import { RecoverySink } from '../dist/log/sink.js' */

const BATCH = 512;
const KEY_BYTES = 16;
const CODEC = 1;

const { values: options } = parseArgs({
  options: {
    records: { type: 'string', default: '1000000' },
    'value-bytes': { type: 'string', default: '64' },
    dir: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
  },
});
const records = Number(options.records);
const valueBytes = Number(options['value-bytes']);
const storeId = randomStoreId();

/** @type {{ name: string, perSecond: number }[]} */
const results = [];

/**
 * @param {string} name
 * @param {() => number} run returns how many it has done
 */
function measure(name, run) {
  const startedAt = performance.now();
  const count = run();
  const perSecond = Math.round((count / (performance.now() - startedAt)) * 1000);
  results.push({ name, perSecond });
  if (!options.json) console.log(`${name.padEnd(28)} ${perSecond.toLocaleString('en').padStart(14)} per second`);
}

/**
 * Touches what a store would read, so that nothing is optimised away.
 * @returns {RecoverySink & { count: number, sum: number }}
 */
const countingSink = () => ({
  count: 0,
  sum: 0,
  put({ bytes }, keyOffset, _keyBytes, valueOffset) {
    this.count++;
    this.sum += (bytes[keyOffset] ?? 0) + (bytes[valueOffset] ?? 0);
  },
  remove() {},
});

/** @param {string} folder */
function writeLog(folder) {
  const directory = openLogDirectory(folder);
  const log = LogWriter.open(directory, { storeId, nextSequence: 1 });
  const bytes = recordBytes(KEY_BYTES, valueBytes);
  const batch = createRecordViews(bytes * BATCH);
  for (let done = 0; done < records; done += BATCH) {
    const count = Math.min(BATCH, records - done);
    for (let i = 0; i < count; i++) {
      const at = i * bytes;
      writeRecordHeader(batch, at, 1, 0, CODEC, KEY_BYTES, valueBytes, done + i + 1, 0, 1_700_000_000_000);
      batch.words[keyOffsetOf(at) / 4] = done + i;
      batch.words[valueOffsetOf(at, KEY_BYTES) / 4] = done + i;
    }
    log.append(batch, 0, count * bytes);
  }
  log.close();
  directory.close();
  return records;
}

/** @param {string} folder */
function writeSnapshot(folder) {
  const directory = openLogDirectory(folder);
  const writer = SnapshotWriter.begin(directory, { storeId, sequence: records });
  for (let i = 0; i < records; i++) {
    writer.add(KEY_BYTES, valueBytes, CODEC, 0, i + 1, 0);
    writer.entryViews.words[writer.keyOffset / 4] = i;
    writer.entryViews.words[writer.valueOffset / 4] = i;
  }
  writer.finish(records);
  directory.close();
  return records;
}

/** @param {string} folder */
function read(folder) {
  const directory = openLogDirectory(folder);
  const sink = countingSink();
  recover(directory, sink);
  directory.close();
  if (sink.count !== records) throw new Error(`${records} were written, ${sink.count} came back`);
  return sink.count;
}

const folder = mkdtempSync(path.join(options.dir, 'kvs-bench-log-'));
try {
  const [log, snapshot] = [path.join(folder, 'log'), path.join(folder, 'snapshot')];
  measure('log, written', () => writeLog(log));
  measure('log, recovered', () => read(log));
  measure('snapshot, written', () => writeSnapshot(snapshot));
  measure('snapshot, recovered', () => read(snapshot));
  if (options.json) console.log(JSON.stringify({ records, valueBytes, results }));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
