/** Sequences of key numbers to measure policies with: drawn from a distribution, or a trace of a real machine. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

import { randomFrom } from '../workload/random.mjs';

/** @typedef {{ name: string, keys: number, requests: Int32Array }} Load */

/**
 * Zipfian with any exponent, by inversion of the cumulated probabilities.
 * @param {number} theta
 * @param {number} keys
 * @param {number} count of requests
 * @param {number} [drift] requests after which the popular keys have become others by one rank; 0: never
 * @returns {Load}
 */
export function zipfianLoad(theta, keys, count, drift = 0) {
  const random = randomFrom(1234 + Math.round(theta * 100));
  const cumulated = new Float64Array(keys);
  let sum = 0;
  for (let rank = 0; rank < keys; rank++) cumulated[rank] = sum += (rank + 1) ** -theta;
  const order = Int32Array.from({ length: keys }, (_, i) => i);
  for (let i = keys - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  const requests = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const u = random() * sum;
    let low = 0;
    let high = keys - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (cumulated[middle] < u) low = middle + 1;
      else high = middle;
    }
    const rank = drift === 0 ? low : (low + Math.floor(i / drift)) % keys;
    requests[i] = order[rank];
  }
  return { name: drift === 0 ? `zipf ${theta}` : `zipf ${theta}, drifting`, keys, requests };
}

/**
 * A trace as the ARC paper's are published: lines of `start count ...`, optionally gzipped.
 * @param {string} path
 * @param {string} name
 * @returns {Load}
 */
export function traceLoad(path, name) {
  const file = readFileSync(path);
  const text = (path.endsWith('.gz') ? gunzipSync(file) : file).toString('latin1');
  /** @type {Map<number, number>} */
  const numbers = new Map();
  /** @type {number[]} */
  const requests = [];
  for (const line of text.split('\n')) {
    const [start, count] = line.trim().split(/\s+/, 2).map(Number);
    if (!(count > 0)) continue;
    for (let block = start; block < start + count; block++) {
      let number = numbers.get(block);
      if (number === undefined) numbers.set(block, (number = numbers.size));
      requests.push(number);
    }
  }
  return { name, keys: numbers.size, requests: Int32Array.from(requests) };
}

/**
 * @param {import('./queues.mjs').Policy} policy
 * @param {Load} load
 * @param {number} capacity entries
 * @returns {number} hits per request, the first requests of all keys included
 */
export function hitRatio(policy, { keys, requests }, capacity) {
  const access = policy(capacity, keys);
  let hits = 0;
  for (let i = 0; i < requests.length; i++) if (access(requests[i])) hits++;
  return hits / requests.length;
}
