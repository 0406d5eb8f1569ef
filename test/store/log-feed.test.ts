/**
 * The reader of the lanes over a death between the word that says what is in the files and the heads of the lanes.
 * Both tests seen to fail.
 */
import { expect, test } from 'vitest';

import { RecordField, RecordOperation } from '#dist/log/record.js';
import { Entry, workerBase, WorkerRecord } from '#dist/memory/layout.js';
import { LogLane as Lane } from '#dist/memory/log-layout.js';
import { viewsOf } from '#dist/memory/segment.js';
import { LogFeed, resetLanes } from '#dist/store/log-feed.js';
import { laneBase, LogLane, settleLane } from '#dist/store/log-lane.js';

import { MIB, newSegment, smallGeometry } from '../fixtures/store/key-store.js';

// Without the bound of a batch the last part takes nothing (seen).
test('records behind the largest batch are found by who comes after a death in the middle of its release', () => {
  const geometry = smallGeometry({ logBytes: 4 * MIB, maxValueBytes: MIB });
  const data = newSegment(geometry);
  resetLanes(data, geometry, 1, 0);
  const lane = new LogLane(data, geometry, 0);
  const granule = geometry.heapOffset / 16;
  data.words[granule * 4 + Entry.shape] = 4;
  const log = (records: number): void => {
    for (let i = 0; i < records; i++) {
      lane.stage(RecordOperation.remove, granule);
      lane.publish();
    }
  };
  const batch = viewsOf(new SharedArrayBuffer(2 * MIB));
  /** Takes a batch. @returns how many records it has */
  const take = (feed: LogFeed): number => {
    const bytes = feed.take(batch);
    let records = 0;
    for (let at = 0; at < bytes; at += batch.words[at / 4 + RecordField.bytes]) records++;
    return records;
  };
  const logged = 17_000;
  log(logged);
  const feed = new LogFeed(data, geometry);
  const head = laneBase(geometry, 0) + Lane.head;
  const before = data.words[head];
  const first = take(feed);
  feed.release(first);
  // As if it had been killed behind the store of `written`.
  data.words[head] = before;
  const next = new LogFeed(data, geometry);
  expect(next.writtenSequence).toBe(first);
  let rest = 0;
  for (let records = take(next); records > 0; records = take(next)) {
    rest += records;
    next.release(first + rest);
  }
  expect(first).toBe(8192);
  expect(rest).toBe(logged - first);
});

test('a record that is in the files is not published again because its worker died behind it', () => {
  const geometry = smallGeometry({ logBytes: 4 * MIB, maxValueBytes: MIB });
  const data = newSegment(geometry);
  resetLanes(data, geometry, 2, 0);
  const lane = new LogLane(data, geometry, 1);
  const granule = geometry.heapOffset / 16;
  data.words[granule * 4 + Entry.shape] = 4;
  data.words[workerBase(geometry, 1) + WorkerRecord.logged] = 1;
  lane.stage(RecordOperation.remove, granule);
  lane.publish();
  const batch = LogFeed.allocateBatch(geometry);
  const feed = new LogFeed(data, geometry);
  expect(feed.take(batch)).toBeGreaterThan(0);
  feed.release(1);
  // As if it had been killed behind the store of `written`, and the worker with its intent still open.
  data.words[laneBase(geometry, 1) + Lane.head] = 0;
  settleLane(data.words, geometry, 1);
  const next = new LogFeed(data, geometry);
  expect(next.take(batch)).toBe(0);
  expect(next.isEmpty).toBe(true);
});
