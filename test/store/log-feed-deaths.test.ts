/**
 * The reader of the lanes dies after any of its writes while it gives back the room of a batch: who comes after it goes on
 * behind the batch, or at its start, and takes everything else once, in order.
 */
import { expect, test } from 'vitest';

import { RecordField, RecordOperation } from '#dist/log/record.js';
import { Entry } from '#dist/memory/layout.js';
import { type SegmentViews, viewsOf } from '#dist/memory/segment.js';
import { LogFeed, resetLanes } from '#dist/store/log-feed.js';
import { LogLane } from '#dist/store/log-lane.js';

import { newSegment, smallGeometry } from '../fixtures/store/key-store.js';
import { Mortal } from '../fixtures/store/mortal.js';

const geometry = smallGeometry({ logBytes: 2 ** 15, maxValueBytes: 4096 });
const granule = geometry.heapOffset / 16;

/** Logs records that tell themselves by their versions, by workers in turn. */
class Writer {
  readonly #lanes: LogLane[];
  readonly #data: SegmentViews;
  logged = 0;

  constructor(data: SegmentViews) {
    this.#data = data;
    this.#lanes = [0, 1].map((worker) => new LogLane(data, geometry, worker));
    data.words[granule * 4 + Entry.shape] = 4;
  }

  log(records: number): void {
    for (let i = 0; i < records; i++) {
      this.#data.floats[granule * 2 + Entry.version] = ++this.logged;
      const lane = this.#lanes[this.logged % 3 === 0 ? 1 : 0];
      lane.stage(RecordOperation.remove, granule);
      lane.publish();
    }
  }
}

/** @returns versions of the records in the next batch */
function take(feed: LogFeed): number[] {
  const batch = viewsOf(new SharedArrayBuffer(2 ** 15));
  const bytes = feed.take(batch);
  const versions: number[] = [];
  for (let at = 0; at < bytes; at += batch.words[at / 4 + RecordField.bytes]) {
    versions.push(batch.floats[at / 8 + RecordField.version]);
  }
  return versions;
}

const from = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);

test('after each of its writes the next reader knows what is in the files, and takes the rest once', () => {
  const data = newSegment(geometry);
  resetLanes(data, geometry, 2, 0);
  const writer = new Writer(data);
  const mortal = new Mortal(data);
  let released = 0;
  let deaths = 0;
  // Often enough for the lanes to wrap.
  for (let lastWrite = 0, rounds = 0; rounds < 40; lastWrite++) {
    writer.log(20);
    const [dying] = mortal.segments;
    const feed = new LogFeed(dying, geometry);
    const batch = take(feed);
    expect(batch, `after ${lastWrite} writes`).toEqual(from(released + 1, writer.logged));
    const isDone = mortal.live(() => feed.release(writer.logged), lastWrite);
    // Others go on meanwhile.
    writer.log(7);
    const next = new LogFeed(data, geometry);
    expect([released, writer.logged - 7]).toContain(next.writtenSequence);
    released = next.writtenSequence;
    expect(take(next), `after ${lastWrite} writes`).toEqual(from(released + 1, writer.logged));
    next.release(writer.logged);
    released = writer.logged;
    if (isDone) [lastWrite, rounds] = [-1, rounds + 1];
    else deaths++;
  }
  expect(deaths).toBeGreaterThan(100);
});
