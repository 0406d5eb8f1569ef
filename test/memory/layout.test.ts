/**
 * Layouts that processes of different builds share must not change under one LAYOUT_VERSION. `layout-golden/` holds
 * one file per version. To change the layout: raise LAYOUT_VERSION, then run this test with KVS_WRITE_GOLDEN=1, which
 * writes a file that does not exist yet and never changes one. (A version that was never published may be rewritten
 * by deleting its file first.)
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from 'vitest';

import { CodecTag } from '#dist/codec/codec.js';
import { ASCII_FLAG } from '#dist/codec/text.js';
import { Status } from '#dist/errors.js';
import { SlotState, useOf, withState } from '#dist/exchange/slot-word.js';
import * as layout from '#dist/memory/layout.js';
import { LIMITS } from '#dist/memory/region-files.js';

import { shapeOf } from '../fixtures/region.js';

const SHAPES = [
  shapeOf(),
  shapeOf({ slots: 1024, stripes: 256, workers: 4, maxValueBytes: 2 ** 20, maxMemoryBytes: 256 * 2 ** 20 }),
  shapeOf({ slots: 4096, stripes: 1024, workers: 32, maxValueBytes: 64 * 2 ** 20, maxMemoryBytes: 4 * 2 ** 30 }),
];

/** Everything that a reader of another build depends on. */
function wholeLayout() {
  const constants = Object.entries(layout).filter(([, value]) => typeof value !== 'function');
  return {
    ...Object.fromEntries(constants),
    CodecTag,
    ASCII_FLAG,
    Status,
    SlotState,
    slotWord: { done: withState(-1, SlotState.done), use: useOf(4095, -1) },
    geometries: SHAPES.map((shape) => layout.geometryOf(shape)),
  };
}

test('every offset is that of this LAYOUT_VERSION', () => {
  const file = fileURLToPath(new URL(`layout-golden/v${layout.LAYOUT_VERSION}.json`, import.meta.url));
  const now = `${JSON.stringify(wholeLayout(), null, 2)}\n`;
  if (!existsSync(file) && process.env['KVS_WRITE_GOLDEN'] === '1') writeFileSync(file, now, { flag: 'wx' });
  const hint = 'the layout changed: raise LAYOUT_VERSION, then write its file as the head of this test says';
  expect(existsSync(file), `${file} is missing; ${hint}`).toBe(true);
  expect(JSON.parse(now), hint).toEqual(JSON.parse(readFileSync(file, 'utf8')));
});

test('words that are contended for stand 128 bytes apart', () => {
  const { CtlHeader } = layout;
  const groups = [
    [CtlHeader.state, CtlHeader.epoch],
    [CtlHeader.queueHead],
    [CtlHeader.queueTail],
    [CtlHeader.starving],
  ];
  for (const [i, group] of groups.entries()) {
    for (const other of groups.slice(i + 1).flat()) {
      for (const word of group) expect(Math.floor(word / 32)).not.toBe(Math.floor(other / 32));
    }
  }
  expect(layout.ClientRecord.sizeBytes % 128).toBe(0);
  expect(layout.Slot.sizeBytes % 128).toBe(0);
  expect(layout.Stripe.sizeBytes % 128).toBe(0);
});

describe.each(SHAPES.map((shape, i) => ({ i, geometry: layout.geometryOf(shape) })))('geometry $i', ({ geometry }) => {
  test('sections follow each other without overlap and fill their segments', () => {
    const { slots, stripes, workers } = geometry;
    const ctl: [number, number][] = [
      [0, layout.CtlHeader.sizeBytes],
      [geometry.clientsOffset, layout.MAX_CLIENTS * layout.ClientRecord.sizeBytes],
      [geometry.slotsOffset, slots * layout.Slot.sizeBytes],
      [geometry.queueOffset, geometry.queueCells * 4],
      [geometry.chunkOwnersOffset, geometry.arenaChunks * 4],
      [geometry.arenaOffset, geometry.arenaChunks * layout.CHUNK_BYTES],
      [geometry.ctlBytes, 0],
    ];
    const data: [number, number][] = [
      [0, layout.DataHeader.sizeBytes],
      [geometry.stripesOffset, stripes * layout.Stripe.sizeBytes],
      [geometry.workersOffset, workers * layout.WorkerRecord.sizeBytes],
      [geometry.heapControlOffset, layout.HeapControl.sizeBytes],
      [geometry.sizeClassesOffset, layout.MAX_SIZE_CLASSES * layout.SizeClass.sizeBytes],
      [geometry.bucketsOffset, geometry.buckets * layout.BUCKET_BYTES],
      [geometry.unitTableOffset, geometry.heapUnits * 4],
      [geometry.heapOffset, geometry.heapUnits * layout.UNIT_BYTES],
      [geometry.dataBytes, 0],
    ];
    for (const sections of [ctl, data]) {
      sections.slice(1).forEach(([offset], i) => {
        const [before, bytes] = sections[i];
        expect(offset).toBeGreaterThanOrEqual(before + bytes);
        expect(offset % 4).toBe(0);
      });
    }
    expect(geometry.dataBytes - geometry.heapOffset - geometry.heapUnits * layout.UNIT_BYTES).toBeLessThan(8192);
  });

  test('counts that are masked are powers of two, and a granule fits its bits', () => {
    for (const count of [geometry.queueCells, geometry.buckets]) expect(Number.isInteger(Math.log2(count))).toBe(true);
    expect(geometry.buckets).toBeGreaterThanOrEqual(geometry.stripes);
    expect(geometry.dataBytes / layout.GRANULE_BYTES).toBeLessThanOrEqual(2 ** geometry.granuleBits);
    expect(geometry.granuleBits).toBeLessThanOrEqual(28);
  });
});

test('the bounds of a shape are within what the layout can name', () => {
  expect(LIMITS.slots.max).toBe(4096);
  expect(LIMITS.workers.max).toBe(layout.MAX_WORKERS);
  expect(layout.MAX_WORKERS).toBeLessThanOrEqual(32);
});
