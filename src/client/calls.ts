/**
 * Makes calls out of arguments: one method per operation, which checks what it is given before anything is claimed.
 * The three ways to run an operation (awaited, blocking, as a task) all start here.
 */
import { isUint8Array } from 'node:util/types';

import { byteLengthOf } from '../codec/batch.js';
import type { Codec } from '../codec/codec.js';
import { IntoBuffer } from '../codec/into-buffer.js';
import { lengthOf, ownCopy, steady, unitsOf } from '../codec/given-bytes.js';
import { checkText } from '../codec/text.js';
import { kindOf, KvsError } from '../errors.js';
import { KEEP_EXPIRY, MAX_KEY_BYTES } from '../memory/layout.js';
import { cas } from '../operation/cas.js';
import { del } from '../operation/del.js';
import { exists } from '../operation/exists.js';
import { expire, persist } from '../operation/expire.js';
import { flush } from '../operation/flush.js';
import { get, getEntry, type VersionedValue } from '../operation/get.js';
import { getdel, READABLE } from '../operation/getdel.js';
import { incr } from '../operation/incr.js';
import type { Operation } from '../operation/operation.js';
import { ping } from '../operation/ping.js';
import { post } from '../operation/post.js';
import { scan, type ScanPage } from '../operation/scan.js';
import { set } from '../operation/set.js';
import { size } from '../operation/size.js';
import { snapshot } from '../operation/snapshot.js';
import { type KvsStatistics, stats } from '../operation/stats.js';
import { ttl } from '../operation/ttl.js';
import type { Batch } from './batch.js';
import { mdelBatch, mgetBatch, msetBatch } from './batch.js';
import { checkSignal } from './abort-signals.js';
import { BatchItem, Call } from './call.js';
import { type ExpiryOptions, expiryOf, momentOfExpire, type PostOptions, type WriteOptions } from './expiry.js';
import { type CallOptions, checkOptions, checkTimeout } from './options.js';
import { getView, type View } from './view.js';

/** A key: text, or 1 to 1,024 bytes. */
export type Key = string | Uint8Array;

/** Text this short fits whatever its characters are. */
const SAFE_UNITS = Math.floor(MAX_KEY_BYTES / 3);

export class Calls<V> {
  readonly #codec: Codec<V>;
  readonly #timeoutMs: number;
  readonly #maxValueBytes: () => number;

  constructor(codec: Codec<V>, timeoutMs: number, maxValueBytes: () => number) {
    this.#codec = codec;
    this.#timeoutMs = timeoutMs;
    this.#maxValueBytes = maxValueBytes;
  }

  get(key: Key, options?: CallOptions): Call<V | undefined> {
    return this.#onKey(get as Operation<V | undefined>, key, options);
  }

