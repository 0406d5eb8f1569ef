/**
 * Makes a dead server's store one to work with again: walks all buckets once, keeps the entries that are sound, drops
 * the others (and counts them: they are never served), and rebuilds heap, counts and locks from what it has kept.
 * The workers' intents must have been resolved. Nobody else may write; direct readers go on: what they see changes only
 * by entries that are dropped. A death in the middle loses nothing, the next server begins again.
 */
import {
  BUCKET_ENTRIES,
  BUCKET_WORDS,
  Entry,
  ENTRY_HEADER_WORDS,
  type Geometry,
  MAX_KEY_BYTES,
  Stripe,
  stripeBase,
} from '../memory/layout.js';
import { Fetched } from '../memory/fetched.js';
import type { SegmentViews } from '../memory/segment.js';
import { store } from '../memory/words.js';
import { HashMap } from './hash-map.js';
import { HeapRebuild } from './heap-rebuild.js';

/** Buckets whose entries are fetched side by side. */
const FETCHED_BUCKETS = 8;

export interface RebuildParts {
  readonly data: SegmentViews;
  readonly geometry: Geometry;
  /** Hash of `bytes` bytes of a key that starts at word `word` of the data segment. */
  readonly hashOf: (word: number, bytes: number) => number;
  /** Granules that clients have pinned, or garbage: large blocks that no key names any more stay in use for them. */
  readonly pinned: Iterable<number>;
}

export interface RebuiltStore {
  readonly entries: number;
  /** Damaged entries and ends of chains, taken out of the map. */
  readonly dropped: number;
  /** Of the entries, those that expire. */
  readonly expiring: number;
}

/** Versions are whole numbers far below this, unless they are garbage. */
export const MAX_VERSION = 2 ** 52;

/** @throws Error when the heap is damaged beyond telling its blocks apart; nothing was changed then */
export function rebuildStore(parts: RebuildParts): RebuiltStore {
  return new StoreRebuild(parts).run();
}

class StoreRebuild {
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly #geometry: Geometry;
  readonly #map: HashMap;
  readonly #heap: HeapRebuild;
  readonly #parts: RebuildParts;
  readonly #granuleMask: number;
  /** By stripe: entries kept, and the highest version among them. */
  readonly #counts: Int32Array;
  readonly #versions: Float64Array;
  /** Granules kept in the chain in hand. */
  readonly #chain: number[] = [];
  readonly #fetched = new Fetched();
  #entries = 0;
  #dropped = 0;
  #expiring = 0;

  constructor(parts: RebuildParts) {
    const { data, geometry } = parts;
    this.#parts = parts;
    this.#words = data.words;
    this.#floats = data.floats;
    this.#geometry = geometry;
    this.#map = new HashMap(data, geometry, 0);
    this.#heap = new HeapRebuild(data, geometry);
    this.#granuleMask = 2 ** geometry.granuleBits - 1;
    this.#counts = new Int32Array(geometry.stripes);
    this.#versions = new Float64Array(geometry.stripes);
  }

