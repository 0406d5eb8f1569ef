/**
 * What all worker threads of a server know of the order in which entries came (eviction.ts): a ring of the newcomers, the
 * fingerprints of those that were evicted lately, and the hand that goes round the buckets. In memory of the server's
 * own: a successor begins without, and no client can touch it.
 * All of it is hints. Ring and hand are moved by atomic steps, and what a ring entry names is compared with the map under
 * the stripe's lock; fingerprints are guarded by the stripe's lock. A thread may die anywhere: at most a place in the
 * ring is lost, and its entry is found by the hand.
 */
import type { Geometry } from '../memory/layout.js';
import { add, cas, load } from '../memory/words.js';

/** Words before the ring, each on lines of its own. */
const HEAD = 0;
const TAIL = 32;
const HAND = 64;
/** Entries whose keys are on their way to a listener; 0 or more while anybody listens, else SILENT. */
const UNHEARD = 96;
/** Buckets that the hand has not seen since memory was short first; UNKNOWN: it has not been. */
const UNSWEPT = 112;
const RING = 128;
/** Ghosts of a bucket: two to a word. */
const GHOST_WORDS = 4;
const GHOSTS = GHOST_WORDS * 2;
const GHOST_MASK = 0xffff;
const SILENT = -1;
const UNKNOWN = -1;

export class EvictionState {
  /** Of the last pop(): the entry's word in the map, and its hash. */
  at = 0;
  hash = 0;
  readonly #words: Int32Array;
  readonly #ringMask: number;
  readonly #bucketMask: number;
  readonly #ghosts: number;

  /** Shared by all threads of one server: 8 bytes of ring and 16 of fingerprints for each bucket. */
  static allocate({ buckets }: Geometry): SharedArrayBuffer {
    const buffer = new SharedArrayBuffer((RING + buckets * 2 + buckets * GHOST_WORDS) * 4);
    const words = new Int32Array(buffer);
    words[UNHEARD] = SILENT;
    words[UNSWEPT] = UNKNOWN;
    return buffer;
  }

  constructor(buffer: SharedArrayBuffer, { buckets }: Geometry) {
    this.#words = new Int32Array(buffer);
    this.#ringMask = buckets - 1;
    this.#bucketMask = buckets - 1;
    this.#ghosts = RING + buckets * 2;
  }

  /** Newcomers in the ring, those included that are no longer there. */
  get newcomers(): number {
    return Math.min((load(this.#words, TAIL) - load(this.#words, HEAD)) | 0, this.#ringMask + 1);
  }

  /** Adds a newcomer; the oldest one loses its place when the ring is full. */
  push(at: number, hash: number): void {
    const index = RING + (add(this.#words, TAIL, 1) & this.#ringMask) * 2;
    this.#words[index] = at;
    this.#words[index + 1] = hash;
  }

  /** Takes the oldest newcomer into `at` and `hash`. @returns false: there is none */
  pop(): boolean {
    for (;;) {
      const head = load(this.#words, HEAD);
      const length = (load(this.#words, TAIL) - head) | 0;
      if (length <= 0) return false;
      const skipped = Math.max(0, length - this.#ringMask - 1);
      const index = RING + ((head + skipped) & this.#ringMask) * 2;
      this.at = this.#words[index];
      this.hash = this.#words[index + 1];
      if (cas(this.#words, HEAD, head, (head + skipped + 1) | 0)) return this.at !== 0;
    }
  }

  /** Whether the next bucket for the hand is one of the first round, whose entries count as newcomers. */
  takeSweep(): boolean {
    if (load(this.#words, UNSWEPT) === UNKNOWN) cas(this.#words, UNSWEPT, UNKNOWN, this.#bucketMask + 1);
    const unswept = load(this.#words, UNSWEPT);
    return unswept > 0 && cas(this.#words, UNSWEPT, unswept, unswept - 1);
  }

  /** The next bucket for the hand. */
  nextBucket(): number {
    return add(this.#words, HAND, 1) & this.#bucketMask;
  }

  /** Remembers an entry that is evicted, in place of the one of its bucket remembered for longest. Stripe locked. */
  remember(hash: number): void {
    const first = this.#ghostsOf(hash);
    const words = this.#words;
    for (let index = first + GHOST_WORDS - 1; index > first; index--) {
      words[index] = (words[index] << 16) | (words[index - 1] >>> 16);
    }
    words[first] = (words[first] << 16) | fingerprintOf(hash);
  }

  /** Whether the entry is remembered; it is not any more afterwards. Stripe locked. */
  forget(hash: number): boolean {
    const first = this.#ghostsOf(hash);
    const fingerprint = fingerprintOf(hash);
    for (let ghost = 0; ghost < GHOSTS; ghost++) {
      const index = first + (ghost >> 1);
      const shift = (ghost & 1) * 16;
      if (((this.#words[index] >>> shift) & GHOST_MASK) !== fingerprint) continue;
      this.#words[index] &= ~(GHOST_MASK << shift);
      return true;
    }
    return false;
  }

  #ghostsOf(hash: number): number {
    return this.#ghosts + (hash & this.#bucketMask) * GHOST_WORDS;
  }

  /** Whether anybody wants to hear what is evicted. */
  get isHeard(): boolean {
    return load(this.#words, UNHEARD) !== SILENT;
  }

  /** Starts or stops to listen. */
  listen(isOn: boolean): void {
    const now = load(this.#words, UNHEARD);
    if (isOn === (now === SILENT)) cas(this.#words, UNHEARD, now, isOn ? 0 : SILENT);
  }

  /** Keys that were sent to the listener and have not arrived. */
  get unheard(): number {
    return Math.max(0, load(this.#words, UNHEARD));
  }

  /** @param keys sent; less than 0: arrived */
  addUnheard(keys: number): void {
    for (let now = load(this.#words, UNHEARD); now !== SILENT; now = load(this.#words, UNHEARD)) {
      if (cas(this.#words, UNHEARD, now, Math.max(0, now + keys))) return;
    }
  }
}

/** 0 is no entry. The low bits of the hash are the bucket's. */
const fingerprintOf = (hash: number): number => hash >>> 16 || 1;
