/**
 * Values that this client has decoded, each with the bucket word and version it was read at. A hit is one whose bucket
 * word and version are unchanged in shared memory, and that has not expired, so it is never stale; it spares encoding, hashing and comparing the
 * key and decoding the value. Bounded by two generations: the older one is dropped when the younger is full.
 * It pays only if keys come again soon, so it watches its own yield and steps aside for a while when that is poor.
 */

export interface CachedValue<V> {
  readonly bucketWord: number;
  readonly entryWord: number;
  readonly version: number;
  /** When it expires (hostMs()), 0: never. */
  readonly expiresAt: number;
  readonly value: V;
  /** Of the value as it is stored. */
  readonly bytes: number;
}

/** Largest value worth keeping, in bytes; and what one generation holds at most. */
export const MAX_CACHED_BYTES = 256 * 1024;
const GENERATION_BYTES = 8 * 1024 * 1024;
/** Cost of an entry beside its key and value. */
const ENTRY_BYTES = 128;

/** Look-ups after which the yield is judged, the share of them that must hit, and how many are let pass otherwise. */
const TRIAL = 4096;
const MIN_HITS = TRIAL / 4;
const PAUSE = 16 * TRIAL;

export class ValueCache<V> {
  readonly #generationEntries: number;
  #young = new Map<string, CachedValue<V>>();
  #old = new Map<string, CachedValue<V>>();
  #youngBytes = 0;
  #lookups = 0;
  #hits = 0;
  #pause = 0;

  /** @param entries kept at most */
  constructor(entries: number) {
    this.#generationEntries = Math.ceil(entries / 2);
  }

  /** @returns what was known of the key; to be compared with shared memory, and reported by hit() if it holds */
  get(key: string): CachedValue<V> | undefined {
    if (this.#pause > 0) {
      this.#pause--;
      return undefined;
    }
    if (++this.#lookups >= TRIAL) this.#judge();
    const young = this.#young.get(key);
    if (young !== undefined) return young;
    const old = this.#old.get(key);
    if (old === undefined) return undefined;
    this.#old.delete(key);
    this.#keep(key, old);
    return old;
  }

  hit(): void {
    this.#hits++;
  }

  #judge(): void {
    if (this.#hits < MIN_HITS) {
      this.#pause = PAUSE;
      this.clear();
    }
    this.#lookups = 0;
    this.#hits = 0;
  }

  put(key: string, cached: CachedValue<V>): void {
    if (this.#pause === 0 && cached.bytes <= MAX_CACHED_BYTES) this.#keep(key, cached);
  }

  #keep(key: string, cached: CachedValue<V>): void {
    const replaced = this.#young.get(key);
    if (replaced !== undefined) this.#youngBytes -= costOf(key, replaced);
    this.#young.set(key, cached);
    this.#youngBytes += costOf(key, cached);
    if (this.#young.size < this.#generationEntries && this.#youngBytes < GENERATION_BYTES) return;
    this.#old = this.#young;
    this.#young = new Map();
    this.#youngBytes = 0;
  }

  /** Entries kept. */
  get size(): number {
    return this.#young.size + this.#old.size;
  }

  clear(): void {
    this.#young.clear();
    this.#old.clear();
    this.#youngBytes = 0;
  }
}

const costOf = (key: string, { bytes }: CachedValue<unknown>): number => key.length + bytes + ENTRY_BYTES;
