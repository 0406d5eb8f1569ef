/**
 * What the audit finds in the heap: runs, slabs, size classes, limbo, and blocks that nobody names.
 */
import { HeapControl, SizeClass, SlabHeader } from '#dist/memory/layout.js';
import { FreeRuns } from '#dist/store/free-runs.js';
import { RunKind } from '#dist/store/runs.js';
import { BUCKET_CLASS, bitmapWordsOf, slabBlocksOf } from '#dist/store/size-class.js';

import { testPlants } from '../fixtures/audit/plants.js';
import type { Specimen } from '../fixtures/audit/specimen.js';

const HEADER_WORDS = SlabHeader.sizeBytes / 4;
const table = (s: Specimen): number => s.region.geometry.unitTableOffset / 4;
const lastFree = (s: Specimen): number => s.unitsOf(RunKind.free).at(-1)!;

/** A slab with a free block that is the only one of its class in a list. */
const aloneSlab = (s: Specimen): number =>
  s.unitsOf(RunKind.slab).find((unit) => {
    const line = s.line(unit);
    const isOfEntries = s.blocks.slabs.classOf(unit) !== BUCKET_CLASS;
    const isAlone = s.data[line + SizeClass.partial] === unit + 1 && s.data[s.header(unit) + SlabHeader.next] === 0;
    return isOfEntries && isAlone && s.data[line + SizeClass.slabs] === 1 && s.data[line + SizeClass.empty] === 0;
  })!;

