/**
 * A server that keeps a log and dies after any of its writes: what its log holds then, over what the store held before,
 * is what the store holds, no more and no less, whether the server dies or only the thread.
 */
import { describe, expect, test } from 'vitest';

import { SlotState, stateOf } from '#dist/exchange/slot-word.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { keyOffsetOf, RecordField, RecordOperation, valueOffsetOf } from '#dist/log/record.js';
import { geometryOf } from '#dist/memory/layout.js';
import { type SegmentViews, viewsOf } from '#dist/memory/segment.js';
import { Unsettled } from '#dist/exchange/unsettled.js';
import { LogFeed } from '#dist/store/log-feed.js';

import { BEFORE, createWorld, REQUESTS } from '../fixtures/in-flight.js';
import { shapeOf } from '../fixtures/region.js';
import { auditStore } from '../fixtures/store/audit.js';
import { Mortal } from '../fixtures/store/mortal.js';

/** Writes of one request, but for the longest, each of which is the last one once. */
const STEPS = 90;
const geometry = geometryOf(shapeOf({ maxMemoryBytes: 2 ** 20, logBytes: 2 ** 16, maxValueBytes: 8192 }));

/** Takes what the log holds, over what was there. @returns the store that it describes, and how many records there were */
class Replay {
  readonly contents = new Map<string, string>(Object.entries(BEFORE));
  records = 0;

  take(data: SegmentViews): this {
    const feed = new LogFeed(data, geometry);
    const batch = viewsOf(new SharedArrayBuffer(geometry.logBytes));
    const bytes = feed.take(batch);
    for (let at = 0; at < bytes; at += batch.words[at / 4 + RecordField.bytes]) this.#apply(batch, at);
    feed.release(this.records);
    return this;
  }

  #apply({ words, bytes }: SegmentViews, at: number): void {
    const keyBytes = words[at / 4 + RecordField.keyBytes];
    const valueBytes = words[at / 4 + RecordField.valueBytes];
    const key = bytes.toString('latin1', keyOffsetOf(at), keyOffsetOf(at) + keyBytes);
    const value = valueOffsetOf(at, keyBytes);
    this.records++;
    if ((words[at / 4 + RecordField.shape] & 0xff) === RecordOperation.remove) this.contents.delete(key);
    else this.contents.set(key, bytes.toString('latin1', value, value + valueBytes));
  }

  /** As `contents()` of the world shows it. */
  get shown(): Record<string, string | undefined> {
    const names = ['a', 'b', 'c', 'd', 'new', 'none', 'large'];
    return Object.fromEntries(names.map((name) => [name, this.contents.get(name)]));
  }
}

describe.each([false, true])('answers that wait for the log: %s', (isDurable) => {
  const world = createWorld(geometry, true, isDurable);

  /** What the thread that writes the log does once all of it is durable. */
  function answerAll(ctl: SegmentViews, data: SegmentViews): void {
    const table = new SlotTable(ctl, geometry);
    const unsettled = new Unsettled(data, geometry);
    unsettled.each(new LogFeed(data, geometry).end(), (slot, executing) => {
      table.complete(slot, executing);
      unsettled.clear(slot, executing);
    });
  }

  test.each(REQUESTS)('$what is logged once, whatever write its server dies after', (request) => {
    const scene = world.sceneOf(request);
    const { ctl, data } = scene;
    world.serve(ctl, data);
    const after = world.contents(data);
    const records = new Replay().take(data).records;
    const mortal = new Mortal(data, ctl);
    const [dataViews, ctlViews] = mortal.segments;
    for (let lastWrite = 0; ; lastWrite += lastWrite < STEPS ? 1 : 11) {
      scene.reset();
      if (mortal.live(() => world.serve(ctlViews, dataViews), lastWrite)) break;
      world.recover(ctl, data);
      const replay = new Replay().take(data);
      expect(replay.shown, `after ${lastWrite} writes`).toEqual(world.contents(data));
      auditStore(data, geometry);
      world.serve(ctl, data);
      if (isDurable) answerAll(ctl, data);
      expect(world.takeAnswer(scene), `after ${lastWrite} writes`).toEqual(request.answer);
      expect(replay.take(data).shown, `after ${lastWrite} writes`).toEqual(after);
      expect(world.contents(data)).toEqual(after);
      expect(replay.records).toBe(records);
    }
  });

  test.each(REQUESTS)('$what is logged once, whatever write its thread dies after', (request) => {
    const scene = world.sceneOf(request);
    const { ctl, data } = scene;
    world.serve(ctl, data);
    const after = world.contents(data);
    const records = new Replay().take(data).records;
    const mortal = new Mortal(data, ctl);
    const [dataViews, ctlViews] = mortal.segments;
    for (let lastWrite = 0; ; lastWrite += lastWrite < 30 ? 3 : 7) {
      scene.reset();
      if (mortal.live(() => world.serve(ctlViews, dataViews), lastWrite)) break;
      world.replaceThread(ctl, data);
      const word = new SlotTable(ctl, geometry).word(0);
      // What has taken effect is answered by the thread that writes the log, and by nobody else.
      if (isDurable && records > 0 && new Replay().take(data).records > 0)
        expect(stateOf(word)).not.toBe(SlotState.done);
      scene.reset();
      mortal.live(() => world.serve(ctlViews, dataViews), lastWrite);
      world.replaceThread(ctl, data);
      world.serve(ctl, data);
      if (isDurable) answerAll(ctl, data);
      expect(world.takeAnswer(scene), `after ${lastWrite} writes`).toEqual(request.answer);
      const replay = new Replay().take(data);
      expect(replay.shown, `after ${lastWrite} writes`).toEqual(after);
      expect(world.contents(data)).toEqual(after);
      expect(replay.records).toBe(records);
    }
  });
});
