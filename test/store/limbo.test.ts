import { expect, test } from 'vitest';

import { MIN_PINNED_BYTES, PINNERS_BYTES, PINS_PER_CLIENT } from '#dist/memory/heap-layout.js';
import { DataHeader, type Geometry, MAX_CLIENTS } from '#dist/memory/layout.js';
import { PinRow, Pins } from '#dist/memory/pins.js';
import { type SegmentViews, viewsOf } from '#dist/memory/segment.js';
import { Found, Reader } from '#dist/store/reader.js';

import { auditStore } from '../fixtures/store/audit.js';
import {
  hashOf,
  KeyStore,
  keyOf,
  MIB,
  newSegment,
  randomFrom,
  smallGeometry,
  valueOf,
} from '../fixtures/store/key-store.js';

const CLIENT = 700;

/** A store and a client that pins what it reads there. */
class Scene {
  readonly geometry: Geometry;
  readonly ctl: SegmentViews;
  readonly data: SegmentViews;
  readonly pins: Pins;
  readonly keys: KeyStore;
  readonly row: PinRow;
  readonly #reader: Reader;
  readonly #baseBytes: number;

  constructor(maxMemoryBytes = 4 * MIB) {
    this.geometry = smallGeometry({ maxMemoryBytes });
    this.ctl = viewsOf(new SharedArrayBuffer(this.geometry.ctlBytes));
    this.data = newSegment(this.geometry);
    this.pins = new Pins(this.ctl, this.geometry);
    this.keys = new KeyStore(this.data, this.geometry, 0, hashOf, this.pins);
    this.row = new PinRow(this.ctl, this.geometry, CLIENT);
    this.#reader = new Reader(this.data, this.geometry);
    this.set(0, 8);
    this.#baseBytes = this.keys.store.usage().usedBytes;
    expect(this.data.words[DataHeader.magic]).toBe(0);
  }

  set(index: number, bytes: number): boolean {
    return this.keys.set(keyOf(index), valueOf(index, bytes));
  }

