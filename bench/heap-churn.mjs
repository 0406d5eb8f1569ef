/**
 * How full the heap gets before a write fails, after long churn of mixed and shifting value sizes, and what an
 * allocation costs. Uses the real store, so that making room moves real entries through the map.
 *
 *   node bench/heap-churn.mjs [--quick] [--memory=MiB] [--seed=N] [--pattern=part of a name] [--json]
 *
 * Each round fills the store until a write fails (that is the measured point), deletes random entries down to 60 to
 * 90 % of that, and overwrites random entries with new sizes. A shifting pattern draws its sizes anew each round.
 * Utilisation: bytes of live entries (24-byte header, 8-byte key, value), and of keys and values alone, per heap byte.
 */
import { parseArgs } from 'node:util';

import { geometryOf, UNIT_BYTES } from '../dist/memory/layout.js';
import { viewsOf } from '../dist/memory/segment.js';
import { Store } from '../dist/store/store.js';

const MIB = 2 ** 20;
const KEY_BYTES = 8;
const ENTRY_BYTES = 24 + KEY_BYTES;
const VALUE_OFFSET = 64;

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    memory: { type: 'string' },
    seed: { type: 'string', default: '1' },
    pattern: { type: 'string', default: '' },
    json: { type: 'boolean', default: false },
  },
});
const memoryBytes = Number(options.memory ?? (options.quick ? 16 : 64)) * MIB;
const rounds = options.quick ? 8 : 40;
const maxValueBytes = Math.min(MIB, memoryBytes / 16);

/** @typedef {() => number} Random in [0, 1) */
/** @typedef {(random: Random) => number} Size draws a value's size in bytes */
/** @typedef {(round: number, random: Random) => Size} Pattern */

/**
 * Random numbers that can be repeated (mulberry32).
 * @param {number} seed
 * @returns {Random}
 */
