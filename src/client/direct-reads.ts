/**
 * Reads that need no server: from the read-only mapping of the store, linearizable with the writes that go through the
 * server. Asks the server instead (NOT_READ) while a write of this client on the same key is still pending, so that
 * everyone sees their own writes, and when an entry is rewritten faster than it can be read.
 */
import { type Codec, CodecTag } from '../codec/codec.js';
import { IntoBuffer, NOWHERE } from '../codec/into-buffer.js';
import type { KeyBuffer } from '../codec/key-buffer.js';
import { hasPassed } from '../memory/clock.js';
import { versioned, type VersionedValue } from '../operation/get.js';
import { remainingMs } from '../operation/ttl.js';
import { Found, type Reader } from '../store/reader.js';
import { UseMarks } from '../memory/use-marks.js';
import { checkedKey, type Key } from './calls.js';
import { type DirectPage, DirectScan } from './direct-scan.js';
import { decoded, entryOf, share, storedOf, valueOf } from './found-values.js';
import { GROUP_KEYS, KeyGroup } from './key-group.js';
import { PinnedViews } from './pinned-views.js';
import type { Pipeline } from './pipeline.js';
import type { Session } from './session.js';
import type { CachedValue, FoundValue, Origin, ValueCache } from './value-cache.js';
import type { View } from './view.js';

/** The server must be asked. */
export const NOT_READ = Symbol('not read');
export type NotRead = typeof NOT_READ;

/** Attempts at a value that is being rewritten. */
const MAX_TRIES = 16;

export class DirectReads<V> {
  readonly #pipeline: Pipeline;
  readonly #codec: Codec<V>;
  readonly #cache: ValueCache<V> | undefined;
  /** Whether the codec is code of the user's: it sees whole bytes only, and may itself read. */
  readonly #isForeign: boolean;
  readonly #views = new PinnedViews();
  #session: Session | undefined;
  /** Whether the session has the store mapped. */
  #isOn = false;
  #reader!: Reader;
  #key!: KeyBuffer;
  #marks!: UseMarks;
  #group: KeyGroup | undefined;
  /** Where getInto() copies to while it does. */
  readonly #into = new IntoBuffer(NOWHERE);

  constructor(pipeline: Pipeline, codec: Codec<V>, cache: ValueCache<V> | undefined) {
    this.#pipeline = pipeline;
    this.#codec = codec;
    this.#cache = cache;
    this.#isForeign = codec.tag === CodecTag.custom;
  }

