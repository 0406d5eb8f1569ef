/**
 * Sets the map right after a worker thread died in the middle of a write: decides on which side of its commit it died,
 * recounts the stripes it had locked, and only then unlocks them.
 */
import {
  BUCKET_ENTRIES,
  BUCKET_WORDS,
  Entry,
  type Geometry,
  Stripe,
  stripeBase,
  workerBase,
  WorkerRecord,
} from '../memory/layout.js';
import { holderOf, unlock } from '../memory/lock.js';
import type { SegmentViews } from '../memory/segment.js';
import { load, store } from '../memory/words.js';
import { settleLane } from './log-lane.js';

/** Leaves the dead worker's `pendingBlock` naming the block that nobody else will free, 0: none. */
export function repairMap(data: SegmentViews, geometry: Geometry, worker: number): void {
  const { words } = data;
  const record = workerBase(geometry, worker);
  resolveIntent(words, geometry, worker);
  for (let stripe = 0; stripe < geometry.stripes; stripe++) {
    const base = stripeBase(geometry, stripe);
    if (holderOf(words, base + Stripe.lock) !== worker) continue;
    words[base + Stripe.entryCount] = recount(words, geometry, stripe, record);
    unlock(words, base + Stripe.lock);
  }
}

/** The bucket word is either still the old one or already the new one: its stripe is locked since. */
export function resolveIntent(words: Int32Array, geometry: Geometry, worker: number): void {
  const record = workerBase(geometry, worker);
  const bucketWord = load(words, record + WorkerRecord.bucketWord);
  if (bucketWord === 0) return;
  if (load(words, bucketWord) === words[record + WorkerRecord.newWord]) {
    if (geometry.logBytes > 0) settleLane(words, geometry, worker);
    const old = words[record + WorkerRecord.oldWord] & (2 ** geometry.granuleBits - 1);
    if (old !== 0) store(words, (old << 2) + Entry.incarnation, 1);
    store(words, record + WorkerRecord.pendingBlock, old);
    words[record + WorkerRecord.done] = words[record + WorkerRecord.nextDone];
    words[record + WorkerRecord.effects] = words[record + WorkerRecord.nextEffects];
  }
  store(words, record + WorkerRecord.bucketWord, 0);
}

/** Counts the entries of a stripe; forgets the dead worker's spare bucket if it hangs in one of its chains already. */
function recount(words: Int32Array, geometry: Geometry, stripe: number, record: number): number {
  const spare = load(words, record + WorkerRecord.spareBucket);
  let entries = 0;
  for (let bucket = stripe; bucket < geometry.buckets; bucket += geometry.stripes) {
    let first = geometry.bucketsOffset / 4 + bucket * BUCKET_WORDS;
    for (;;) {
      for (let at = first; at < first + BUCKET_ENTRIES; at++) if (words[at] !== 0) entries++;
      const overflow = words[first + BUCKET_ENTRIES];
      if (overflow === 0) break;
      if (overflow === spare) store(words, record + WorkerRecord.spareBucket, 0);
      first = overflow << 2;
    }
  }
  return entries;
}