  /** Pins a value as a view does. @returns what it shows, and what lets go of it */
  pin(index: number, row = this.row): { bytes: Buffer; release: () => void } {
    const key = keyOf(index);
    const words = new Int32Array(256);
    new Uint8Array(words.buffer).set(key);
    expect(this.#reader.find({ words, byteLength: key.length, hash: hashOf(key) })).toBe(Found.found);
    const at = row.pin(this.#reader.granule);
    expect(at).toBeGreaterThanOrEqual(0);
    expect(this.#reader.isStillThere()).toBe(true);
    const bytes = this.data.bytes.subarray(this.#reader.start, this.#reader.end);
    return { bytes, release: () => row.unpin(at) };
  }

  get pinnedBlocks(): number {
    return this.keys.store.usage().pinnedBlocks;
  }

  audit(): void {
    auditStore(this.data, this.geometry);
  }

  /** Expects that nothing but what was there at first is in use, after a few more frees of large blocks. */
  expectNoLeak(): void {
    for (let i = 0; i < 3 + this.pinnedBlocks; i++) {
      this.set(999_999, MIN_PINNED_BYTES);
      this.keys.delete(keyOf(999_999));
    }
    this.keys.store.rest();
    this.audit();
    expect(this.pinnedBlocks).toBe(0);
    expect(this.keys.store.usage().usedBytes).toBe(this.#baseBytes);
  }
}

test.each([MIN_PINNED_BYTES, 20_000, 300_000])(
  'a pinned value of %i bytes stays as it is, replaced and deleted, until it is let go',
  (bytes) => {
    const scene = new Scene();
    scene.set(1, bytes);
    const first = scene.pin(1);
    scene.keys.set(keyOf(1), Buffer.alloc(bytes, 'other'));
    const second = scene.pin(1);
    scene.keys.delete(keyOf(1));
    expect(scene.pinnedBlocks).toBe(2);
    for (let i = 0; i < 20; i++) scene.set(10 + (i % 3), bytes + i);
    expect(first.bytes.equals(valueOf(1, bytes))).toBe(true);
    expect(second.bytes.equals(Buffer.alloc(bytes, 'other'))).toBe(true);
    scene.audit();
    first.release();
    second.release();
    for (let i = 0; i < 3; i++) scene.keys.delete(keyOf(10 + i));
    scene.expectNoLeak();
  },
);

test('a value that is pinned twice stays until the second one lets go', () => {
  const scene = new Scene();
  scene.set(1, 50_000);
  const views = [scene.pin(1), scene.pin(1)];
  scene.keys.delete(keyOf(1));
  views[0].release();
  for (let i = 0; i < 10; i++) scene.set(2, 50_000);
  expect(views[1].bytes.equals(valueOf(1, 50_000))).toBe(true);
  views[1].release();
  scene.keys.delete(keyOf(2));
  scene.expectNoLeak();
});

test('what has been let go of is used again before the store counts as full', () => {
  const scene = new Scene();
  const views = [];
  let next = 1;
  for (; scene.set(next, 200_000); next++) views.push(scene.pin(next));
  for (let index = 1; index < next; index++) scene.keys.delete(keyOf(index));
  expect(scene.pinnedBlocks).toBe(next - 1);
  expect(scene.set(next, 200_000)).toBe(false);
  for (const view of views) view.release();
  for (let index = 1; index < next; index++) expect(scene.set(index, 200_000)).toBe(true);
  for (let index = 1; index < next; index++) scene.keys.delete(keyOf(index));
  scene.expectNoLeak();
});

test('the compactor makes room around pinned values and does not move them', () => {
  const scene = new Scene();
  const live = new Map<number, number>();
  let next = 1;
  for (; scene.set(next, 20_000); next++) live.set(next, 20_000);
  const held = [...live.keys()].filter((index) => index % 16 === 5).map((index) => ({ index, view: scene.pin(index) }));
  for (const index of live.keys()) {
    if (index % 2 === 1) continue;
    scene.keys.delete(keyOf(index));
    live.delete(index);
  }
  for (let large = 100_000; large < 100_004; large++) {
    expect(scene.set(large, 120_000)).toBe(true);
    live.set(large, 120_000);
  }
  expect(scene.keys.store.usage().movedBytes).toBeGreaterThan(0);
  for (const { index, view } of held) {
    expect(view.bytes.equals(valueOf(index, 20_000))).toBe(true);
    // Still the published one: not moved.
    expect(scene.pin(index).bytes.byteOffset).toBe(view.bytes.byteOffset);
  }
  for (const [index, bytes] of live) expect(scene.keys.get(keyOf(index))?.equals(valueOf(index, bytes))).toBe(true);
  expect(scene.pinnedBlocks).toBe(0);
  scene.audit();
});

test('a client that begins has no pins, whatever was written there', () => {
  const scene = new Scene();
  scene.set(1, 20_000);
  scene.pin(1);
  expect(scene.pins.isPinner(CLIENT)).toBe(true);
  const again = PinRow.begin(scene.ctl, scene.geometry, CLIENT);
  expect(scene.pins.isPinner(CLIENT)).toBe(false);
  scene.keys.delete(keyOf(1));
  expect(scene.pinnedBlocks).toBe(0);
  for (let i = 0; i < PINS_PER_CLIENT; i++) expect(again.pin(77)).toBe(i);
  expect(again.pin(77)).toBe(-1);
  again.unpin(5);
  expect(again.pin(77)).toBe(5);
});

test('garbage in pin words keeps blocks from reuse at most, and ends with its client', () => {
  const scene = new Scene(8 * MIB);
  const random = randomFrom(3);
  const first = scene.geometry.pinsOffset / 4;
  const { words } = scene.ctl;
  const rowsAt = first + PINNERS_BYTES / 4;
  const granules = 2 ** scene.geometry.granuleBits;
  for (let round = 0; round < 40; round++) {
    for (let i = 0; i < 2000; i++) {
      const at = first + Math.floor(random() * ((PINNERS_BYTES + MAX_CLIENTS * PINS_PER_CLIENT * 4) / 4));
      const kinds = [2 ** 31 * (random() * 2 - 1), random() * granules, 0, -1];
      words[at] = kinds[Math.floor(random() * kinds.length)];
    }
    // Many pins of what is there, too.
    for (const { granule } of scene.keys.store.heap.usedBlocks()) {
      if (random() < 0.5) words[rowsAt + Math.floor(random() * MAX_CLIENTS * PINS_PER_CLIENT)] = granule;
    }
    for (let i = 0; i < 60; i++) {
      const index = 1 + Math.floor(random() * 40);
      if (random() < 0.3) scene.keys.delete(keyOf(index));
      else if (scene.set(index, Math.floor(random() * 100_000))) expect(scene.keys.get(keyOf(index))).toBeDefined();
    }
    scene.audit();
  }
  expect(scene.pinnedBlocks).toBeGreaterThan(0);
  for (let client = 0; client < MAX_CLIENTS; client++) scene.pins.clear(client);
  for (let index = 1; index <= 40; index++) scene.keys.delete(keyOf(index));
  scene.expectNoLeak();
});