testPlants(
  [
    [
      'run-head',
      (s) => {
        const unit = lastFree(s);
        s.data[table(s) + unit] = 7 << 28;
        return [['run-head', `unit ${unit}`, 'says 0x70000000']];
      },
    ],
    [
      'run-head',
      (s) => {
        const unit = lastFree(s);
        s.data[table(s) + unit] = RunKind.free << 28;
        return [['run-head', `unit ${unit}`, 'says 0x10000000']];
      },
    ],
    [
      'run-back',
      (s) => {
        const unit = s.slab() + 1;
        s.data[table(s) + unit] = 12;
        return [['run-back', `unit ${unit}`, 'says 0x0000000c, its head is 1 before']];
      },
    ],
    [
      'run-unmerged',
      (s) => {
        const unit = lastFree(s);
        const units = s.blocks.runs.lengthOf(unit);
        const lists = new FreeRuns(s.region.data, s.region.geometry);
        lists.remove(unit, units);
        s.data[table(s) + unit] = (RunKind.free << 28) | 4;
        s.data[table(s) + unit + 3] = 3;
        s.data[table(s) + unit + 4] = (RunKind.free << 28) | (units - 4);
        s.data[table(s) + unit + units - 1] = units - 5;
        lists.add(unit, 4);
        lists.add(unit + 4, units - 4);
        return [['run-unmerged', `unit ${unit + 4}`, 'after 4 free']];
      },
    ],
    [
      'run-list',
      (s) => {
        const unit = lastFree(s);
        const units = s.blocks.runs.lengthOf(unit);
        new FreeRuns(s.region.data, s.region.geometry).remove(unit, units);
        return [['run-list', `unit ${unit}`, `${units} free units are in no list`]];
      },
    ],
    [
      'run-list',
      (s) => {
        s.data[s.blocks.runs.wordOf(lastFree(s))] = lastFree(s) + 1;
        return [['run-list', 'list', `leads to unit ${lastFree(s)}`]];
      },
    ],
    [
      'run-count',
      (s) => {
        s.data[s.control + HeapControl.freeUnits]--;
        return [['run-count', 'heap', '4 large blocks; there are']];
      },
    ],
    [
      'window-open',
      (s) => {
        const unit = s.unitsOf(RunKind.large)[0];
        s.data[s.control + HeapControl.windowFirst] = unit;
        s.data[s.control + HeapControl.windowEnd] = unit + s.blocks.runs.lengthOf(unit);
        return [['window-open', 'heap', `units ${unit} to`]];
      },
    ],
    [
      'slab-class',
      (s) => {
        const slab = aloneSlab(s);
        const used = s.usedBlocks(slab);
        const line = s.line(slab);
        s.data.fill(0, line, line + SizeClass.freeBlocks + 1);
        s.data[s.header(slab) + SlabHeader.sizeClass] = 99;
        return [
          ['slab-class', `slab at unit ${slab}`, 'class 99, '],
          ...used.map((granule) => ['entry-block', 'bucket', `granule ${granule}`] as const),
        ];
      },
    ],
    [
      'slab-bitmap',
      (s) => {
        const slab = s.unitsOf(RunKind.slab).find((unit) => (slabBlocksOf[s.blocks.slabs.classOf(unit)] & 31) !== 0)!;
        const last = s.header(slab) + HEADER_WORDS + bitmapWordsOf(s.blocks.slabs.classOf(slab)) - 1;
        s.data[last] &= ~(1 << 31);
        return [['slab-bitmap', `slab at unit ${slab}`, 'last word 0x']];
      },
    ],
    [
      'slab-count',
      (s) => {
        s.data[s.header(s.slab()) + SlabHeader.usedBlocks]++;
        return [['slab-count', `slab at unit ${s.slab()}`, `there are ${s.usedBlocks(s.slab()).length}`]];
      },
    ],
    [
      'slab-search',
      (s) => {
        s.data[s.header(s.slab()) + SlabHeader.hint] = 5;
        return [['slab-search', `slab at unit ${s.slab()}`, 'from word 5']];
      },
    ],
    [
      'slab-evacuating',
      (s) => {
        const slab = aloneSlab(s);
        s.data[s.header(slab) + SlabHeader.isEvacuating] = 1;
        s.data[s.line(slab) + SizeClass.partial] = 0;
        return [['slab-evacuating', `slab at unit ${slab}`, 'says 1']];
      },
    ],
    [
      'slab-list',
      (s) => {
        const slab = aloneSlab(s);
        s.data[s.line(slab) + SizeClass.partial] = 0;
        return [['slab-list', `size class ${s.blocks.slabs.classOf(slab)}`, `leaves out units ${slab}`]];
      },
    ],
    [
      'slab-list',
      (s) => {
        const slab = aloneSlab(s);
        s.data[s.header(slab) + SlabHeader.next] = slab + 1;
        return [['slab-list', `size class ${s.blocks.slabs.classOf(slab)}`, `leads to unit ${slab}`]];
      },
    ],
    [
      'class-count',
      (s) => {
        s.data[s.line(s.slab()) + SizeClass.freeBlocks]--;
        return [['class-count', `size class ${s.blocks.slabs.classOf(s.slab())}`, 'free blocks; there are']];
      },
    ],
    [
      'class-empty',
      (s) => {
        s.data[s.line(s.slab()) + SizeClass.empty] = s.slab() + 1;
        return [['class-empty', `size class ${s.blocks.slabs.classOf(s.slab())}`, `unit ${s.slab()} has`]];
      },
    ],
    [
      'limbo-list',
      (s) => {
        s.data[s.control + HeapControl.limbo] = s.crowdEntry(0);
        return [['limbo-list', 'limbo', `granule ${s.crowdEntry(0)} is no large block`]];
      },
    ],
    [
      'limbo-count',
      (s) => {
        s.data[s.control + HeapControl.limboBlocks] = 2;
        return [['limbo-count', 'limbo', 'says 2, there are 0']];
      },
    ],
    [
      'block-leaked',
      (s) => {
        const granule = s.takeBlock(s.slab());
        return [['block-leaked', `granule ${granule}`, '80 bytes']];
      },
    ],
    [
      'bucket-leaked',
      (s) => {
        const granule = s.takeBlock(s.bucketSlab());
        return [['bucket-leaked', `granule ${granule}`, '64 bytes']];
      },
    ],
  ],
  'heap',
);
