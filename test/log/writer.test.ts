/**
 * What a log does when its disk fails: nothing is acknowledged that may be lost, and service resumes when it can.
 * Seen to fail: a failed sync that is tried again; recovery that does not write again what it found; a log that keeps in
 * memory what it has written, or says so for each record.
 */
import { expect, test } from 'vitest';

import { openLogDirectory } from '#dist/log/directory.js';

import { crashStates, randomOf } from '../fixtures/log/crash-states.js';
import { LoggedStore } from '../fixtures/log/logged-store.js';
import { MemoryDisk } from '../fixtures/log/memory-disk.js';
import { encodeEffects, recoverState } from '../fixtures/log/model-store.js';

const put = (key: string, value: string) => ({ type: 'put', key, value }) as const;

/** What a process that was killed now would find. */
function afterKill({ disk }: LoggedStore) {
  const copy = new MemoryDisk(disk.content);
  return recoverState(openLogDirectory(copy.path, copy));
}

function oneDurable() {
  const store = new LoggedStore(new MemoryDisk(), 1e6);
  store.apply(put('a', '1'));
  store.sync();
  return store;
}

test('writes that are taken in small parts are whole in the end', () => {
  const store = oneDurable();
  store.disk.maxWriteBytes = 7;
  store.apply(put('b', 'x'.repeat(100)), put('c', '3'));
  store.close();
  expect(afterKill(store).state).toEqual(store.state);
});

test.each(['ENOSPC', 'EDQUOT'])(
  'a disk without room (%s) refuses, keeps what it has, and goes on when there is room',
  (code) => {
    const store = oneDurable();
    store.disk.faults.push({ call: 'write', code, times: 2, partial: 60 });
    const { views, bytes } = encodeEffects([put('b', '2'), put('c', '3')], 2);
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(() => store.log.append(views, 0, bytes)).toThrow(expect.objectContaining({ code: 'ERR_KVS_NO_SPACE' }));
      expect(store.log).toMatchObject({ state: 'full', nextSequence: 2, durableSequence: 1 });
      expect(afterKill(store).report).toMatchObject({ lastSequence: 1, torn: undefined });
    }
    expect(store.log.append(views, 0, bytes)).toBe(3);
    expect(store.log.state).toBe('open');
    expect(store.log.sync()).toBe(3);
    expect(afterKill(store).report).toMatchObject({ lastSequence: 3, torn: undefined });
  },
);

test('a disk without room for the next segment refuses in the same way', () => {
  const store = new LoggedStore(new MemoryDisk(), 100);
  store.apply(put('a', '1'));
  store.disk.faults.push({ call: 'write', code: 'ENOSPC', times: 1 });
  const { views, bytes } = encodeEffects([put('b', '2')], 2);
  expect(() => store.log.append(views, 0, bytes)).toThrow(expect.objectContaining({ code: 'ERR_KVS_NO_SPACE' }));
  expect(store.log).toMatchObject({ state: 'full', durableSequence: 1 });
  expect(store.disk.list().sort()).toEqual(['lock', 'log-0000000000000001.kvl']);
  expect(store.log.append(views, 0, bytes)).toBe(2);
  expect(store.disk.list()).toContain('log-0000000000000002.kvl');
});

test('what did not fit and cannot be taken back makes the log fail', () => {
  const store = oneDurable();
  store.disk.faults.push(
    { call: 'write', code: 'ENOSPC', times: 1, partial: 60 },
    { call: 'truncate', code: 'EIO', times: 1 },
  );
  expect(() => store.apply(put('b', '2'))).toThrow('could not take a failed write back from');
  expect(store.log.state).toBe('failed');
});

test('a sync that fails is not tried again, and nothing behind the last good one is acknowledged', () => {
  const store = oneDurable();
  store.apply(put('b', '2'));
  store.disk.faults.push({ call: 'fdatasync', code: 'EIO', times: 1 });
  expect(() => store.sync()).toThrow(expect.objectContaining({ code: 'ERR_KVS_LOG_FAILED' }));
  // The disk would say yes now.
  const operations = store.disk.journal.length;
  expect(() => store.sync()).toThrow('writes behind record 1 may be lost');
  expect(() => store.log.append(encodeEffects([put('c', '3')], 3).views, 0, 64)).toThrow('may be lost');
  expect(store.disk.journal).toHaveLength(operations);
  expect(store.log).toMatchObject({ state: 'failed', durableSequence: 1 });
});

