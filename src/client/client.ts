/**
 * The client: every operation three ways (those that only read a key are in reading.ts). `await client.get(k)` hands over
 * and lets the event loop go on; `client.getSync(k)` blocks; `client.submit('get', k)` gives a Task to collect later. All
 * share one order per key.
 */
import type { Codec, CodecName, CodecTypes, CustomCodec } from '../codec/codec.js';
import { kindOf } from '../errors.js';
import type { VersionedValue } from '../operation/get.js';
import type { KvsStatistics } from '../operation/stats.js';
import { type Key, Calls } from './calls.js';
import { Connection } from './connection.js';
import type { ExpiryOptions, PostOptions, WriteOptions } from './expiry.js';
import {
  iterateEntries,
  iterateEntriesSync,
  iterateKeys,
  iterateKeysSync,
  iterateVersioned,
  type Walk,
} from './iteration.js';
import {
  type CallOptions,
  type KvsClientOptions,
  type ResolvedClientOptions,
  resolveClientOptions,
} from './options.js';
import { DirectReads } from './direct-reads.js';
import { ReadingClient } from './reading.js';
import { type Runnable, Runner } from './runner.js';
import { ValueCache } from './value-cache.js';
import { Task, type TaskArguments, type TaskName, type TaskResult } from './task.js';

/** Pairs for mset(): an iterable of [key, value], a Map, or an object. */
export type Entries<V> = Iterable<readonly [Key, V]> | Readonly<Record<string, V>>;
type CustomOptions<T> = KvsClientOptions<T> & { codec: CustomCodec<T> };

/**
 * Whatever a method's own comment says, its call can fail: TypeError and RangeError for wrong arguments; KvsError
 * ERR_KVS_TIMEOUT and ABORTED (the wait has ended), SERVER_GONE (`cause`: why there is no other to attach to), EXPELLED,
 * CLOSED. `executed` tells whether it may have taken effect. What `encode` or `decode` of a codec of your own throws comes
 * through.
 */
export class KvsClient<V = string, K extends Key = string> extends ReadingClient<V> {
  readonly name: string;
  readonly #options: ResolvedClientOptions;
  readonly #calls: Calls<V>;
  readonly #runner: Runner;
  readonly #reads: DirectReads<V>;
  #lastTaskId = 0;

  /**
   * Connects to the server of that name on this host.
   * @throws TypeError for wrong options; KvsError ERR_KVS_NO_REGION (none runs), NOT_READY (within connectTimeoutMs),
   * NOT_OURS, LAYOUT, CORRUPT, TOO_MANY_CLIENTS
   */
  static connect<N extends CodecName>(
    options: KvsClientOptions<never> & { codec: N; keyEncoding: 'buffer' },
  ): Promise<KvsClient<CodecTypes[N], Buffer>>;
  static connect<N extends Exclude<CodecName, 'json'>>(
    options: KvsClientOptions<never> & { codec: N },
  ): Promise<KvsClient<CodecTypes[N]>>;
  static connect<T = unknown>(options: KvsClientOptions<T> & { codec: 'json' }): Promise<KvsClient<T>>;
  static connect<T>(options: CustomOptions<T> & { keyEncoding: 'buffer' }): Promise<KvsClient<T, Buffer>>;
  static connect<T>(options: CustomOptions<T>): Promise<KvsClient<T>>;
  static connect(options: KvsClientOptions & { keyEncoding: 'buffer' }): Promise<KvsClient<string, Buffer>>;
  static connect(options: KvsClientOptions): Promise<KvsClient>;
  static async connect<T, K2 extends Key>(options: KvsClientOptions<T>): Promise<KvsClient<T, K2>> {
    const resolved = resolveClientOptions(options);
    return new KvsClient<T, K2>(resolved, await Connection.open(resolved));
  }

  private constructor(options: ResolvedClientOptions, connection: Connection) {
    const runner = new Runner(connection);
    const codec = options.codec as Codec<V>;
    const cache = options.cacheEntries > 0 ? new ValueCache<V>(options.cacheEntries) : undefined;
    const reads = new DirectReads<V>(runner.pipeline, codec, cache);
    const calls = new Calls<V>(codec, options.timeoutMs, () => runner.maxValueBytes);
    super(runner, reads, calls);
    this.name = options.name;
    this.#options = options;
    this.#runner = runner;
    this.#reads = reads;
    this.#calls = calls;
  }

