/**
 * Keys that are looked up together. What each needs of the store is anywhere in memory, and would be waited for; asked for
 * one right after the other it comes side by side (group prefetching: S. Chen, A. Ailamaki, P. Gibbons, T. Mowry,
 * "Improving Hash Join Performance through Prefetching", ICDE 2004).
 */
import { KeyBuffer } from '../codec/key-buffer.js';
import { Fetched } from '../memory/fetched.js';
import type { Reader } from '../store/reader.js';

/** As many as a processor fetches at a time, about. */
export const GROUP_KEYS = 8;

export class KeyGroup {
  /** Keys that are in. */
  count = 0;
  readonly #reader: Reader;
  readonly #keys: readonly KeyBuffer[];
  readonly #indices = new Int32Array(GROUP_KEYS);
  readonly #fetched = new Fetched();

  /** @param like whose hashes the group's are to be */
  constructor(like: KeyBuffer, reader: Reader) {
    this.#reader = reader;
    this.#keys = Array.from({ length: GROUP_KEYS }, () => KeyBuffer.like(like));
  }

  clear(): void {
    this.count = 0;
  }

  /** Of no more keys than GROUP_KEYS. @param index the caller's number for it */
  add(key: string | Uint8Array, index: number): void {
    this.#keys[this.count].take(key);
    this.#indices[this.count++] = index;
  }

  keyAt(at: number): KeyBuffer {
    return this.#keys[at];
  }

  indexOf(at: number): number {
    return this.#indices[at];
  }

  /** Has what looking the keys up will need in the processor's caches, as far as can be told beforehand. */
  fetch(): void {
    const reader = this.#reader;
    let sum = 0;
    for (let at = 0; at < this.count; at++) sum ^= reader.fetchBucket(this.#keys[at].hash);
    for (let at = 0; at < this.count; at++) sum ^= reader.fetchEntry(this.#keys[at].hash);
    this.#fetched.keep(sum);
  }
}
