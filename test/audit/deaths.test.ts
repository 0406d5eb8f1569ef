/**
 * What a death, or a stop, leaves between two steps of a protocol is no finding: the records say whose it is.
 * Seen to fail when: what an open intent replaces is nobody's, or the kept block is; a block must not have two notes; a
 * note must name a used block whatever is locked; hints are judged while their lock is held; the queue is asked for
 * requests while no server empties it.
 */
import { expect, test } from 'vitest';

import {
  BUCKET_ENTRIES,
  Entry,
  HeapControl,
  SizeClass,
  SlabHeader,
  Stripe,
  WorkerRecord,
} from '#dist/memory/layout.js';
import { linkOf } from '#dist/store/limbo.js';
import { RunKind } from '#dist/store/runs.js';

import { shareSpecimen, type Specimen } from '../fixtures/audit/specimen.js';

const specimen = shareSpecimen();

const HELD_BY_1 = 2;
const stripeLock = (s: Specimen): number => s.stripe(s.crowded & 3) + Stripe.lock;

/** A new value for an entry of the crowd, noted as pending by worker 1, with the intent to publish it. */
function intend(s: Specimen): { at: number; next: number } {
  const old = s.crowdEntry(4);
  const granule = s.takeBlock(s.slab());
  s.data.copyWithin(granule << 2, old << 2, (old << 2) + 20);
  const floats = s.region.data.floats;
  floats[granule * 2 + Entry.version] = floats[s.stripe(s.crowded & 3) / 2 + Stripe.version];
  const at = s.crowdWord(4);
  const next = (s.data[at] ^ old) | granule;
  s.data[stripeLock(s)] = HELD_BY_1;
  s.data[s.worker(1) + WorkerRecord.pendingBlock] = granule;
  s.data[s.worker(1) + WorkerRecord.oldWord] = s.data[at];
  s.data[s.worker(1) + WorkerRecord.newWord] = next;
  s.data[s.worker(1) + WorkerRecord.bucketWord] = at;
  return { at, next };
}

const DEATHS: readonly (readonly [string, (s: Specimen) => void])[] = [
  ['before a commit', intend],
  [
    'after a commit, before the old block is noted',
    (s) => {
      const { at, next } = intend(s);
      s.data[at] = next;
    },
  ],
  [
    'with the old block noted, and the intent still open',
    (s) => {
      const { at, next } = intend(s);
      const old = s.crowdEntry(4);
      s.data[at] = next;
      s.data[s.worker(1) + WorkerRecord.pendingBlock] = old;
    },
  ],
  [
    'with a block kept for the next entry',
    (s) => {
      s.data[s.worker(1) + WorkerRecord.keptBlock] = s.takeBlock(s.slab());
    },
  ],
  [
    'between two notes of one block',
    (s) => {
      const granule = s.takeBlock(s.slab());
      s.data[s.worker(1) + WorkerRecord.pendingBlock] = granule;
      s.data[s.worker(1) + WorkerRecord.keptBlock] = granule;
    },
  ],
  [
    'with an overflow bucket that hangs already, and is still noted',
    (s) => {
      s.data[s.worker(1) + WorkerRecord.spareBucket] = s.data[s.bucket(s.crowded) + BUCKET_ENTRIES];
      s.data[stripeLock(s)] = HELD_BY_1;
    },
  ],
  [
    'with a block noted that is not taken yet',
    (s) => {
      s.data[s.worker(1) + WorkerRecord.pendingBlock] = s.freeBlock(s.slab());
      s.data[s.line(s.slab()) + SizeClass.lock] = HELD_BY_1;
    },
  ],
  [
    'with a run noted that is not taken yet',
    (s) => {
      s.data[s.worker(1) + WorkerRecord.pendingBlock] = s.blocks.runs.granuleOf(s.unitsOf(RunKind.free)[0]);
      s.data[s.control + HeapControl.runLock] = HELD_BY_1;
    },
  ],
  [
    'with a pinned block on its way into limbo',
    (s) => {
      const granule = s.largeBlock();
      const at = s.wordOf(granule);
      s.data[at] = 0;
      s.data[s.stripe(s.stripeOfWord(at)) + Stripe.entryCount]--;
      s.data[linkOf(granule)] = 0;
      s.data[s.control + HeapControl.limbo] = granule;
      s.data[s.worker(1) + WorkerRecord.pendingBlock] = granule;
      s.data[s.control + HeapControl.runLock] = HELD_BY_1;
    },
  ],
  [
    'with counts and lists half done, under their locks',
    (s) => {
      s.data[s.stripe(2) + Stripe.lock] = HELD_BY_1;
      s.data[s.stripe(2) + Stripe.entryCount]++;
      s.data[s.line(s.slab()) + SizeClass.lock] = HELD_BY_1;
      s.data[s.line(s.slab()) + SizeClass.freeBlocks]--;
      s.data[s.line(s.slab()) + SizeClass.partial] = 0;
      s.data[s.header(s.slab()) + SlabHeader.usedBlocks]++;
      s.data[s.control + HeapControl.runLock] = HELD_BY_1;
      s.data[s.control + HeapControl.freeUnits]++;
    },
  ],
  [
    'with requests taken, and waiting, that nobody names',
    (s) => {
      s.dieAs(3);
      s.ctl[s.slot(1)] = (7 << 14) | (3 << 3) | 2;
      s.ctl[s.slot(2)] = (7 << 14) | (3 << 3) | 3;
    },
  ],
];

test.each(DEATHS)('a worker that died %s', async (_, die) => {
  const s = specimen();
  die(s);
  expect((await s.findings()).filter(({ severity }) => severity !== 'busy')).toEqual([]);
});