  /**
   * Inserts or replaces; what is written expires as `ttlMs`, `expiresAt` or `keepTtl` say, else never.
   * @throws KvsError ERR_KVS_TOO_LARGE, OUT_OF_MEMORY, NOT_DURABLE (the server cannot write its log): nothing has changed
   */
  set(key: Key, value: V, options?: WriteOptions): Promise<true> {
    return this.#runner.async(() => this.#calls.set(key, value, options), options);
  }
  setSync(key: Key, value: V, options?: WriteOptions): true {
    return this.#runner.blocking(this.#calls.set(key, value, options), options);
  }

  /** Inserts only. @returns whether the key was missing and is now inserted; of many at once, one wins. @throws as set() */
  post(key: Key, value: V, options?: PostOptions): Promise<boolean> {
    return this.#runner.async(() => this.#calls.post(key, value, options), options);
  }
  postSync(key: Key, value: V, options?: PostOptions): boolean {
    return this.#runner.blocking(this.#calls.post(key, value, options), options);
  }

  /** Replaces only at the expected version; 0 expects the key to be missing. @returns whether it did. @throws as set() */
  cas(key: Key, expectedVersion: number, value: V, options?: WriteOptions): Promise<boolean> {
    return this.#runner.async(() => this.#calls.cas(key, expectedVersion, value, options), options);
  }
  casSync(key: Key, expectedVersion: number, value: V, options?: WriteOptions): boolean {
    return this.#runner.blocking(this.#calls.cas(key, expectedVersion, value, options), options);
  }

  /**
   * Gives a key another moment at which it expires: milliseconds from now, or `{ expiresAt }`. Like a set() of the same
   * value, with another version. @returns whether the key was there. @throws as set()
   */
  expire(key: Key, when: number | ExpiryOptions, options?: CallOptions): Promise<boolean> {
    return this.#runner.async(() => this.#calls.expire(key, when, options), options);
  }
  expireSync(key: Key, when: number | ExpiryOptions, options?: CallOptions): boolean {
    return this.#runner.blocking(this.#calls.expire(key, when, options), options);
  }

  /** Lets a key stay for good. @returns whether it was there and would have expired */
  persist(key: Key, options?: CallOptions): Promise<boolean> {
    return this.#runner.async(() => this.#calls.persist(key, options), options);
  }
  persistSync(key: Key, options?: CallOptions): boolean {
    return this.#runner.blocking(this.#calls.persist(key, options), options);
  }

  /** @returns whether the key was there */
  del(key: Key, options?: CallOptions): Promise<boolean> {
    return this.#runner.async(() => this.#calls.del(key, options), options);
  }
  delSync(key: Key, options?: CallOptions): boolean {
    return this.#runner.blocking(this.#calls.del(key, options), options);
  }

  /**
   * Removes. @returns the value that was removed, undefined when the key was missing
   * @throws KvsError ERR_KVS_CODEC for what another codec wrote, which stays; what `decode` of a codec of your own throws,
   * when it is removed already
   */
  getdel(key: Key, options?: CallOptions): Promise<V | undefined> {
    return this.#runner.async(() => this.#calls.getdel(key, options), options);
  }
  getdelSync(key: Key, options?: CallOptions): V | undefined {
    return this.#runner.blocking(this.#calls.getdel(key, options), options);
  }

  /**
   * Adds to a number, which keeps the form in which it is stored; a missing key starts at 0 in the form of this client's
   * codec. When it expires stays as it is. @returns the sum. @throws KvsError ERR_KVS_NOT_A_NUMBER; as set()
   */
  incr(key: Key, by?: number, options?: CallOptions): Promise<number> {
    return this.#runner.async(() => this.#calls.incr(key, by, options), options);
  }
  incrSync(key: Key, by?: number, options?: CallOptions): number {
    return this.#runner.blocking(this.#calls.incr(key, by, options), options);
  }

  /** Sets many keys, one after the other; not a transaction. @throws as set(): some may have been set, see the message */
  mset(entries: Entries<V>, options?: WriteOptions): Promise<true> {
    return this.#runner.async(() => this.#calls.mset(entries, options), options);
  }
  msetSync(entries: Entries<V>, options?: WriteOptions): true {
    return this.#runner.blocking(this.#calls.mset(entries, options), options);
  }

  /** @returns how many of the keys were there */
  mdel(keys: Iterable<Key>, options?: CallOptions): Promise<number> {
    return this.#runner.async(() => this.#calls.mdel(keys, options), options);
  }
  mdelSync(keys: Iterable<Key>, options?: CallOptions): number {
    return this.#runner.blocking(this.#calls.mdel(keys, options), options);
  }