  /** The answer is how many bytes were copied. */
  getInto(key: Key, target: Uint8Array, options?: CallOptions): Call<number | undefined> {
    const call = new Call(get as Operation<number | undefined>, new IntoBuffer(target), this.#timeout(options));
    call.key = checkedKey(key);
    return call;
  }

  getEntry(key: Key, options?: CallOptions): Call<VersionedValue<V> | undefined> {
    return this.#onKey(getEntry as Operation<VersionedValue<V> | undefined>, key, options);
  }

  /** The answer is a view of a copy. */
  getView(key: Key, options?: CallOptions): Call<View | undefined> {
    return this.#onKey(getView, key, options);
  }

  set(key: Key, value: V, options?: WriteOptions): Call<true> {
    return this.#withValue(set, key, value, options);
  }

  post(key: Key, value: V, options?: PostOptions): Call<boolean> {
    const call = this.#withValue(post, key, value, options);
    if (call.expiresAt !== KEEP_EXPIRY) return call;
    throw new TypeError('post inserts only and takes ttlMs or expiresAt, got keepTtl');
  }

  cas(key: Key, expectedVersion: number, value: V, options?: WriteOptions): Call<boolean> {
    if (!Number.isSafeInteger(expectedVersion) || expectedVersion < 0) {
      throw new RangeError(
        `expectedVersion must be a version from getEntry, or 0 for a missing key, got ${kindOf(expectedVersion)}`,
      );
    }
    const call = this.#withValue(cas, key, value, options);
    call.argument = expectedVersion;
    return call;
  }

  del(key: Key, options?: CallOptions): Call<boolean> {
    return this.#onKey(del, key, options);
  }

  exists(key: Key, options?: CallOptions): Call<boolean> {
    return this.#onKey(exists, key, options);
  }

  expire(key: Key, when: number | ExpiryOptions, options?: CallOptions): Call<boolean> {
    const call = this.#onKey(expire, key, options);
    call.expiresAt = momentOfExpire(when);
    return call;
  }

  persist(key: Key, options?: CallOptions): Call<boolean> {
    return this.#onKey(persist, key, options);
  }

  ttl(key: Key, options?: CallOptions): Call<number | null | undefined> {
    return this.#onKey(ttl, key, options);
  }

  getdel(key: Key, options?: CallOptions): Call<V | undefined> {
    const call = this.#onKey(getdel as Operation<V | undefined>, key, options);
    call.argument = this.#codec.readsAll === true ? 0 : READABLE;
    return call;
  }

  incr(key: Key, by?: number, options?: CallOptions): Call<number> {
    const addend = by ?? 1;
    if (typeof addend !== 'number' || !Number.isFinite(addend)) {
      throw new RangeError(`incr adds a finite number, got ${kindOf(by)}`);
    }
    const call = this.#onKey(incr, key, options);
    call.argument = addend;
    return call;
  }

  size(options?: CallOptions): Call<number> {
    return this.#make(size, options);
  }

  ping(options?: CallOptions): Call<true> {
    return this.#make(ping, options);
  }

  flush(options?: CallOptions): Call<true> {
    return this.#make(flush, options);
  }

  snapshot(options?: CallOptions): Call<number> {
    return this.#make(snapshot, options);
  }

  stats(options?: CallOptions): Call<KvsStatistics> {
    return this.#make(stats, options);
  }

  /** One page of a walk over all keys. */
  scan(prefix: Key, cursor: number, options?: CallOptions): Call<ScanPage> {
    const call = this.#make(scan, options);
    call.value = checkedPrefix(prefix);
    call.argument = cursor;
    return call;
  }

  mget(keys: Iterable<Key>, options?: CallOptions): Batch<(V | undefined)[]> {
    return mgetBatch(this.#codec, checkedKeys(keys), this.#timeout(options));
  }

  mset(entries: Iterable<readonly [Key, V]> | Readonly<Record<string, V>>, options?: WriteOptions): Batch<true> {
    // A codec of the user's own may use one buffer for all values; nothing is written before all are encoded.
    const keep = this.#codec.isForeign === true ? ownCopy : (encoded: string | Uint8Array) => encoded;
    const items = pairsOf(entries).map(([key, value]) => new BatchItem(checkedKey(key), keep(this.#encode(value))));
    return msetBatch(this.#codec, items, this.#timeout(options), expiryOf(options));
  }

  mdel(keys: Iterable<Key>, options?: CallOptions): Batch<number> {
    return mdelBatch(this.#codec, checkedKeys(keys), this.#timeout(options));
  }

  #make<R>(operation: Operation<R, never>, options?: CallOptions): Call<R> {
    return new Call<R>(operation, this.#codec, this.#timeout(options));
  }

  #onKey<R>(operation: Operation<R, never>, key: Key, options?: CallOptions): Call<R> {
    const call = this.#make(operation, options);
    call.key = checkedKey(key);
    return call;
  }

  #withValue<R>(operation: Operation<R, never>, key: Key, value: V, options?: WriteOptions): Call<R> {
    const call = this.#onKey(operation, key, options);
    call.expiresAt = expiryOf(options);
    call.value = this.#encode(value);
    return call;
  }

  #encode(value: V): string | Uint8Array {
    const encoded = this.#codec.encode(value);
    const max = this.#maxValueBytes();
    if (unitsOf(encoded) * 3 > max && byteLengthOf(encoded) > max) {
      throw new KvsError(
        'ERR_KVS_TOO_LARGE',
        `the value has ${byteLengthOf(encoded)} bytes, this server takes up to ${max}: start it with a larger maxValueBytes`,
        { executed: 'no' },
      );
    }
    return encoded;
  }

  #timeout(options: CallOptions | undefined): number {
    if (options === undefined) return this.#timeoutMs;
    checkOptions(options);
    const { timeoutMs, signal } = options;
    if (signal !== undefined) checkSignal(signal);
    return timeoutMs === undefined ? this.#timeoutMs : checkTimeout(timeoutMs);
  }
}

const isIterable = <T>(value: Iterable<T> | object): value is Iterable<T> =>
  typeof value === 'object' && value !== null && Symbol.iterator in value;

/** @throws TypeError for what is neither pairs nor an object of values by key */
function pairsOf<V>(entries: Iterable<readonly [Key, V]> | Readonly<Record<string, V>>): (readonly [Key, V])[] {
  if (typeof entries !== 'object' || entries === null) {
    throw new TypeError(`mset takes an iterable of [key, value], a Map or an object, got ${kindOf(entries)}`);
  }
  if (!isIterable(entries)) return Object.entries(entries);
  return Array.from(entries, (pair) => {
    if (!Array.isArray(pair) || pair.length !== 2) throw new TypeError(`mset takes [key, value], got ${kindOf(pair)}`);
    return pair;
  });
}

/** A list of the caller's keys, none of whose code runs any more when it is walked. @throws TypeError, as checkedKeys() does */
export const listOf = (keys: Iterable<Key>): readonly Key[] =>
  Array.isArray(keys) ? [...(keys as Key[])] : checkedKeys(keys);

export function checkedKeys(keys: Iterable<Key>): Key[] {
  if (typeof keys === 'string' || !isIterable(keys))
    throw new TypeError(`keys must be an iterable of keys, got ${kindOf(keys)}`);
  return Array.from(keys, checkedKey);
}

/** @throws TypeError or KvsError ERR_KVS_TOO_LARGE for anything but 0 to 1,024 bytes */
export function checkedPrefix(key: Key, what = 'prefix'): Key {
  if (typeof key === 'string') {
    checkText(key, what, 'give its bytes, a Uint8Array');
    if (key.length > SAFE_UNITS && Buffer.byteLength(key) > MAX_KEY_BYTES) throw keyTooLong(Buffer.byteLength(key));
  } else if (!isUint8Array(key)) {
    throw new TypeError(`${what} must be a string or a Uint8Array, got ${kindOf(key)}`);
  } else if (lengthOf(key) > MAX_KEY_BYTES) {
    throw keyTooLong(lengthOf(key));
  }
  return key;
}

/** @throws TypeError or KvsError ERR_KVS_TOO_LARGE for anything but 1 to 1,024 bytes */
export function checkedKey(key: Key): Key {
  checkedPrefix(key, 'key');
  const checked = typeof key === 'string' ? key : steady(key, 'key');
  if (unitsOf(checked) === 0) throw new TypeError('key must have at least one byte, got an empty one');
  return checked;
}

const keyTooLong = (bytes: number): KvsError =>
  new KvsError('ERR_KVS_TOO_LARGE', `key must have at most ${MAX_KEY_BYTES} bytes, got ${bytes}: shorten or hash it`, {
    executed: 'no',
  });
