/**
 * Truncation and single flipped bits, at every byte: a recovery gives an exact prefix of what was written or refuses. What
 * was durable when something later was written is never cut, so only the last batch of a log that was not closed can be.
 * Seen to fail: recovery that cuts whatever proof there is, or refuses all that is torn; files without a salt.
 */
import { describe, expect, test } from 'vitest';

import { openLogDirectory } from '#dist/log/directory.js';
import {
  createRecordViews,
  numberRecords,
  recordBytes,
  RecordOperation,
  valueOffsetOf,
  writeRecordHeader,
} from '#dist/log/record.js';
import { repairLog } from '#dist/log/repair.js';
import { native } from '#dist/native.js';

import { LoggedStore } from '../fixtures/log/logged-store.js';
import { MemoryDisk } from '../fixtures/log/memory-disk.js';
import { encodeEffects, type ModelState, recoverState } from '../fixtures/log/model-store.js';

const put = (key: string, value: string) => ({ type: 'put', key, value }) as const;
const FIRST_SEGMENT = 'log-0000000000000001.kvl';

/** One segment: three batches, each durable before the next is written. */
function smallLog(isClosed: boolean) {
  const store = new LoggedStore(new MemoryDisk(), 1e6);
  store.apply(put('a', 'one'), put('b', 'two'));
  store.sync();
  store.apply({ type: 'remove', key: 'a' });
  store.sync();
  store.apply(put('c', 'three'), put('b', 'four'));
  store.sync();
  if (isClosed) store.close();
  return { content: store.disk.content, states: store.states, bytes: store.disk.bytesOf(FIRST_SEGMENT).length };
}

function recovered(disk: MemoryDisk): { state: ModelState; last: number; isTorn: boolean } | string {
  const directory = openLogDirectory(disk.path, disk);
  try {
    const { state, report } = recoverState(directory);
    return { state, last: report.lastSequence, isTorn: report.torn !== undefined };
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  } finally {
    directory.close();
    expect(disk.openFiles).toBe(0);
  }
}

const flip = (at: number, bit: number) => (bytes: Uint8Array) => {
  bytes[at] ^= 1 << bit;
  return bytes;
};

