/**
 * The policy of the store (src/store/eviction.ts) as a model of one entry per key, beside its like in queues.mjs:
 * S3-FIFO with a ring of newcomers, eight fingerprints per bucket, and a hand over buckets instead of a main queue.
 * Overflow buckets have marks of their own here; the store's share some.
 */

/** @import { Policy } from './queues.mjs' */

const SLOTS = 64;
const GHOSTS = 8;
const MAX_USES = 3;
const SWEEP_EVERY = 4;
/** Of the store with values of about 64 bytes. */
const ENTRIES_PER_BUCKET = 9;

const mixed = (/** @type {number} */ number) => {
  let mix = Math.imul(number ^ (number >>> 16), 0x85ebca6b);
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35);
  return (mix ^ (mix >>> 16)) >>> 0;
};

/** @type {Policy} */
export function bucketS3Fifo(capacity, keys) {
  const buckets = 2 ** Math.max(0, Math.round(Math.log2(capacity / ENTRIES_PER_BUCKET)));
  const keyAt = new Int32Array(buckets * SLOTS).fill(-1);
  const uses = new Uint8Array(buckets * SLOTS);
  const wordOf = new Int32Array(keys).fill(-1);
  const usedSlots = new Uint8Array(buckets);
  const ghosts = new Int32Array(buckets * GHOSTS).fill(-1);
  const ring = new Int32Array(buckets * 2);
  let [head, tail, hand, size, steps, unswept] = [0, 0, 0, 0, 0, buckets];
  const bucketOf = (/** @type {number} */ key) => mixed(key + 1) & (buckets - 1);
  const newcomers = () => Math.min(tail - head, buckets);
  const remove = (/** @type {number} */ word) => {
    wordOf[keyAt[word]] = -1;
    keyAt[word] = -1;
    size--;
  };
  const remember = (/** @type {number} */ key) => {
    const first = bucketOf(key) * GHOSTS;
    ghosts.copyWithin(first + 1, first, first + GHOSTS - 1);
    ghosts[first] = key;
  };
  const forget = (/** @type {number} */ key) => {
    const at = ghosts.subarray(bucketOf(key) * GHOSTS, (bucketOf(key) + 1) * GHOSTS).indexOf(key);
    if (at >= 0) ghosts[bucketOf(key) * GHOSTS + at] = -1;
    return at >= 0;
  };
  const evictNewcomer = () => {
    while (newcomers() >= Math.max(1, Math.floor(Math.min(size / 10, (buckets * 3) / 4)))) {
      head = Math.max(head, tail - buckets);
      const at = (head++ & (buckets - 1)) * 2;
      const [word, key] = [ring[at], ring[at + 1]];
      if (keyAt[word] !== key) continue;
      if (uses[word] > 1) {
        uses[word] = 0;
        continue;
      }
      remove(word);
      remember(key);
      return true;
    }
    return false;
  };
  const isSwept = () => unswept > 0 && unswept-- > 0;
  const evictInBucket = (/** @type {boolean} */ isSweep) => {
    const bucket = hand++ & (buckets - 1);
    for (let word = bucket * SLOTS; word < bucket * SLOTS + usedSlots[bucket]; word++) {
      const key = keyAt[word];
      if (key < 0) continue;
      if (isSweep && uses[word] === 1) {
        remove(word);
        remember(key);
      } else if (isSweep) uses[word] = 0;
      else if (uses[word] > 0) uses[word]--;
      else remove(word);
    }
  };
  const step = () => {
    const isSweep = ++steps % SWEEP_EVERY === 0 && isSwept();
    if (isSweep || !evictNewcomer()) evictInBucket(isSweep || isSwept());
  };
  const isFull = () => size >= capacity;
  return (key) => {
    if (wordOf[key] >= 0) {
      if (uses[wordOf[key]] < MAX_USES) uses[wordOf[key]]++;
      return true;
    }
    while (isFull()) step();
    const bucket = bucketOf(key);
    let slot = 0;
    while (keyAt[bucket * SLOTS + slot] >= 0) slot++;
    if (slot >= SLOTS) throw new Error(`bucket ${bucket} has more than ${SLOTS} entries`);
    usedSlots[bucket] = Math.max(usedSlots[bucket], slot + 1);
    const word = bucket * SLOTS + slot;
    keyAt[word] = key;
    wordOf[key] = word;
    size++;
    uses[word] = 0;
    if (forget(key)) return false;
    uses[word] = 1;
    const at = (tail++ & (buckets - 1)) * 2;
    ring[at] = word;
    ring[at + 1] = key;
    return false;
  };
}
