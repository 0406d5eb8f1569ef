/**
 * What the audit finds in the hash map, and in the hands of workers.
 */
import { BUCKET_ENTRIES, Entry, EXPIRES, EXPIRES_AT, HeapControl, Stripe, WorkerRecord } from '#dist/memory/layout.js';
import { linkOf } from '#dist/store/limbo.js';

import { testPlants } from '../fixtures/audit/plants.js';
import type { Specimen } from '../fixtures/audit/specimen.js';

/** Adds an entry word to an empty bucket of the crowd's stripe, counted. */
function addWord(s: Specimen, word: number): number {
  const at = s.bucket(s.emptyBucket()) + 2;
  s.data[at] = word;
  s.data[s.stripe(s.crowded & 3) + Stripe.entryCount]++;
  return at;
}

testPlants(
  [
    [
      'worker-slot',
      (s) => {
        s.data[s.worker(1) + WorkerRecord.slot] = 5000;
        return [['worker-slot', 'worker 1', 'slot 4999']];
      },
    ],
    [
      'worker-intent',
      (s) => {
        s.data[s.worker(1) + WorkerRecord.bucketWord] = 17;
        return [['worker-intent', 'worker 1', 'bucket word 17']];
      },
    ],
    [
      'note-astray',
      (s) => {
        s.data[s.worker(1) + WorkerRecord.keptBlock] = s.crowdEntry(0) + 1;
        return [['note-astray', 'worker 1, keptBlock', `granule ${s.crowdEntry(0) + 1}`]];
      },
    ],
    [
      'note-free',
      (s) => {
        const granule = s.freeBlock(s.slab());
        s.data[s.worker(1) + WorkerRecord.pendingBlock] = granule;
        return [['note-free', 'worker 1, pendingBlock', `granule ${granule}`]];
      },
    ],
    [
      'lock-held',
      (s) => {
        s.data[s.stripe(2) + Stripe.lock] = 0x102;
        return [['lock-held', 'lock of stripe 2', 'by worker 1']];
      },
    ],
    [
      'lock-holder',
      (s) => {
        s.data[s.control + HeapControl.compactionLock] = 0x7777;
        return [['lock-holder', 'lock of the compaction', 'says 0x00007777']];
      },
    ],
    [
      'entry-block',
      (s) => {
        const granule = s.freeBlock(s.slab());
        const bucket = s.emptyBucket();
        const at = addWord(s, granule);
        return [['entry-block', `bucket ${bucket}, word ${at}`, `granule ${granule}`]];
      },
    ],
    [
      'entry-unpublished',
      (s) => {
        s.data[(s.crowdEntry(3) << 2) + Entry.incarnation] = 1;
        return [['entry-unpublished', `bucket 5, word ${s.crowdWord(3)}`, `granule ${s.crowdEntry(3)}`]];
      },
    ],
    [
      'entry-tag',
      (s) => {
        s.data[s.crowdWord(3)] ^= 1 << 31;
        return [['entry-tag', `bucket 5, word ${s.crowdWord(3)}`, 'hash 0x']];
      },
    ],
    [
      'entry-bucket',
      (s) => {
        const bucket = s.emptyBucket();
        s.data[s.bucket(bucket)] = s.data[s.crowdWord(3)];
        s.data[s.crowdWord(3)] = 0;
        return [['entry-bucket', `bucket ${bucket}, word ${s.bucket(bucket)}`, `bucket ${bucket}, hash 0x`]];
      },
    ],
    [
      'entry-key-length',
      (s) => {
        s.data[(s.crowdEntry(3) << 2) + Entry.shape] = 5000;
        return [['entry-key-length', `bucket 5, word ${s.crowdWord(3)}`, 'key of 5000 bytes']];
      },
    ],
    [
      'entry-value-length',
      (s) => {
        s.data[(s.crowdEntry(3) << 2) + Entry.valueBytes] = -1;
        return [['entry-value-length', `bucket 5, word ${s.crowdWord(3)}`, 'value of -1 bytes']];
      },
    ],
    [
      'entry-size',
      (s) => {
        s.data[(s.crowdEntry(3) << 2) + Entry.valueBytes] = 60_000;
        return [['entry-size', `bucket 5, word ${s.crowdWord(3)}`, '60036 bytes in a block of 80']];
      },
    ],
    [
      'entry-expiry',
      (s) => {
        s.data[(s.crowdEntry(3) << 2) + Entry.shape] |= EXPIRES;
        s.data[(s.crowdEntry(3) << 2) + Entry.valueBytes] -= 8;
        s.region.data.floats[s.crowdEntry(3) * 2 + EXPIRES_AT] = Number.NaN;
        return [['entry-expiry', `bucket 5, word ${s.crowdWord(3)}`, 'expires at NaN']];
      },
    ],
    [
      'entry-hash',
      (s) => {
        s.data[(s.crowdEntry(3) << 2) + Entry.sizeBytes / 4] ^= 1;
        return [['entry-hash', `bucket 5, word ${s.crowdWord(3)}`, "its key's is 0x"]];
      },
    ],
    [
      'entry-version',
      (s) => {
        s.region.data.floats[s.crowdEntry(3) * 2 + Entry.version]++;
        return [['entry-version', `bucket 5, word ${s.crowdWord(3)}`, 'stripe 1']];
      },
    ],
    [
      'key-twice',
      (s) => {
        const [first, second] = [s.crowdEntry(2) << 2, s.crowdEntry(3) << 2];
        s.data[second + Entry.hash] = s.data[first + Entry.hash];
        for (let word = 6; word < 9; word++) s.data[second + word] = s.data[first + word];
        const tag = s.data[s.crowdWord(2)] ^ s.crowdEntry(2);
        s.data[s.crowdWord(3)] = tag | (second >> 2);
        return [['key-twice', `bucket 5, word ${s.crowdWord(3)}`, `granule ${s.crowdEntry(2)}, incarnation`]];
      },
    ],
    [
      'block-shared',
      (s) => {
        s.data[s.worker(1) + WorkerRecord.keptBlock] = s.crowdEntry(2);
        return [['block-shared', 'worker 1, keptBlock', `granule ${s.crowdEntry(2)}`]];
      },
    ],
    [
      'block-shared',
      (s) => {
        const at = s.crowdWord(3);
        const lost = s.crowdEntry(3);
        s.data[at] = s.data[s.crowdWord(2)];
        return [
          ['block-shared', `bucket 5, word ${at}`, `granule ${s.crowdEntry(2)}`],
          ['block-leaked', `granule ${lost}`, '80 bytes'],
        ];
      },
    ],
    [
      'block-shared',
      (s) => {
        s.data[s.control + HeapControl.limbo] = s.largeBlock();
        s.data[linkOf(s.largeBlock())] = 0;
        s.data[s.control + HeapControl.limboBlocks] = 1;
        return [
          ['entry-hash', 'bucket', 'says 0x00000000'],
          ['block-shared', 'limbo', `granule ${s.largeBlock()}`],
        ];
      },
    ],
    [
      'overflow-link',
      (s) => {
        const bucket = s.emptyBucket();
        const at = s.bucket(bucket) + BUCKET_ENTRIES;
        s.data[at] = s.crowdEntry(0);
        return [['overflow-link', `bucket ${bucket}, word ${at}`, `granule ${s.crowdEntry(0)}`]];
      },
    ],
    [
      'overflow-shared',
      (s) => {
        const bucket = s.emptyBucket();
        const at = s.bucket(bucket) + BUCKET_ENTRIES;
        const overflow = s.data[s.bucket(s.crowded) + BUCKET_ENTRIES];
        s.data[at] = overflow;
        return [['overflow-shared', `bucket ${bucket}, word ${at}`, `granule ${overflow}`]];
      },
    ],
    [
      'overflow-shared',
      (s) => {
        const overflow = s.data[s.bucket(s.crowded) + BUCKET_ENTRIES];
        const at = (overflow << 2) + BUCKET_ENTRIES;
        s.data[at] = overflow;
        return [['overflow-shared', `bucket 5, word ${at}`, `granule ${overflow}`]];
      },
    ],
    [
      'entry-count',
      (s) => {
        s.data[s.stripe(1) + Stripe.entryCount]--;
        return [['entry-count', 'stripe 1', 'says']];
      },
    ],
    [
      'stripe-version',
      (s) => {
        s.region.data.floats[s.stripe(1) / 2 + Stripe.version] -= 4;
        return [['stripe-version', 'stripe 1', 'its entries reach']];
      },
    ],
  ],
  'map',
);