  run(): RebuiltStore {
    this.#heap.begin();
    for (let bucket = 0; bucket < this.#geometry.buckets; bucket++) {
      if (bucket % FETCHED_BUCKETS === 0) this.#fetch(bucket);
      this.#walk(bucket);
    }
    for (const granule of this.#parts.pinned) this.#heap.takePinned(granule);
    this.#heap.end();
    for (let stripe = 0; stripe < this.#geometry.stripes; stripe++) this.#settle(stripe);
    return { entries: this.#entries, dropped: this.#dropped, expiring: this.#expiring };
  }

  /** Entries lie anywhere in memory, and each would be waited for: read one right after the other, they come together. */
  #fetch(bucket: number): void {
    const words = this.#words;
    const { bucketsOffset, buckets } = this.#geometry;
    const first = bucketsOffset / 4;
    const end = Math.min(bucket + FETCHED_BUCKETS, buckets);
    let sum = 0;
    for (let at = first + bucket * BUCKET_WORDS; at < first + end * BUCKET_WORDS; at++) {
      const entry = (words[at] & this.#granuleMask) << 2;
      if (entry + ENTRY_HEADER_WORDS < words.length) sum ^= words[entry] ^ words[entry + ENTRY_HEADER_WORDS];
    }
    this.#fetched.keep(sum);
  }

  #walk(bucket: number): void {
    const words = this.#words;
    let first = this.#geometry.bucketsOffset / 4 + bucket * BUCKET_WORDS;
    this.#chain.length = 0;
    for (;;) {
      for (let at = first; at < first + BUCKET_ENTRIES; at++) {
        if (words[at] === 0) continue;
        if (this.#isSound(bucket, words[at]) && this.#heap.take()) this.#keep(bucket, words[at] & this.#granuleMask);
        else this.#drop(at);
      }
      const overflow = words[first + BUCKET_ENTRIES];
      if (overflow === 0) return;
      if (this.#heap.locate(overflow, true) === 0 || !this.#heap.take()) return this.#drop(first + BUCKET_ENTRIES);
      first = overflow << 2;
    }
  }

  /** One store: it is in the map, or it is not. */
  #drop(at: number): void {
    store(this.#words, at, 0);
    this.#dropped++;
  }

  #keep(bucket: number, granule: number): void {
    const stripe = bucket & (this.#geometry.stripes - 1);
    this.#chain.push(granule);
    this.#entries++;
    if (this.#map.expiresAtOf(granule) !== 0) this.#expiring++;
    this.#counts[stripe]++;
    this.#versions[stripe] = Math.max(this.#versions[stripe], this.#map.versionOf(granule));
  }

  /** Whether the word of `bucket` names an entry that can be served; its block is located then. */
  #isSound(bucket: number, word: number): boolean {
    const map = this.#map;
    const granule = word & this.#granuleMask;
    const capacity = this.#heap.locate(granule, false);
    if (capacity === 0 || (this.#words[(granule << 2) + Entry.incarnation] & 1) !== 0) return false;
    const hash = map.hashOf(granule);
    if (((word ^ hash) & ~this.#granuleMask) !== 0 || (hash & (this.#geometry.buckets - 1)) !== bucket) return false;
    const keyBytes = map.keyBytesOf(granule);
    const valueBytes = map.valueBytesOf(granule);
    if (keyBytes < 1 || keyBytes > MAX_KEY_BYTES) return false;
    if (valueBytes < 0 || valueBytes > this.#geometry.maxValueBytes) return false;
    if (map.bytesOf(granule) > capacity) return false;
    if (!map.hasSoundExpiry(granule)) return false;
    const version = map.versionOf(granule);
    const { stripes } = this.#geometry;
    if (!(version > 0 && version < MAX_VERSION && version % stripes === (bucket & (stripes - 1)))) return false;
    return this.#parts.hashOf(map.keyOffsetOf(granule) / 4, keyBytes) === hash && !this.#isDouble(granule, hash);
  }

  /** Whether the chain in hand has the key already. */
  #isDouble(granule: number, hash: number): boolean {
    for (const other of this.#chain) {
      if (other !== granule && this.#map.hashOf(other) === hash && this.#hasSameKey(granule, other)) return true;
    }
    return false;
  }

  #hasSameKey(granule: number, other: number): boolean {
    const { bytes } = this.#parts.data;
    const start = this.#map.keyOffsetOf(granule);
    const otherStart = this.#map.keyOffsetOf(other);
    const keyBytes = this.#map.keyBytesOf(granule);
    return (
      keyBytes === this.#map.keyBytesOf(other) &&
      bytes.compare(bytes, otherStart, otherStart + keyBytes, start, start + keyBytes) === 0
    );
  }

  /** Versions go on rising, whatever the stripe says. */
  #settle(stripe: number): void {
    const base = stripeBase(this.#geometry, stripe);
    const version = this.#floats[base / 2 + Stripe.version];
    const isSound =
      version >= this.#versions[stripe] && version < MAX_VERSION && version % this.#geometry.stripes === stripe;
    if (!isSound) this.#floats[base / 2 + Stripe.version] = this.#versions[stripe];
    this.#words[base + Stripe.entryCount] = this.#counts[stripe];
    store(this.#words, base + Stripe.lock, 0);
  }
}