test('after a failed sync a new segment and a snapshot of everything make the log whole', () => {
  const store = oneDurable();
  store.apply(put('b', '2'));
  store.disk.faults.push({ call: 'fdatasync', code: 'EIO', times: 1 });
  expect(() => store.sync()).toThrow();
  store.log.reopen();
  expect(store.log).toMatchObject({ state: 'reopened', nextSequence: 3, durableSequence: 1 });
  store.apply(put('c', '3'));
  store.sync();
  // On the disk, but behind a gap: not to be acknowledged.
  expect([store.log.durableSequence, store.log.syncedSequence]).toEqual([1, 3]);
  expect(() => store.log.resume(1)).toThrow(RangeError);
  // The disk has lost what the failed sync was for: a crash now leaves what was acknowledged, without a complaint.
  const lost = MemoryDisk.with(store.disk.content, 'log-0000000000000001.kvl', (bytes) => bytes.slice(0, 64 + 64));
  expect(recoverState(openLogDirectory(lost.path, lost))).toMatchObject({
    report: { lastSequence: 1 },
    state: store.states[1],
  });
  store.snapshot();
  expect(store.log).toMatchObject({ state: 'open', durableSequence: 3 });
  store.apply(put('d', '4'));
  store.sync();
  expect(store.log.durableSequence).toBe(4);
  const lostLater = MemoryDisk.with(store.disk.content, 'log-0000000000000003.kvl', (bytes) => bytes);
  expect(recoverState(openLogDirectory(lostLater.path, lostLater)).state).toEqual(store.state);
  // Two snapshots cover it.
  store.snapshot();
  expect(store.disk.list()).not.toContain('log-0000000000000001.kvl');
});

test('what a failed sync has lost is written again by the next process, before it relies on it', () => {
  const store = oneDurable();
  store.apply(put('b', '2'));
  store.disk.faults.push({ call: 'fdatasync', code: 'EIO', times: 1 });
  expect(() => store.sync()).toThrow();
  store.log.close();
  store.directory.close();
  // The process dies; the next finds record 2 in the page cache, and syncs say yes.
  const next = new LoggedStore(store.disk, 1e6, store.states);
  expect(next.log.durableSequence).toBe(2);
  for (const content of crashStates(
    store.disk.initial,
    store.disk.journal,
    store.disk.journal.length,
    randomOf(1),
    0,
  )) {
    const crashed = new MemoryDisk(content);
    const { state, report } = recoverState(openLogDirectory(crashed.path, crashed));
    expect(report.lastSequence).toBe(2);
    expect(state).toEqual(store.states[2]);
  }
});

test('a write that fails in the middle makes the log fail; its batch goes into the next segment', () => {
  const store = oneDurable();
  store.disk.faults.push({ call: 'write', code: 'EIO', times: 1, partial: 80 });
  const { views, bytes } = encodeEffects([put('b', '2'), put('c', '3')], 2);
  expect(() => store.log.append(views, 0, bytes)).toThrow(expect.objectContaining({ code: 'ERR_KVS_LOG_FAILED' }));
  store.log.reopen();
  expect(store.log.append(views, 0, bytes)).toBe(5);
  store.log.sync();
  expect(afterKill(store).report.lastSequence).toBe(2);
  expect(store.log.durableSequence).toBe(1);
});

test('a log that cannot be reopened stays failed, and can be tried again', () => {
  const store = oneDurable();
  store.apply(put('b', '2'));
  store.disk.faults.push({ call: 'fdatasync', code: 'EIO', times: 2 });
  expect(() => store.sync()).toThrow();
  expect(() => store.log.reopen()).toThrow(expect.objectContaining({ code: 'ERR_KVS_LOG_FAILED' }));
  expect(store.log.state).toBe('failed');
  store.log.reopen();
  expect(store.log.state).toBe('reopened');
});

test.each(['write', 'fdatasync', 'rename'] as const)(
  'a snapshot whose %s fails leaves nothing, and the log goes on',
  (call) => {
    const store = oneDurable();
    const names = store.disk.list();
    store.disk.faults.push({ call, code: 'ENOSPC', times: 1 });
    expect(() => store.snapshot()).toThrow(expect.objectContaining({ code: 'ERR_KVS_NO_SPACE' }));
    expect(store.disk.list()).toEqual(names);
    store.apply(put('b', '2'));
    store.snapshot();
    expect(afterKill(store)).toMatchObject({ state: store.state, report: { snapshot: { entries: 2 } } });
  },
);

// If the first snapshot takes segments with it, the first expectation fails (seen).
test('snapshots take segments with them, but those behind the oldest that is kept', () => {
  const store = new LoggedStore(new MemoryDisk(), 100);
  for (const key of ['a', 'b', 'c']) store.apply(put(key, key));
  expect(store.snapshot(undefined, 2).removed).toEqual([]);
  for (const key of ['d', 'e']) store.apply(put(key, key));
  expect(store.snapshot(undefined, 2).removed).toEqual([
    'log-0000000000000001.kvl',
    'log-0000000000000002.kvl',
    'log-0000000000000003.kvl',
  ]);
  store.apply(put('f', 'f'));
  expect(store.snapshot(undefined, 2).removed).toEqual([
    'snapshot-0000000000000003.kvs',
    'log-0000000000000004.kvl',
    'log-0000000000000005.kvl',
  ]);
  expect(afterKill(store).state).toEqual(store.state);
});

test('what was written is not kept in memory: the disk is told after each 256 KiB', () => {
  const store = oneDurable();
  const pages: number[] = [];
  for (let i = 1; i <= 11; i++) {
    store.apply(put(`k${i}`, 'x'.repeat(100 * 1024)));
    const { length } = store.disk.bytesOf('log-0000000000000001.kvl');
    pages.push(length - (length % 4096));
  }
  expect(store.disk.drops).toEqual([
    [0, 0, pages[2]],
    [0, pages[2], pages[5]],
    [pages[2], pages[5], pages[8]],
  ]);
});
