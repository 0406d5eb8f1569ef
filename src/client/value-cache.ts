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

export interface FoundValue<V> extends Origin {
  readonly value: V;
  /** Of the value as it is stored. */
  readonly bytes: number;
}

/** Largest value worth keeping, and what is kept at most: values as they are stored, keys, and ENTRY_BYTES for each. */
export const MAX_CACHED_BYTES = 256 * 1024;
export const MAX_CACHE_BYTES = 16 * 1024 * 1024;
/** What an entry costs beside its key and value. */
export const ENTRY_BYTES = 128;

/** While it is full one in so many new values is kept: what comes again soon gets in, and the others cost little. */
const SAMPLE = 8;

/** Look-ups after which the yield is judged: as many as it has entries, but so many at least. */
const MIN_TRIAL = 4096;
/** The share of them that must hit; else so many trials are let pass, and twice as many after each that fails again. */
const MIN_HITS = 1 / 2;
const MIN_PAUSE = 8;
const MAX_PAUSE = 64;

export class CachedValue<V> implements FoundValue<V> {
  readonly key: string;
  bucketWord = 0;
  entryWord = 0;
  version = 0;
  expiresAt = 0;
  value!: V;
  bytes = 0;
  /** Hit since it was last considered for eviction. */
  isUsed = false;

  constructor(key: string) {
    this.key = key;
  }
}

export class ValueCache<V> {
  readonly #maxEntries: number;
  readonly #trial: number;
  readonly #byKey = new Map<string, CachedValue<V>>();
  /** All of them; `#hand` goes round and considers them for eviction. */
  readonly #ring: CachedValue<V>[] = [];
  #hand = 0;
  #bytes = 0;
  /** Decides who gets in while it is full; random, or what comes in turns would always or never. */
  #random = 1;
  #lookups = 0;
  #hits = 0;
  /** What begins empty misses: the first trial after a start, a pause or clear() is not judged. */
  #isWarm = false;
  /** Look-ups still to let pass. */
  #pause = 0;
  /** How long the next pause is, in trials. */
  #nextPause = MIN_PAUSE;

  /** @param entries kept at most */
  constructor(entries: number) {
    this.#maxEntries = entries;
    this.#trial = Math.max(MIN_TRIAL, Math.min(entries, MAX_CACHE_BYTES / ENTRY_BYTES));
  }

  /** @returns what was known of the key; to be compared with shared memory, and given to hit() if it holds */
  get(key: string): CachedValue<V> | undefined {
    if (this.#pause > 0) {
      this.#pause--;
      return undefined;
    }
    if (++this.#lookups > this.#trial) this.#judge();
    return this.#byKey.get(key);
  }

  hit(cached: CachedValue<V>): void {
    this.#hits++;
    if (!cached.isUsed) cached.isUsed = true;
  }

  #judge(): void {
    if (this.#isWarm && this.#hits < this.#trial * MIN_HITS) {
      this.#pause = this.#nextPause * this.#trial;
      this.#nextPause = Math.min(2 * this.#nextPause, MAX_PAUSE);
      this.clear();
      return;
    }
    if (this.#isWarm) this.#nextPause = MIN_PAUSE;
    this.#beginTrial(true);
  }

  #beginTrial(isWarm: boolean): void {
    this.#lookups = 0;
    this.#hits = 0;
    this.#isWarm = isWarm;
  }

  /** @param bytes of the value as it is stored */
  put(key: string, origin: Origin, value: V, bytes: number): void {
    if (this.#pause > 0) return;
    const known = this.#byKey.get(key);
    if (bytes > MAX_CACHED_BYTES) {
      if (known !== undefined) this.#drop(this.#ring.indexOf(known));
      return;
    }
    if (known === undefined && this.#isFull && !this.#isLucky()) return;
    const cached = known ?? this.#add(key);
    this.#bytes += bytes - cached.bytes;
    cached.bucketWord = origin.bucketWord;
    cached.entryWord = origin.entryWord;
    cached.version = origin.version;
    cached.expiresAt = origin.expiresAt;
    cached.value = value;
    cached.bytes = bytes;
    while (this.#bytes > MAX_CACHE_BYTES) this.#evict();
  }

  get #isFull(): boolean {
    return this.#ring.length >= this.#maxEntries || this.#bytes > MAX_CACHE_BYTES - MAX_CACHED_BYTES;
  }

  /** G. Marsaglia, "Xorshift RNGs" (2003). */
  #isLucky(): boolean {
    let random = this.#random;
    random ^= random << 13;
    random ^= random >>> 17;
    random ^= random << 5;
    this.#random = random;
    return (random & (SAMPLE - 1)) === 0;
  }

  #add(key: string): CachedValue<V> {
    if (this.#ring.length >= this.#maxEntries) this.#evict();
    const cached = new CachedValue<V>(key);
    this.#byKey.set(key, cached);
    this.#ring.push(cached);
    this.#bytes += costOf(cached);
    return cached;
  }

  /** Drops the next one that was not hit for a whole round. */
  #evict(): void {
    const ring = this.#ring;
    for (;;) {
      if (this.#hand >= ring.length) this.#hand = 0;
      const cached = ring[this.#hand];
      if (!cached.isUsed) break;
      cached.isUsed = false;
      this.#hand++;
    }
    // The newest takes its place, and is considered in the next round.
    this.#drop(this.#hand++);
  }

  #drop(index: number): void {
    const ring = this.#ring;
    const dropped = ring[index];
    ring[index] = ring[ring.length - 1];
    ring.pop();
    this.#byKey.delete(dropped.key);
    this.#bytes -= costOf(dropped);
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
    this.#beginTrial(false);
  }
}

const costOf = ({ key, bytes }: CachedValue<unknown>): number => key.length + bytes + ENTRY_BYTES;