function randomFrom(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Sizes spread evenly over the powers of two between the two.
 * @type {(low: number, high: number) => Size}
 */
const between = (low, high) => (random) => Math.floor(low * (high / low) ** random());
/** @type {(low: number, high: number) => Size} */
const evenly = (low, high) => (random) => Math.floor(low + (high - low) * random());
/** @type {(share: number, one: Size, other: Size) => Size} */
const either = (share, one, other) => (random) => (random() < share ? one : other)(random);

const phases = [
  between(16, 128),
  between(128, 2048),
  between(2048, 8192),
  between(8192, 65_536),
  between(16, 65_536),
  evenly(64, 512),
  either(0.9, between(20, 200), between(4096, 32_768)),
  evenly(1000, 1100),
];
/** @type {(sizes: Size[], round: number) => Size} */
const shifting = (sizes, round) => sizes[round % sizes.length];

/** @type {Record<string, Pattern>} by name */
const patterns = {
  'small 16–256': () => between(16, 256),
  'medium 256–8 Ki': () => between(256, 8192),
  'mixed 16–64 Ki': () => between(16, 65_536),
  'large 8–256 Ki': () => between(8192, 262_144),
  'huge 64 Ki–max/2': () => between(65_536, maxValueBytes / 2),
  'even 0–16 Ki': () => evenly(1, 16_384),
  'many small, some large': () => either(0.99, between(16, 200), between(8192, 131_072)),
  'shifting, small': (round) =>
    shifting([between(16, 64), evenly(100, 200), between(200, 1000), evenly(20, 30)], round),
  'shifting, all sizes': (round) => shifting(phases, round),
  'shifting at random': (_round, random) => phases[Math.floor(random() * phases.length)],
  'fixed size, growing': (round) => evenly(40 + 37 * round, 41 + 37 * round),
};

class Bench {
  /** @param {number} seed */
  constructor(seed) {
    this.geometry = geometryOf({ slots: 16, stripes: 64, workers: 1, maxValueBytes, maxMemoryBytes: memoryBytes });
    this.heapBytes = this.geometry.heapUnits * UNIT_BYTES;
    this.data = viewsOf(new SharedArrayBuffer(this.geometry.dataBytes));
    this.source = viewsOf(new SharedArrayBuffer(maxValueBytes + 1024));
    Store.format(this.data, this.geometry);
    this.store = new Store(this.data, this.geometry, 0);
    this.random = randomFrom(seed);
    /** Live keys, and the size of each key's value. */
    /** @type {number[]} */
    this.keys = [];
    /** @type {number[]} */
    this.sizes = [];
    this.valueBytes = 0;
    this.nextKey = 1;
    this.operations = 0;
  }

  get entryShare() {
    return (this.valueBytes + this.keys.length * ENTRY_BYTES) / this.heapBytes;
  }

  get valueShare() {
    return (this.valueBytes + this.keys.length * KEY_BYTES) / this.heapBytes;
  }

  /** @param {number} key */
  #key(key) {
    this.source.words[0] = key;
    this.source.words[1] = ~key;
    let hash = Math.imul(key, 0x9e3779b1);
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
    return hash ^ (hash >>> 13);
  }

  /**
   * @param {number} key
   * @param {number} bytes
   */
  #put(key, bytes) {
    const { store, source } = this;
    this.operations++;
    const hash = this.#key(key);
    const granule = store.prepare(hash, source, 0, KEY_BYTES, source, VALUE_OFFSET, bytes, 0);
    if (granule === 0) return false;
    store.lock(hash);
    store.find(hash, source, 0, KEY_BYTES);
    const old = store.put(hash, granule);
    store.unlock(hash);
    store.retire(old);
    return true;
  }

  /** @param {number} bytes */
  insert(bytes) {
    if (!this.#put(this.nextKey, bytes)) return false;
    this.keys.push(this.nextKey++);
    this.sizes.push(bytes);
    this.valueBytes += bytes;
    return true;
  }

  /** @param {number} bytes */
  overwrite(bytes) {
    const index = Math.floor(this.random() * this.keys.length);
    if (!this.#put(this.keys[index], bytes)) return false;
    this.valueBytes += bytes - this.sizes[index];
    this.sizes[index] = bytes;
    return true;
  }

  /** @param {number} index */
  remove(index) {
    const { store, source } = this;
    this.operations++;
    const hash = this.#key(this.keys[index]);
    store.lock(hash);
    store.find(hash, source, 0, KEY_BYTES);
    const old = store.remove(hash);
    store.unlock(hash);
    store.retire(old);
    this.valueBytes -= this.sizes[index];
    this.keys[index] = this.keys[this.keys.length - 1];
    this.sizes[index] = this.sizes[this.sizes.length - 1];
    this.keys.pop();
    this.sizes.pop();
  }

  /** @param {number} share */
  removeDownTo(share) {
    while (this.entryShare > share) this.remove(Math.floor(this.random() * this.keys.length));
  }
}

/**
 * @param {Pattern} sizesOf
 * @param {number} seed
 */
function churn(sizesOf, seed) {
  const bench = new Bench(seed);
  const { random } = bench;
  const entryShares = [];
  const valueShares = [];
  let churnFailures = 0;
  const before = process.cpuUsage();
  for (let round = 0; round < rounds; round++) {
    const size = sizesOf(round, random);
    while (bench.insert(size(random))) void 0;
    entryShares.push(bench.entryShare);
    valueShares.push(bench.valueShare);
    bench.removeDownTo(bench.entryShare * (0.6 + 0.3 * random()));
    for (let left = Math.min(bench.keys.length * 2, 200_000); left > 0; left--) {
      if (bench.entryShare > 0.78) bench.removeDownTo(0.77);
      if (!bench.overwrite(size(random))) {
        churnFailures++;
        entryShares.push(bench.entryShare);
        valueShares.push(bench.valueShare);
      }
    }
  }
  const usage = bench.store.usage();
  const { user, system } = process.cpuUsage(before);
  entryShares.sort((a, b) => a - b);
  valueShares.sort((a, b) => a - b);
  const percent = (/** @type {number} */ share) => Number((share * 100).toFixed(1));
  return {
    operations: bench.operations,
    'entries min %': percent(entryShares[0]),
    'median %': percent(entryShares[entryShares.length >> 1]),
    'key+value min %': percent(valueShares[0]),
    'failed overwrites': churnFailures,
    compactions: usage.compactions,
    'moved B/op': Math.round(usage.movedBytes / bench.operations),
    'ns/op': Math.round(((user + system) * 1000) / bench.operations),
  };
}

/**
 * Time per allocate and free of random blocks at a given fill. Others may use the processor: the best run counts.
 * @param {string} name
 * @param {number} fill
 * @param {Size} size
 */
function cost(name, fill, size) {
  const bench = new Bench(7);
  const { heap } = bench.store;
  const { random } = bench;
  const blocks = [];
  let bytes = 0;
  const target = fill * bench.heapBytes;
  while (bytes < target) {
    const asked = size(random);
    const granule = heap.allocate(asked);
    if (granule === 0) break;
    bytes += asked;
    blocks.push(granule);
  }
  const pairs = options.quick ? 200_000 : 2_000_000;
  const asked = Int32Array.from({ length: 4096 }, () => size(random));
  const victims = Int32Array.from({ length: 65_536 }, () => Math.floor(random() * blocks.length));
  const live = Int32Array.from(blocks);
  let failed = 0;
  const turn = (/** @type {number} */ count) => {
    for (let i = 0; i < count; i++) {
      const victim = victims[i & 65_535];
      heap.free(live[victim]);
      live[victim] = heap.allocate(asked[i & 4095]);
      if (live[victim] === 0) failed++;
    }
  };
  turn(pairs / 4);
  const runs = Array.from({ length: 15 }, () => {
    const startedAt = performance.now();
    turn(pairs / 15);
    return Math.round(((performance.now() - startedAt) * 15e6) / pairs);
  }).sort((a, b) => a - b);
  return { sizes: name, 'fill %': Math.round(fill * 100), 'ns/pair, best': runs[0], 'median of 15': runs[7], failed };
}

/** @returns {Record<string, object>} by pattern */
function churnAll() {
  const chosen = Object.entries(patterns).filter(([name]) => name.includes(options.pattern));
  return Object.fromEntries(chosen.map(([name, sizesOf]) => [name, churn(sizesOf, Number(options.seed))]));
}

function report() {
  console.log(`heap of ${memoryBytes / MIB} MiB, ${rounds} rounds, seed ${options.seed}, Node ${process.version}`);
  console.table(churnAll());
  console.log('allocate + free of the heap alone:');
  const costs = [];
  for (const fill of [0, 0.5, 0.8]) {
    costs.push(
      cost('64 B', fill + 0.001, () => 64),
      cost('32–1024 B', fill + 0.001, between(32, 1024)),
    );
    costs.push(cost('8–64 KiB', fill + 0.02, between(9000, 65_536)));
  }
  console.table(costs);
}

if (options.json) console.log(JSON.stringify({ results: churnAll() }));
else report();