describe('a log', () => {
  test('that is cut at any byte gives the whole records in front of it, or is refused', () => {
    const { content, states, bytes } = smallLog(false);
    const seen = new Set<number | string>();
    for (let length = 0; length < bytes; length++) {
      const disk = MemoryDisk.with(content, FIRST_SEGMENT, (old) => old.slice(0, length));
      const found = recovered(disk);
      if (typeof found === 'string') expect([found, length < 64]).toEqual(['ERR_KVS_LOG_DAMAGED', true]);
      else {
        expect(found.state).toEqual(states[found.last]);
        expect(recovered(disk), 'what was torn is gone').toEqual({ ...found, isTorn: false });
      }
      seen.add(typeof found === 'string' ? found : found.last);
    }
    expect([...seen].filter((last) => typeof last === 'number')).toEqual([0, 1, 2, 3, 4]);
  });

  test.each([
    ['not closed', false, 3],
    ['closed', true, 5],
  ])('that was %s and has one bit flipped loses nothing that was proven durable', (_, isClosed, least) => {
    const { content, states, bytes } = smallLog(isClosed);
    for (let at = 0; at < bytes; at++) {
      const found = recovered(MemoryDisk.with(content, FIRST_SEGMENT, flip(at, at % 8)));
      if (typeof found === 'string') {
        expect(found, `byte ${at}`).toMatch(/^ERR_KVS_LOG_(DAMAGED|FORMAT)$/);
      } else {
        expect(found.last, `byte ${at}`).toBeGreaterThanOrEqual(least);
        expect(found.state, `byte ${at}`).toEqual(states[found.last]);
        expect(found.isTorn).toBe(true);
      }
    }
  });

  test('is repaired to the records in front of the damage, and what was there is kept', () => {
    const { content, states } = smallLog(true);
    const disk = MemoryDisk.with(content, FIRST_SEGMENT, flip(64 + 64 + 20, 0));
    const before = disk.bytesOf(FIRST_SEGMENT);
    const directory = openLogDirectory(disk.path, disk);
    expect(() => recoverState(directory)).toThrow(
      '/log/log-0000000000000001.kvl is damaged at byte 128: record 2 is not sound; restore it from a backup, or start ' +
        'once with --repair, which keeps copies and ends the log with record 1',
    );
    const [repair, ...others] = repairLog(directory);
    expect(others).toEqual([]);
    expect(repair).toMatchObject({ action: 'cut', offset: 128, lostBytes: before.length - 128 });
    expect(disk.bytesOf(`${FIRST_SEGMENT}.damaged-1`)).toEqual(before);
    expect(recoverState(directory).state).toEqual(states[1]);
    expect(repairLog(directory)).toEqual([]);
  });

  test('that lacks a segment in the middle is refused, and repaired to what is in front of the gap', () => {
    const store = new LoggedStore(new MemoryDisk(), 100);
    for (const key of ['a', 'b', 'c', 'd']) {
      store.apply(put(key, key));
      store.sync();
    }
    store.directory.close();
    store.disk.unlink('log-0000000000000002.kvl');
    expect(() => recoverState(openLogDirectory(store.disk.path, store.disk))).toThrow(
      'log-0000000000000003.kvl is damaged at byte 0: records 2 to 2 are missing in front of it',
    );
    const repairs = repairLog(openLogDirectory(store.disk.path, store.disk));
    expect(repairs.map(({ action, copy }) => `${action} ${copy}`)).toEqual([
      'set-aside /log/log-0000000000000004.kvl.damaged-1',
      'set-aside /log/log-0000000000000003.kvl.damaged-1',
    ]);
    expect(recoverState(openLogDirectory(store.disk.path, store.disk)).state).toEqual(store.states[1]);
  });
});

describe('a snapshot', () => {
  /** Two snapshots, and the log behind both. */
  function withSnapshots(keep: number) {
    const store = new LoggedStore(new MemoryDisk(), 300);
    for (const key of ['a', 'b', 'c']) store.apply(put(key, key.repeat(20)));
    store.snapshot(() => store.apply(put('d', 'while it runs')), keep, 128);
    store.apply(put('e', 'later'), put('a', 'changed'));
    store.snapshot(() => store.apply({ type: 'remove', key: 'b' }, put('f', 'f')), keep, 128);
    store.apply(put('g', 'last'));
    store.close();
    const names = [...store.disk.content.names.keys()].filter((name) => name.endsWith('.kvs')).sort();
    return { store, content: store.disk.content, newest: names.at(-1)!, names };
  }

  test('that is damaged at any byte is passed over for the one before it', () => {
    const { store, content, newest, names } = withSnapshots(2);
    expect(names).toHaveLength(2);
    for (let at = 0; at < store.disk.bytesOf(newest).length; at++) {
      const found = recovered(MemoryDisk.with(content, newest, flip(at, at % 8)));
      if (typeof found === 'string') expect(found).toBe('ERR_KVS_LOG_FORMAT');
      else expect(found.state, `byte ${at}`).toEqual(store.state);
    }
    const disk = MemoryDisk.with(content, newest, flip(100, 0));
    const { report } = recoverState(openLogDirectory(disk.path, disk));
    expect(report.passedOver).toEqual([{ file: `/log/${newest}`, reason: 'it is damaged at byte 64' }]);
    expect(report.snapshot?.file).toBe(`/log/${names[0]}`);
  });

  test('that is the only one is refused when it is damaged, or cut', () => {
    const { store, content, newest } = withSnapshots(1);
    const bytes = store.disk.bytesOf(newest).length;
    for (let at = 0; at < bytes; at++) {
      expect(recovered(MemoryDisk.with(content, newest, flip(at, at % 8)))).toMatch(/DAMAGED|FORMAT/);
      expect(recovered(MemoryDisk.with(content, newest, (old) => old.slice(0, at)))).toMatch(/DAMAGED|FORMAT/);
    }
    const disk = MemoryDisk.with(content, newest, flip(100, 0));
    const directory = openLogDirectory(disk.path, disk);
    const repairs = repairLog(directory);
    directory.close();
    expect(repairs.map(({ file, action }) => [file, action])).toContainEqual([`/log/${newest}`, 'set-aside']);
    expect(recovered(disk)).toMatchObject({ last: 0 });
  });

  test('shows effects up to its end: a log that ends before that is refused', () => {
    const store = new LoggedStore(new MemoryDisk(), 1e6);
    store.apply(put('a', '1'), put('b', '2'));
    store.snapshot(() => store.apply(put('c', '3')), 1);
    store.directory.close();
    const disk = MemoryDisk.with(store.disk.content, FIRST_SEGMENT, (old) => old.slice(0, 64 + 64 + 64));
    expect(() => recoverState(openLogDirectory(disk.path, disk))).toThrow(
      'the log ends with record 2, though 3 had been durable',
    );
  });

  test('alone is enough where it was taken of a store at rest', () => {
    const store = new LoggedStore(new MemoryDisk(), 1e6);
    store.apply(put('a', '1'), put('b', '2'));
    store.snapshot();
    store.directory.close();
    store.disk.unlink(FIRST_SEGMENT);
    const { state, report } = recoverState(openLogDirectory(store.disk.path, store.disk));
    expect(state).toEqual(store.state);
    expect(report).toMatchObject({ lastSequence: 2, records: 0, highestVersion: 2, snapshot: { entries: 2 } });
  });
});

