/**
 * A store of a few words for explorations: two stripes with a bucket each, and two or three blocks for entries. Its one
 * writer has a copy of all words of its own: only its stores are steps, and of these only the ones that readers see.
 * The words that it has before an operation follow from the operations before, which its history names.
 */
import { Entry, EXPIRES, type Geometry, geometryOf } from '#dist/memory/layout.js';
import { type SegmentViews, viewsOf } from '#dist/memory/segment.js';
import { load, store } from '#dist/memory/words.js';
import { HashMap } from '#dist/store/hash-map.js';
import type { SoughtKey } from '#dist/store/reader.js';

const BUCKETS_OFFSET = 1024;
const HEAP_OFFSET = 1152;
const DATA_BYTES = 2048;
/** Room for a header, an expiry, a key of one word and a value of two. */
const BLOCK_GRANULES = 3;
const GRANULE_MASK = 127;
const KEY_WORD = Entry.sizeBytes / 4;
const VALUE_WORD = KEY_WORD + 1;
/** Bucket words that are looked at one by one; the others are never used. */
const USED_ENTRIES = 2;

export interface Key extends SoughtKey {
  readonly name: string;
  readonly valueWords: number;
  /** Long ago, of one that is written to be absent; 0: never. */
  readonly expiresAt: number;
}

const keyOf = (name: string, hash: number, content: number, valueWords: number): Key => ({
  name,
  hash,
  byteLength: 4,
  words: Int32Array.of(content),
  valueWords,
  expiresAt: 0,
});

const HASH = 0x5a5a5a00;
export const A = keyOf('A', HASH, 1, 2);
/** A as something that has expired already. */
export const EXPIRED: Key = { ...A, name: 'an expired A', expiresAt: 1 };
/** Of A's stripe, and with A's hash. */
export const B = keyOf('B', HASH, 2, 1);
/** Of the other stripe, with A's tag. */
export const C = keyOf('C', HASH | 1, 3, 2);

/** What the writer has between operations. */
interface Snapshot {
  readonly words: Int32Array;
  /** What is in each block. */
  readonly blocks: readonly (Key | undefined)[];
}

/** Versions are small: the lower half of the float is 0. */
const float = new Float64Array(1);
const halves = new Int32Array(float.buffer);
function versionOf(word: number): number {
  halves[0] = 0;
  halves[1] = word;
  return float[0];
}

const isShared = (index: number) =>
  index * 4 >= HEAP_OFFSET || (index * 4 >= BUCKETS_OFFSET && (index & 15) < USED_ENTRIES);

export class StoreWords {
  readonly geometry: Geometry;
  readonly #shared: SegmentViews;
  readonly #own = viewsOf(new SharedArrayBuffer(DATA_BYTES));
  readonly #ownWords: Int32Array;
  readonly #map: HashMap;
  #history = new Map<number, Snapshot>();
  #blocks: (Key | undefined)[] = [];