  get(key: Key): V | undefined | NotRead {
    if (!this.#prepare(key)) return NOT_READ;
    const cached = this.#cached(key);
    if (cached !== undefined) return cached.value;
    if (this.#isForeign) return valueIn(this.#readForeign(key, this.#cache));
    this.#key.take(checkedKey(key));
    return this.#readCaching(key, this.#key);
  }

  /** What is known of the key, if that is still so. */
  #cached(key: Key): CachedValue<V> | undefined {
    if (this.#cache === undefined || typeof key !== 'string') return undefined;
    const cached = this.#cache.get(key);
    if (cached === undefined || !this.#isGood(cached)) return undefined;
    this.#cache.hit(cached);
    this.#marks.mark(cached.bucketWord);
    return cached;
  }

  /** Whether a read would find the same now. An entry keeps its expiry, as it keeps its value. */
  #isGood({ bucketWord, entryWord, version, expiresAt }: Origin): boolean {
    return this.#reader.isCurrent(bucketWord, entryWord, version) && (expiresAt === 0 || !hasPassed(expiresAt));
  }

  /** All of them, or NOT_READ; each is linearizable by itself. */
  mget(keys: readonly Key[]): (V | undefined)[] | NotRead {
    const values: (V | undefined)[] = [];
    if (!this.#isForeign && this.#prepareAll()) {
      for (let first = 0; first < keys.length; first += GROUP_KEYS) {
        if (!this.#readGroup(keys, first, Math.min(first + GROUP_KEYS, keys.length), values)) return NOT_READ;
      }
      return values;
    }
    for (const key of keys) {
      const value = this.get(key);
      if (value === NOT_READ) return NOT_READ;
      values.push(value);
    }
    return values;
  }

  /** Appends the values of keys `first` to `end`, which may all be read here. @returns false: the server must be asked */
  #readGroup(keys: readonly Key[], first: number, end: number, values: (V | undefined)[]): boolean {
    const group = (this.#group ??= new KeyGroup(this.#key, this.#reader));
    group.clear();
    for (let index = first; index < end; index++) {
      const key = keys[index];
      const cached = this.#cached(key);
      if (cached === undefined) group.add(checkedKey(key), index);
      values.push(cached?.value);
    }
    group.fetch();
    for (let at = 0; at < group.count; at++) {
      const index = group.indexOf(at);
      const value = this.#readCaching(keys[index], group.keyAt(at));
      if (value === NOT_READ) return false;
      values[index] = value;
    }
    return true;
  }

  getEntry(key: Key): VersionedValue<V> | undefined | NotRead {
    if (!this.#prepare(key)) return NOT_READ;
    if (!this.#isForeign) return this.#read(checkedKey(key), entryOf);
    const found = this.#readForeign(key);
    return found === undefined || found === NOT_READ ? found : versioned(found.value, found.version, found.expiresAt);
  }

  exists(key: Key): boolean | NotRead {
    if (!this.#prepare(key)) return NOT_READ;
    this.#key.take(checkedKey(key));
    const found = this.#reader.find(this.#key);
    if (found === Found.missing) return false;
    return found === Found.found && this.#reader.isStillThere() ? true : NOT_READ;
  }

  ttl(key: Key): number | null | undefined | NotRead {
    if (!this.#prepare(key)) return NOT_READ;
    return this.#read(checkedKey(key), (reader) => remainingMs(reader.expiresAt));
  }

  /** Copies a value's bytes. @returns how many, undefined when the key is missing. @throws RangeError: too little room */
  getInto(key: Key, target: Uint8Array): number | undefined | NotRead {
    this.#into.aim(target);
    try {
      return this.#prepare(key) ? this.#read(checkedKey(key), this.#copyOut) : NOT_READ;
    } finally {
      this.#into.aim(NOWHERE);
    }
  }

  readonly #copyOut = (reader: Reader): number => this.#into.decode(reader.bytes, reader.start, reader.end);

  getView(key: Key): View | undefined | NotRead {
    if (!this.#prepare(key) || this.#session === undefined) return NOT_READ;
    this.#key.take(checkedKey(key));
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const found = this.#reader.find(this.#key);
      if (found === Found.missing) return undefined;
      if (found === Found.unstable) return NOT_READ;
      const view = this.#views.open(this.#reader, this.#session.views);
      if (view !== undefined) {
        this.#marks.mark(this.#reader.bucketWord);
        return view;
      }
    }
    return NOT_READ;
  }

  /**
   * What walks over all entries whose key begins so; NOT_READ while anything that this client issued is on its way.
   * @param hasValues else the values are not looked at, and undefined
   */
  scan(prefix: Buffer, cursor: number, hasValues: boolean): DirectPage<V | undefined> | NotRead {
    const codec = this.#codec;
    if (!hasValues) return this.#scan(prefix, cursor, () => undefined);
    if (!this.#isForeign) return this.#scan(prefix, cursor, (reader) => valueOf(reader, codec));
    return withValues(this.#scan(prefix, cursor, storedOf), (stored) => decoded(stored, codec));
  }

  /** The same, with version and expiry of each value. */
  scanVersioned(prefix: Buffer, cursor: number): DirectPage<VersionedValue<V>> | NotRead {
    const codec = this.#codec;
    if (!this.#isForeign) return this.#scan(prefix, cursor, (reader) => entryOf(reader, codec));
    return withValues(this.#scan(prefix, cursor, storedOf), (stored) =>
      versioned(decoded(stored, codec), stored.version, stored.expiresAt),
    );
  }

  /** Which store was read last; a server that takes over has the same, one that begins anew another. */
  get regionId(): string | undefined {
    return this.#session?.region.regionId;
  }

  #scan<T>(prefix: Buffer, cursor: number, make: (reader: Reader) => T): DirectPage<T> | NotRead {
    if (!this.#prepareAll()) return NOT_READ;
    const page = new DirectScan(this.#reader, prefix, make).read(cursor);
    // The first bucket changes too fast.
    return page.cursor === cursor ? NOT_READ : page;
  }

  releaseViews(): void {
    this.#views.releaseAll();
  }

  #readForeign(key: Key, cache?: ValueCache<V>): FoundValue<V> | undefined | NotRead {
    const session = this.#session;
    const stored = this.#read(checkedKey(key), storedOf);
    if (stored === undefined || stored === NOT_READ) return stored;
    const value = this.#codec.decode(stored.value, 0, stored.bytes, stored.tag);
    const found = { ...stored, value };
    if (cache !== undefined && typeof key === 'string' && share(value)) {
      // The codec may have read something itself, from a store that came after.
      if (session === this.#session) cache.put(key, stored, value, stored.bytes);
    }
    return found;
  }

  /** Reads a key and makes something of it, until what was made is known to be of one publication of its entry. */
  #read<R>(key: Key, make: (reader: Reader, codec: Codec<V>) => R): R | undefined | NotRead {
    this.#key.take(key);
    return this.#readSought(this.#key, make);
  }

  #readCaching(key: Key, sought: KeyBuffer): V | undefined | NotRead {
    const value = this.#readSought(sought, valueOf);
    if (this.#cache === undefined || typeof key !== 'string' || value === undefined || value === NOT_READ) return value;
    this.#cache.put(key, this.#reader, value, this.#reader.end - this.#reader.start);
    return value;
  }

  #readSought<R>(sought: KeyBuffer, make: (reader: Reader, codec: Codec<V>) => R): R | undefined | NotRead {
    const reader = this.#reader;
    for (let tries = 0; tries < MAX_TRIES; tries++) {
      const found = reader.find(sought);
      if (found === Found.missing) return undefined;
      if (found === Found.unstable) return NOT_READ;
      try {
        const made = make(reader, this.#codec);
        if (reader.isStillThere()) {
          this.#marks.mark(reader.bucketWord);
          return made;
        }
      } catch (error) {
        // Torn bytes fail to decode as well: only a whole value's failure is one.
        if (reader.isStillThere()) throw error;
      }
    }
    return NOT_READ;
  }

  /** @returns whether the key can be read here and now; false: the server must be asked */
  #prepare(key: Key): boolean {
    const session = this.#currentSession();
    // Whatever is no key is refused in the same words as elsewhere.
    if (typeof key !== 'string') checkedKey(key);
    return this.#isOn && this.#pipeline.mayRead(session, key);
  }

  /** @returns whether every key can be read here and now: nothing that this client issued is on its way */
  #prepareAll(): boolean {
    const session = this.#currentSession();
    return this.#isOn && this.#pipeline.isIdle && session.mayRead(undefined, 0);
  }

  #currentSession(): Session {
    const session = this.#pipeline.sessionForReading();
    if (session !== this.#session) this.#attach(session);
    return session;
  }

  #attach(session: Session): void {
    this.#session = session;
    this.#cache?.clear();
    this.#group = undefined;
    this.#isOn = session.reader !== undefined;
    if (session.reader === undefined || session.keyBuffer === undefined) return;
    this.#reader = session.reader;
    this.#key = session.keyBuffer;
    this.#marks = new UseMarks(session.region.ctl, session.region.geometry);
  }
}

/** The page with other values in place of its own. */
const withValues = <T, U>(page: DirectPage<T> | NotRead, make: (value: T) => U): DirectPage<U> | NotRead =>
  page === NOT_READ ? page : { ...page, values: page.values.map(make) };

const valueIn = <V>(found: FoundValue<V> | undefined | NotRead): V | undefined | NotRead =>
  found === undefined || found === NOT_READ ? found : found.value;