test('a store that survived in memory gets only what is behind it', () => {
  const { content, states } = smallLog(true);
  const disk = new MemoryDisk(content);
  const directory = openLogDirectory(disk.path, disk);
  const { state, report } = recoverState(directory, { after: 3 });
  expect(report).toMatchObject({ records: 3, lastSequence: 6, snapshot: undefined });
  expect(state).toEqual(states[5]);
  expect(() => recoverState(directory, { after: 7 })).toThrow(
    'the log ends with record 6, the store in memory has effects up to 7',
  );
});

test('damage in front of the snapshot that is used is damage all the same: records behind it may have been promised', () => {
  const store = new LoggedStore(new MemoryDisk(), 1e6);
  store.apply(put('a', '1'), put('b', '2'));
  store.snapshot();
  store.apply(put('c', '3'));
  store.sync();
  expect(recovered(MemoryDisk.with(store.disk.content, FIRST_SEGMENT, flip(64 + 20, 0)))).toBe('ERR_KVS_LOG_DAMAGED');
});

test('a value that looks like a record of the log is not taken for one behind a torn tail', () => {
  const store = new LoggedStore(new MemoryDisk(), 1e6);
  store.apply(put('a', '1'));
  store.sync();
  // What a client can know: the format, not the salt of the file. It says that 998 was durable.
  const forged = encodeEffects([put('x', 'y')], 1);
  numberRecords(forged.views, 0, forged.bytes, 999, 998);
  native.sealFrames(forged.views.bytes, 0, forged.bytes);
  const outer = createRecordViews(recordBytes(4, 4 + forged.bytes));
  const bytes = writeRecordHeader(outer, 0, RecordOperation.put, 0, 0, 4, 4 + forged.bytes, 2, 0, 0);
  outer.bytes.set(forged.views.bytes, valueOffsetOf(0, 4) + 4);
  store.log.append(outer, 0, bytes);
  const found = recovered(MemoryDisk.with(store.disk.content, FIRST_SEGMENT, flip(64 + 64 + 20, 0)));
  expect(found).toMatchObject({ last: 1, isTorn: true });
});
