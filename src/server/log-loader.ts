/** Fills an empty store with what a log and its snapshots hold. Nobody else is at work. */
import { hashWords } from '../codec/hash.js';
import { KvsError } from '../errors.js';
import type { RecordViews } from '../log/record.js';
import type { RecoverySink } from '../log/sink.js';
import { DataHeader, type Geometry } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { NO_PINS } from '../store/limbo.js';
import { Store } from '../store/store.js';

export class LogLoader implements RecoverySink {
  readonly #store: Store;
  readonly #geometry: Geometry;
  readonly #seed0: number;
  readonly #seed1: number;
  #source: RecordViews | undefined;
  #views: SegmentViews | undefined;

  constructor(data: SegmentViews, geometry: Geometry) {
    this.#store = new Store(data, geometry, 0, NO_PINS);
    this.#geometry = geometry;
    this.#seed0 = data.words[DataHeader.hashSeed];
    this.#seed1 = data.words[DataHeader.hashSeed + 1];
  }

  /** @throws KvsError ERR_KVS_OUT_OF_MEMORY, ERR_KVS_TOO_LARGE when the store is made smaller than it was */
  put(
    source: RecordViews,
    keyOffset: number,
    keyBytes: number,
    valueOffset: number,
    valueBytes: number,
    codec: number,
    _flags: number,
    version: number,
  ): void {
    const { maxValueBytes, maxMemoryBytes } = this.#geometry;
    if (valueBytes > maxValueBytes) {
      const message = `the log holds a value of ${valueBytes} bytes, maxValueBytes is ${maxValueBytes}: start with a larger one`;
      throw new KvsError('ERR_KVS_TOO_LARGE', message);
    }
    const store = this.#store;
    const views = this.#viewsOf(source);
    const hash = this.#hashOf(source, keyOffset, keyBytes);
    const block = store.prepare(hash, views, keyOffset, keyBytes, views, valueOffset, valueBytes, codec);
    if (block === 0) {
      const message = `what the log holds does not fit maxMemory (${maxMemoryBytes} bytes): start with more`;
      throw new KvsError('ERR_KVS_OUT_OF_MEMORY', message);
    }
    store.lock(hash);
    store.map.raiseVersion(hash, version);
    store.findSameKey(hash, block);
    const old = store.put(hash, block);
    store.unlock(hash);
    store.recycle(old);
  }

  remove(source: RecordViews, keyOffset: number, keyBytes: number, version: number): void {
    const store = this.#store;
    const hash = this.#hashOf(source, keyOffset, keyBytes);
    store.lock(hash);
    store.map.raiseVersion(hash, version);
    const isThere = store.find(hash, this.#viewsOf(source), keyOffset, keyBytes) !== 0;
    const old = isThere ? store.remove(hash) : 0;
    store.unlock(hash);
    store.retire(old);
  }

  flush(): void {
    for (let bucket = 0; bucket < this.#geometry.buckets; bucket++) this.#store.clear(bucket);
  }

  expire(): void {
    // No entry expires yet.
  }

  /**
   * All is loaded: versions go on above the highest that there ever was. @returns how many entries there are
   */
  end(highestVersion: number): number {
    for (let stripe = 0; stripe < this.#geometry.stripes; stripe++) this.#store.map.raiseVersion(stripe, highestVersion);
    this.#store.rest();
    return this.#store.size();
  }

  #hashOf({ words }: RecordViews, keyOffset: number, keyBytes: number): number {
    return hashWords(words, keyOffset / 4, keyBytes, this.#seed0, this.#seed1);
  }

  #viewsOf(source: RecordViews): SegmentViews {
    if (this.#source !== source || this.#views === undefined) {
      const { buffer } = source.words;
      this.#source = source;
      this.#views = {
        words: source.words,
        floats: source.floats,
        buffer: buffer as SharedArrayBuffer,
        bytes: Buffer.from(buffer as ArrayBuffer),
      };
    }
    return this.#views;
  }
}
