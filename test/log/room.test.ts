/**
 * Room that is made ahead in a segment: zeros behind its records, which a recovery knows for what they are.
 * Seen to fail when the room is not made again once it is used up, when no room counts as a torn tail or any zeros do not,
 * when a log keeps its room though it is closed, and when a disk without room for more room takes no records.
 */
import { expect, test } from 'vitest';

import { checkLog } from '#dist/log/inspect.js';
import { openLogDirectory } from '#dist/log/directory.js';

import { LoggedStore } from '../fixtures/log/logged-store.js';
import { MemoryDisk } from '../fixtures/log/memory-disk.js';
import { encodeEffects, recoverState } from '../fixtures/log/model-store.js';

const ROOM_BYTES = 1024;
const SEGMENT = 'log-0000000000000001.kvl';

const put = (key: string, value: string) => ({ type: 'put', key, value }) as const;

function storeWith(roomBytes: number): LoggedStore {
  const store = new LoggedStore(new MemoryDisk(), 1e6, undefined, roomBytes);
  store.apply(put('a', '1'));
  store.sync();
  return store;
}

const lengthOf = ({ disk }: LoggedStore): number => disk.bytesOf(SEGMENT).length;

/** Bytes up to the end of the last record. */
const usedBytesOf = (store: LoggedStore): number => 64 + store.log.writtenBytes;

const recoverFrom = (disk: MemoryDisk) => recoverState(openLogDirectory(disk.path, disk));
const afterKill = ({ disk }: LoggedStore) => recoverFrom(new MemoryDisk(disk.content));

test('records are written over zeros, and more room is made once it is used up', () => {
  const store = storeWith(ROOM_BYTES);
  const first = lengthOf(store);
  expect(first).toBe(usedBytesOf(store) + ROOM_BYTES);
  const lengths = new Set<number>();
  while (usedBytesOf(store) <= first) {
    expect(lengthOf(store)).toBe(first);
    store.apply(put('key', 'value'));
    lengths.add(lengthOf(store));
  }
  expect([...lengths]).toEqual([first, usedBytesOf(store) + ROOM_BYTES]);
  store.apply(put('long', 'x'.repeat(3 * ROOM_BYTES)));
  expect(lengthOf(store)).toBe(usedBytesOf(store) + ROOM_BYTES);
  const { state, report } = afterKill(store);
  expect(state).toEqual(store.state);
  expect(report).toMatchObject({ torn: undefined, lastSequence: store.log.nextSequence - 1 });
});

test('a log that is closed keeps no room, and neither does a segment that is followed by another', () => {
  const store = new LoggedStore(new MemoryDisk(), 300, undefined, ROOM_BYTES);
  for (let i = 0; i < 5; i++) store.apply(put(`key ${i}`, 'x'.repeat(100)));
  const segments = store.disk.list().filter((name) => name.endsWith('.kvl'));
  expect(segments.length).toBeGreaterThan(1);
  store.close();
  const zerosOf = (name: string): number => {
    const bytes = store.disk.bytesOf(name);
    return bytes.length - 1 - bytes.findLastIndex((byte) => byte !== 0);
  };
  // Padding and small numbers of the last record end in some.
  for (const name of segments) expect(zerosOf(name), name).toBeLessThan(16);
});

test('a check of files shows no room', () => {
  const store = storeWith(ROOM_BYTES);
  const { files, recovery } = checkLog(store.disk.path, store.disk);
  expect(files).toMatchObject([{ isSound: true, bytes: usedBytesOf(store), soundBytes: usedBytesOf(store) }]);
  expect(recovery).toMatchObject({ isRefused: false, end: undefined });
});

test('anything but zeros behind the records is a torn tail, and so are zeros where no room was made', () => {
  const store = storeWith(ROOM_BYTES);
  const used = usedBytesOf(store);
  const changed = MemoryDisk.with(store.disk.content, SEGMENT, (bytes) => bytes.fill(1, used + 900, used + 901));
  const torn = { file: `/log/${SEGMENT}`, offset: used };
  expect(recoverFrom(changed).report.torn).toEqual({ ...torn, bytes: ROOM_BYTES });
  // It was cut: the second recovery finds no room, and nothing to cut.
  expect(recoverFrom(new MemoryDisk(changed.content)).report).toMatchObject({ torn: undefined, lastSequence: 1 });
  const without = storeWith(0);
  const zeros = MemoryDisk.with(without.disk.content, SEGMENT, (bytes) =>
    Uint8Array.from([...bytes, 0, 0, 0, 0, 0, 0, 0, 0]),
  );
  expect(recoverFrom(zeros).report.torn).toEqual({ ...torn, bytes: 8 });
});

test('records that were durable and are zeros now are missed by those behind them', () => {
  const store = storeWith(ROOM_BYTES);
  const used = usedBytesOf(store);
  store.apply(put('b', '2'));
  store.sync();
  store.apply(put('c', '3'));
  const length = usedBytesOf(store) - used;
  const lost = MemoryDisk.with(store.disk.content, SEGMENT, (bytes) => bytes.fill(0, used, used + length / 2));
  expect(() => recoverFrom(lost)).toThrow(expect.objectContaining({ code: 'ERR_KVS_LOG_DAMAGED' }));
});

test('a disk that has room for records only takes them', () => {
  const store = new LoggedStore(new MemoryDisk(), 1e6, undefined, ROOM_BYTES);
  store.disk.faults.push({ call: 'write', code: 'ENOSPC', times: 1, skip: 1, partial: 40 });
  store.apply(put('a', '1'));
  expect(lengthOf(store)).toBe(usedBytesOf(store) + 40);
  store.apply(put('b', '2'), put('c', '3'));
  expect(lengthOf(store)).toBe(usedBytesOf(store));
  store.sync();
  expect(store.log.state).toBe('open');
  expect(afterKill(store)).toMatchObject({ state: store.state, report: { torn: undefined, lastSequence: 3 } });
});

test('after records that found no room there is room again', () => {
  const store = storeWith(ROOM_BYTES);
  store.disk.faults.push({ call: 'write', code: 'ENOSPC', times: 1, partial: 60 });
  expect(() => store.apply(put('b', 'x'.repeat(2000)))).toThrow(expect.objectContaining({ code: 'ERR_KVS_NO_SPACE' }));
  expect(lengthOf(store)).toBe(usedBytesOf(store));
  expect(afterKill(store).report).toMatchObject({ torn: undefined, lastSequence: 1 });
  const { views, bytes } = encodeEffects([put('b', '2')], 2);
  store.log.append(views, 0, bytes);
  expect(lengthOf(store)).toBe(usedBytesOf(store) + ROOM_BYTES);
});

test('a disk that fails when room is made fails the log', () => {
  const store = new LoggedStore(new MemoryDisk(), 1e6, undefined, ROOM_BYTES);
  store.disk.faults.push({ call: 'write', code: 'EIO', times: 1, skip: 1 });
  expect(() => store.apply(put('a', '1'))).toThrow(expect.objectContaining({ code: 'ERR_KVS_LOG_FAILED' }));
  expect(store.log.state).toBe('failed');
});