  /** @param moreBytes behind the store's, in the same words */
  constructor(moreBytes = 0) {
    this.#shared = viewsOf(new SharedArrayBuffer(DATA_BYTES + moreBytes));
    const shape = { slots: 16, stripes: 2, workers: 1, maxValueBytes: 8, maxMemoryBytes: 4 * 2 ** 20 };
    this.geometry = {
      ...geometryOf(shape),
      stripesOffset: 0,
      workersOffset: 256,
      bucketsOffset: BUCKETS_OFFSET,
      buckets: 2,
      heapOffset: HEAP_OFFSET,
      dataBytes: DATA_BYTES,
      granuleBits: 7,
      pinsOffset: DATA_BYTES,
    };
    // Loads come from the copy; stores go there, and on.
    this.#ownWords = new Proxy(this.#own.words, {
      get: (target, name) => target[Number(name)],
      set: (_, name, value: number) => this.#change(Number(name), () => (this.#own.words[Number(name)] = value)),
    });
    const floats = new Proxy(this.#own.floats, {
      get: (target, name) => target[Number(name)],
      set: (target, name, value: number) => this.#change(Number(name) * 2 + 1, () => (target[Number(name)] = value)),
    });
    this.#map = new HashMap({ ...this.#own, words: this.#ownWords, floats }, this.geometry, 0);
  }

  get words(): Int32Array {
    return this.#shared.words;
  }

  get shared(): SegmentViews {
    return this.#shared;
  }

  /** What a reader is given: plain loads are steps too. */
  readerViews(): SegmentViews {
    const { words, floats } = this.#shared;
    return {
      ...this.#shared,
      words: new Proxy(words, {
        get: (target, name) => (isShared(Number(name)) ? load(target, Number(name)) : target[Number(name)]),
      }),
      floats: new Proxy(floats, { get: (_, name) => versionOf(load(words, Number(name) * 2 + 1)) }),
    };
  }

  /** Begins with A in block 0. `earlier`: writes that the other stripe has seen. */
  reset(blocks: number, earlier: number): void {
    this.#own.words.fill(0);
    this.#history.clear();
    this.#history.set(-1, { words: this.#own.words.slice(), blocks: Array.from({ length: blocks }, () => undefined) });
    this.write(-1, 0, () => {
      this.put(A, 0, 1);
      for (let i = 0; i < earlier; i++) this.put(C, 1, 1);
      if (earlier > 0) this.remove(C);
    });
  }

  /** Sets what is shared to what it is after reset(). */
  publish(): void {
    const { words } = this.#history.get(0)!;
    for (let index = 0; index < words.length; index++) if (isShared(index)) this.words[index] = words[index];
  }

  /** Keys by block. */
  blocksAfter(history: number): readonly (Key | undefined)[] {
    return this.#history.get(history)!.blocks;
  }

  /** Runs an operation of the writer's. Its history afterwards is `next`. */
  write(history: number, next: number, run: () => void): void {
    const { words, blocks } = this.#history.get(history)!;
    this.#own.words.set(words);
    this.#blocks = [...blocks];
    const { load: shownLoad, store: shownStore } = Atomics;
    const isOwn = (target: Int32Array) => target === this.#ownWords;
    Object.assign(Atomics, {
      load: (target: Int32Array, i: number) => (isOwn(target) ? target[i] : shownLoad(target, i)),
      store: (target: Int32Array, i: number, v: number) => (isOwn(target) ? (target[i] = v) : shownStore(target, i, v)),
    });
    try {
      run();
    } finally {
      Object.assign(Atomics, { load: shownLoad, store: shownStore });
    }
    this.#history.set(next, { words: this.#own.words.slice(), blocks: this.#blocks });
  }

  /** Nobody sees a store that changes nothing. */
  #change(index: number, change: () => void): true {
    const { words } = this.#own;
    const before = words[index];
    change();
    if (isShared(index) && words[index] !== before) store(this.words, index, words[index]);
    return true;
  }

  /** As Store.prepare() and put(), and the block that was replaced is free at once. */
  put(key: Key, block: number, value: number): void {
    const granule = granuleOf(block);
    const entry = granule << 2;
    this.#map.writeHeader(granule, key.hash, key.byteLength, key.valueWords * 4, 0, key.expiresAt);
    const first = entry + KEY_WORD + (key.expiresAt === 0 ? 0 : 2);
    this.#ownWords[first] = key.words[0];
    for (let i = 1; i <= key.valueWords; i++) this.#ownWords[first + i] = value;
    this.#map.find(key.hash, key.words, 0, key.byteLength);
    const old = this.#map.put(key.hash, granule);
    if (old !== 0) this.#blocks[blockOf(old)] = undefined;
    this.#blocks[block] = key;
  }

  remove(key: Key): void {
    this.#map.find(key.hash, key.words, 0, key.byteLength);
    this.#blocks[blockOf(this.#map.remove(key.hash))] = undefined;
  }

  /** As EntryMover.relocate(). */
  move(key: Key, to: number): void {
    const from = granuleOf(this.#blocks.indexOf(key));
    const granule = granuleOf(to);
    const words = this.#ownWords;
    this.#map.findEntry(key.hash, from);
    this.#map.writeHeader(granule, key.hash, key.byteLength, key.valueWords * 4, 0, 0);
    for (let i = 0; i <= key.valueWords; i++) words[(granule << 2) + KEY_WORD + i] = words[(from << 2) + KEY_WORD + i];
    this.#map.move(key.hash, from, granule);
    this.#blocks[blockOf(from)] = undefined;
    this.#blocks[to] = key;
  }

  /** What a key's bucket words and blocks say at this moment, without a step; 0: it is missing. */
  current(key: Key): number {
    const { words } = this;
    const bucket = BUCKETS_OFFSET / 4 + (key.hash & 1) * 16;
    for (let at = bucket; at < bucket + USED_ENTRIES; at++) {
      const entry = (words[at] & GRANULE_MASK) << 2;
      if (entry === 0 || (words[entry + Entry.shape] & EXPIRES) !== 0) continue;
      if (words[entry + KEY_WORD] === key.words[0]) return words[entry + VALUE_WORD];
    }
    return 0;
  }

  /** The value between two offsets, by steps; NaN: it is not whole. */
  valueAt(start: number, end: number): number {
    const value = load(this.words, start / 4);
    for (let at = start / 4 + 1; at < end / 4; at++) if (load(this.words, at) !== value) return NaN;
    return end - start === 4 * A.valueWords ? value : NaN;
  }
}

export const granuleOf = (block: number) => HEAP_OFFSET / 16 + block * BLOCK_GRANULES;
const blockOf = (granule: number) => (granule - HEAP_OFFSET / 16) / BLOCK_GRANULES;