  /**
   * The keys that start with `prefix`, in no order. A key that is there from beginning to end comes exactly once; one
   * that comes or goes meanwhile may or may not. Reads the store directly, some hundred keys per turn of the event loop;
   * through the server, the deadline holds for each page.
   */
  keys(prefix: Key = '', options?: CallOptions): AsyncGenerator<K, void, undefined> {
    return iterateKeys(this.#walk(prefix, options));
  }
  keysSync(prefix: Key = '', options?: CallOptions): Generator<K, void, undefined> {
    return iterateKeysSync(this.#walk(prefix, options));
  }

  /** Like keys(), with the values. */
  entries(prefix: Key = '', options?: CallOptions): AsyncGenerator<[K, V], void, undefined> {
    return iterateEntries(this.#walk(prefix, options));
  }
  entriesSync(prefix: Key = '', options?: CallOptions): Generator<[K, V], void, undefined> {
    return iterateEntriesSync(this.#walk(prefix, options));
  }

  /**
   * @internal Like entries(), with version and expiry, for exports: no key of another store that takes the first one's
   * place meanwhile is among them. @throws KvsError ERR_KVS_SERVER_GONE then
   */
  versionedEntries(prefix: Key = '', options?: CallOptions): AsyncGenerator<[K, VersionedValue<V>], void, undefined> {
    return iterateVersioned(this.#walk(prefix, options));
  }

  /** @returns how many keys the store holds; one that has expired counts until its memory is taken back, soon after */
  size(options?: CallOptions): Promise<number> {
    return this.#runner.async(() => this.#calls.size(options), options);
  }
  sizeSync(options?: CallOptions): number {
    return this.#runner.blocking(this.#calls.size(options), options);
  }

  /** @returns true when a worker has answered */
  ping(options?: CallOptions): Promise<true> {
    return this.#runner.async(() => this.#calls.ping(options), options);
  }
  pingSync(options?: CallOptions): true {
    return this.#runner.blocking(this.#calls.ping(options), options);
  }

  /** Removes every key. */
  flush(options?: CallOptions): Promise<true> {
    return this.#runner.async(() => this.#calls.flush(options), options);
  }
  flushSync(options?: CallOptions): true {
    return this.#runner.blocking(this.#calls.flush(options), options);
  }

  /**
   * Asks a server with `dir` for a snapshot of the whole store, and does not wait for it.
   * @returns its number: it is there once `stats().log.snapshotsServed` has reached that; 0: the server keeps no log
   */
  snapshot(options?: CallOptions): Promise<number> {
    return this.#runner.async(() => this.#calls.snapshot(options), options);
  }
  snapshotSync(options?: CallOptions): number {
    return this.#runner.blocking(this.#calls.snapshot(options), options);
  }

  /** @returns what the server has done and holds */
  stats(options?: CallOptions): Promise<KvsStatistics> {
    return this.#runner.async(() => this.#calls.stats(options), options);
  }
  statsSync(options?: CallOptions): KvsStatistics {
    return this.#runner.blocking(this.#calls.stats(options), options);
  }

  /**
   * Hands an operation over now, to be collected later: `submit('set', key, value)`.
   * @throws TypeError, RangeError for wrong arguments; all else fails the task
   */
  submit<N extends TaskName>(operation: N, ...args: TaskArguments<V, N>): Task<TaskResult<V, N>> {
    const isKnown = Object.hasOwn(Calls.prototype, operation) && (operation as string) !== 'constructor';
    const make = this.#calls[operation] as (...args: unknown[]) => Runnable<TaskResult<V, N>>;
    if (!isKnown) {
      throw new TypeError(`submit takes the name of an operation, such as 'get' or 'set', got ${kindOf(operation)}`);
    }
    // The options are always the last parameter.
    const options = args[make.length - 1] as CallOptions | undefined;
    const job = this.#runner.start(make.apply(this.#calls, args), options);
    return new Task(++this.#lastTaskId, job, this.#runner);
  }

  /** Whether close() was called. */
  get isClosed(): boolean {
    return this.#runner.isClosed;
  }

  /** Refuses new calls, lets those in flight finish, releases all views but copies, and gives everything back. */
  close(): Promise<void> {
    return this.#runner.close(() => this.#reads.releaseViews());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #walk(prefix: Key, options: CallOptions | undefined): Walk<V> {
    const encoding = this.#options.keyEncoding;
    return { calls: this.#calls, runner: this.#runner, reads: this.#reads, encoding, prefix, options };
  }
}
