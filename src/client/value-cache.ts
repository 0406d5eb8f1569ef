/**
 * Values that this client has decoded, each with the bucket word and version it was read at. A hit is one whose bucket
 * word and version are unchanged in shared memory, and that has not expired, so it is never stale; it spares encoding,
 * hashing and comparing the key and decoding the value. Which values stay is decided by second chance (F. J. Corbató, "A
 * Paging Experiment with the Multics System", 1968), and of those that come while it is full only some get in.
 * It pays only if keys come again soon, so it watches its own yield and steps aside for a while when that is poor.
 */

/** Where a value was found, and until when it is there. */
export interface Origin {
  readonly bucketWord: number;
  readonly entryWord: number;
  readonly version: number;
  /** When it expires (hostMs()), 0: never. */
  readonly expiresAt: number;
}

export interface CachedValue<V> extends Origin {
  readonly value: V;
  /** Of the value as it is stored. */
  readonly bytes: number;
}

/** Largest value worth keeping, and what is kept at most, in bytes. */
export const MAX_CACHED_BYTES = 256 * 1024;
export const MAX_CACHE_BYTES = 16 * 1024 * 1024;
/** Cost of an entry beside its key and value. */
const ENTRY_BYTES = 128;

/** While it is full one in so many new values is kept: what comes again soon gets in, and the others cost little. */
const SAMPLE = 8;

/** Look-ups after which the yield is judged: as many as it has entries, but so many at least. */
const MIN_TRIAL = 4096;
/** The share of them that must hit; else so many trials are let pass, and twice as many after each that fails again. */
const MIN_HITS = 1 / 3;
const MIN_PAUSE = 8;
const MAX_PAUSE = 64;

class Kept<V> implements CachedValue<V> {
  readonly key: string;
  bucketWord = 0;
  entryWord = 0;
  version = 0;
  expiresAt = 0;
  value!: V;
  bytes = 0;
  /** Looked up since it was last considered for eviction. */
  isUsed = false;

  constructor(key: string) {
    this.key = key;
  }
}

export class ValueCache<V> {
  readonly #maxEntries: number;
  readonly #trial: number;
  readonly #byKey = new Map<string, Kept<V>>();
  /** All of them; those before `#hand` have been considered for eviction in this round. */
  readonly #ring: Kept<V>[] = [];
  #hand = 0;
  #bytes = 0;
  /** New values that came while it was full. */
  #turnedAway = 0;
  #lookups = 0;
  #hits = 0;
  /** Look-ups to let pass, and trials that the next pause is as long as. */
  #pause = 0;
  #nextPause = MIN_PAUSE;

  /** @param entries kept at most */
  constructor(entries: number) {
    this.#maxEntries = entries;
    this.#trial = Math.max(MIN_TRIAL, entries);
  }

  /** @returns what was known of the key; to be compared with shared memory, and reported by hit() if it holds */
  get(key: string): CachedValue<V> | undefined {
    if (this.#pause > 0) {
      this.#pause--;
      return undefined;
    }
    if (++this.#lookups > this.#trial) this.#judge();
    const kept = this.#byKey.get(key);
    if (kept !== undefined && !kept.isUsed) kept.isUsed = true;
    return kept;
  }

  hit(): void {
    this.#hits++;
  }

  #judge(): void {
    if (this.#hits >= this.#trial * MIN_HITS) {
      this.#nextPause = MIN_PAUSE;
    } else {
      this.#pause = this.#nextPause * this.#trial;
      this.#nextPause = Math.min(2 * this.#nextPause, MAX_PAUSE);
      this.clear();
    }
    this.#lookups = 0;
    this.#hits = 0;
  }

  /** @param bytes of the value as it is stored */
  put(key: string, origin: Origin, value: V, bytes: number): void {
    if (this.#pause > 0 || bytes > MAX_CACHED_BYTES) return;
    const known = this.#byKey.get(key);
    if (known === undefined && this.#isFull && ++this.#turnedAway % SAMPLE !== 0) return;
    const kept = known ?? this.#add(key);
    this.#bytes += bytes - kept.bytes;
    kept.bucketWord = origin.bucketWord;
    kept.entryWord = origin.entryWord;
    kept.version = origin.version;
    kept.expiresAt = origin.expiresAt;
    kept.value = value;
    kept.bytes = bytes;
    while (this.#bytes > MAX_CACHE_BYTES) this.#evict();
  }

  get #isFull(): boolean {
    return this.#ring.length >= this.#maxEntries || this.#bytes > MAX_CACHE_BYTES - MAX_CACHED_BYTES;
  }

  #add(key: string): Kept<V> {
    if (this.#ring.length >= this.#maxEntries) this.#evict();
    const kept = new Kept<V>(key);
    this.#byKey.set(key, kept);
    this.#ring.push(kept);
    this.#bytes += fixedCost(kept);
    return kept;
  }

  /** Drops the next one that was not looked up for a whole round. */
  #evict(): void {
    const ring = this.#ring;
    for (;;) {
      if (this.#hand >= ring.length) this.#hand = 0;
      const kept = ring[this.#hand];
      if (!kept.isUsed) break;
      kept.isUsed = false;
      this.#hand++;
    }
    const evicted = ring[this.#hand];
    // The newest takes its place, and is considered in the next round.
    ring[this.#hand] = ring[ring.length - 1];
    ring.pop();
    this.#hand++;
    this.#byKey.delete(evicted.key);
    this.#bytes -= fixedCost(evicted) + evicted.bytes;
  }

  /** Entries kept. */
  get size(): number {
    return this.#ring.length;
  }

  clear(): void {
    this.#byKey.clear();
    this.#ring.length = 0;
    this.#hand = 0;
    this.#bytes = 0;
  }
}

const fixedCost = ({ key }: Kept<unknown>): number => key.length + ENTRY_BYTES;
