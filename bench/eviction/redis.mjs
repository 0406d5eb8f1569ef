/**
 * What Redis does (evict.c, 7.x): samples 5 keys for each victim and keeps the best candidates of earlier samples in a
 * pool of 16. allkeys-lru by a clock of whole milliseconds or better (here: of requests), allkeys-lfu by an 8-bit
 * logarithmic counter (lfu-log-factor 10) that decays by one per minute of idleness (here: per so many requests).
 */
import { randomFrom } from '../workload/random.mjs';

/** @import { Policy } from './queues.mjs' */

const SAMPLES = 5;
const POOL = 16;
const LFU_INIT = 5;
const LFU_LOG_FACTOR = 10;

/**
 * @param {number} capacity
 * @param {number} keys
 * @param {(key: number, random: () => number, isNew: boolean) => void} touch
 * @param {(key: number) => number} idleness
 */
function sampled(capacity, keys, touch, idleness) {
  const random = randomFrom(7);
  const members = new Int32Array(capacity);
  const indexOf = new Int32Array(keys).fill(-1);
  /** @type {{ key: number, score: number }[]} by rising score */
  const pool = [];
  let size = 0;
  const evict = () => {
    for (;;) {
      for (let i = 0; i < SAMPLES; i++) {
        const key = members[Math.floor(random() * size)];
        if (pool.some((candidate) => candidate.key === key)) continue;
        const score = idleness(key);
        if (pool.length === POOL && score <= pool[0].score) continue;
        let at = pool.length;
        while (at > 0 && pool[at - 1].score > score) at--;
        pool.splice(at, 0, { key, score });
        if (pool.length > POOL) pool.shift();
      }
      while (pool.length > 0) {
        const { key } = /** @type {{ key: number, score: number }} */ (pool.pop());
        if (indexOf[key] >= 0) return key;
      }
    }
  };
  return (/** @type {number} */ key) => {
    if (indexOf[key] >= 0) {
      touch(key, random, false);
      return true;
    }
    let at = size;
    if (size === capacity) {
      const victim = evict();
      at = indexOf[victim];
      indexOf[victim] = -1;
    } else size++;
    members[at] = key;
    indexOf[key] = at;
    touch(key, random, true);
    return false;
  };
}

/** @type {Policy} */
export function redisLru(capacity, keys) {
  const usedAt = new Float64Array(keys);
  let now = 0;
  return sampled(
    capacity,
    keys,
    (key) => {
      usedAt[key] = ++now;
    },
    (key) => now - usedAt[key],
  );
}

/** @param {number} decay requests per decrement. @returns {Policy} */
export const redisLfu = (decay) => (capacity, keys) => {
  const counters = new Uint8Array(keys);
  const decayedAt = new Float64Array(keys);
  let now = 0;
  const current = (/** @type {number} */ key) =>
    Math.max(0, counters[key] - Math.floor((now - decayedAt[key]) / decay));
  return sampled(
    capacity,
    keys,
    (key, random, isNew) => {
      now++;
      let counter = isNew ? LFU_INIT : current(key);
      if (!isNew && counter < 255 && random() < 1 / (Math.max(0, counter - LFU_INIT) * LFU_LOG_FACTOR + 1)) counter++;
      counters[key] = counter;
      decayedAt[key] = now;
    },
    (key) => 255 - current(key),
  );
};
