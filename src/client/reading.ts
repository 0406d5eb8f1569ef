/** The reads of a client: without the server where that can be, else through it. Each can be awaited or blocking. */
import type { VersionedValue } from '../operation/get.js';
import { type Calls, type Key, listOf } from './calls.js';
import { type DirectReads, NOT_READ } from './direct-reads.js';
import type { CallOptions } from './options.js';
import type { Runner } from './runner.js';
import { turns } from './turns.js';
import type { View } from './view.js';

export class ReadingClient<V> {
  readonly #runner: Runner;
  readonly #reads: DirectReads<V>;
  readonly #calls: Calls<V>;

  /** @internal */
  protected constructor(runner: Runner, reads: DirectReads<V>, calls: Calls<V>) {
    this.#runner = runner;
    this.#reads = reads;
    this.#calls = calls;
  }

  /** @returns the value, undefined when the key is missing. (Runner.read() spelled out: the hottest path, no closures.) */
  get(key: Key, options?: CallOptions): Promise<V | undefined> {
    try {
      this.#runner.checkRead(options);
      const value = this.#reads.get(key);
      if (value !== NOT_READ) return turns.resolve(value);
    } catch (error) {
      return turns.reject(error);
    }
    return this.#askForValue(key, options);
  }
  getSync(key: Key, options?: CallOptions): V | undefined {
    this.#runner.checkRead(options);
    const value = this.#reads.get(key);
    return value === NOT_READ ? this.#runner.blocking(this.#calls.get(key, options), options) : value;
  }

  /** Apart: a function with a closure in it allocates what that needs whether or not it comes to it. */
  #askForValue(key: Key, options: CallOptions | undefined): Promise<V | undefined> {
    return this.#runner.async(() => this.#calls.get(key, options), options);
  }

  /**
   * Copies the value's bytes to the start of `target`; getIntoSync allocates nothing. @returns how many, undefined when the
   * key is missing. @throws RangeError when there is too little room
   */
  getInto(key: Key, target: Uint8Array, options?: CallOptions): Promise<number | undefined> {
    return this.#runner.read(
      () => this.#reads.getInto(key, target),
      () => this.#calls.getInto(key, target, options),
      options,
    );
  }
  getIntoSync(key: Key, target: Uint8Array, options?: CallOptions): number | undefined {
    this.#runner.checkRead(options);
    const bytes = this.#reads.getInto(key, target);
    return bytes === NOT_READ ? this.#runner.blocking(this.#calls.getInto(key, target, options), options) : bytes;
  }

  /** @returns the value with its version, for cas(); versions of a key rise and never repeat, even after del() */
  getEntry(key: Key, options?: CallOptions): Promise<VersionedValue<V> | undefined> {
    return this.#runner.read(
      () => this.#reads.getEntry(key),
      () => this.#calls.getEntry(key, options),
      options,
    );
  }
  getEntrySync(key: Key, options?: CallOptions): VersionedValue<V> | undefined {
    return this.#runner.readSync(
      () => this.#reads.getEntry(key),
      () => this.#calls.getEntry(key, options),
      options,
    );
  }

  /**
   * The value's bytes in shared memory, without a copy, whatever the codec (values below 8 KiB are copied): valid and
   * unchanged until released, so take it with `using`. 64 at a time per client; more are copies.
   * @returns undefined when the key is missing
   */
  getView(key: Key, options?: CallOptions): Promise<View | undefined> {
    return this.#runner.read(
      () => this.#reads.getView(key),
      () => this.#calls.getView(key, options),
      options,
    );
  }
  getViewSync(key: Key, options?: CallOptions): View | undefined {
    return this.#runner.readSync(
      () => this.#reads.getView(key),
      () => this.#calls.getView(key, options),
      options,
    );
  }

  /** @returns whole milliseconds that the key has left, null: it does not expire, undefined: it is missing */
  ttl(key: Key, options?: CallOptions): Promise<number | null | undefined> {
    return this.#runner.read(
      () => this.#reads.ttl(key),
      () => this.#calls.ttl(key, options),
      options,
    );
  }
  ttlSync(key: Key, options?: CallOptions): number | null | undefined {
    return this.#runner.readSync(
      () => this.#reads.ttl(key),
      () => this.#calls.ttl(key, options),
      options,
    );
  }

  exists(key: Key, options?: CallOptions): Promise<boolean> {
    return this.#runner.read(
      () => this.#reads.exists(key),
      () => this.#calls.exists(key, options),
      options,
    );
  }
  existsSync(key: Key, options?: CallOptions): boolean {
    return this.#runner.readSync(
      () => this.#reads.exists(key),
      () => this.#calls.exists(key, options),
      options,
    );
  }

  /** @returns a value or undefined for each key, in their order */
  mget(keys: Iterable<Key>, options?: CallOptions): Promise<(V | undefined)[]> {
    let list: Iterable<Key>;
    return this.#runner.read(
      () => this.#reads.mget((list = listOf(keys))),
      () => this.#calls.mget(list, options),
      options,
    );
  }
  mgetSync(keys: Iterable<Key>, options?: CallOptions): (V | undefined)[] {
    const list = listOf(keys);
    return this.#runner.readSync(
      () => this.#reads.mget(list),
      () => this.#calls.mget(list, options),
      options,
    );
  }
}
