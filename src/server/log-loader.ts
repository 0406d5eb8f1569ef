/** Fills an empty store with what a log and its snapshots hold. Nobody else is at work. */
import { hashWords } from '../codec/hash.js';
import { KvsError } from '../errors.js';
import type { HashSeed } from '../log/header.js';
import type { RecordViews } from '../log/record.js';
import type { RecoverySink } from '../log/sink.js';
import { hasPassed, hostMsOfWall } from '../memory/clock.js';
import { DataHeader, type Geometry, MAX_EXPIRES_AT, WorkerRecord, workerBase } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import type { EvictionParts } from '../store/eviction.js';
import { NO_PINS } from '../store/limbo.js';
import { Store } from '../store/store.js';

export class LogLoader implements RecoverySink {
  /** Whether something found no room. What comes after it is not taken: without eviction all or nothing is loaded. */
  isFull = false;
  readonly #mayDrop: boolean;
  #refused = 0;
  readonly #store: Store;
  readonly #geometry: Geometry;
  #seed0: number;
  #seed1: number;
  #source: RecordViews | undefined;
  #views: SegmentViews | undefined;

  /** @param eviction with these, what finds no room takes the place of others, which are missing then */
  constructor(data: SegmentViews, geometry: Geometry, eviction?: EvictionParts) {
    this.#store = new Store(data, geometry, 0, NO_PINS, { eviction });
    this.#mayDrop = eviction !== undefined;
    this.#geometry = geometry;
    this.#seed0 = data.words[DataHeader.hashSeed];
    this.#seed1 = data.words[DataHeader.hashSeed + 1];
  }

  /**
   * The versions that entries get from now on are above all that were ever given, so none is looked at later. And the new
   * store takes the seed of the old one: entries then come in the order of its buckets, not one of which has to be fetched
   * from memory twice. Nobody has hashed a key yet.
   */
  begin(highestVersion: number, seed: HashSeed | undefined): void {
    const { map } = this.#store;
    for (let stripe = 0; stripe < this.#geometry.stripes; stripe++) map.raiseVersion(stripe, highestVersion);
    if (seed === undefined) return;
    const [seed0, seed1] = seed;
    this.#seed0 = seed0;
    this.#seed1 = seed1;
    this.#store.data.words.set([seed0, seed1], DataHeader.hashSeed);
  }

  /** How many entries were given up for others, or found no room themselves. */
  get dropped(): number {
    const record = workerBase(this.#geometry, 0);
    return this.#store.data.floats[record / 2 + WorkerRecord.evicted] + this.#refused;
  }

  /** @throws KvsError ERR_KVS_TOO_LARGE when the largest value was larger before */
  put(
    source: RecordViews,
    keyOffset: number,
    keyBytes: number,
    valueOffset: number,
    valueBytes: number,
    codec: number,
    _flags: number,
    _version: number,
    expiresAtMs: number,
  ): void {
    if (this.isFull) return;
    const expiresAt = expiresAtMs === 0 ? 0 : Math.min(MAX_EXPIRES_AT, hostMsOfWall(expiresAtMs));
    // Whatever the key was before, it is nothing now.
    if (expiresAt !== 0 && hasPassed(expiresAt)) return this.remove(source, keyOffset, keyBytes);
    const { maxValueBytes } = this.#geometry;
    if (valueBytes > maxValueBytes) {
      const message = `the log holds a value of ${valueBytes} bytes, maxValueBytes is ${maxValueBytes}: start with a larger one`;
      throw new KvsError('ERR_KVS_TOO_LARGE', message);
    }
    const store = this.#store;
    const views = this.#viewsOf(source);
    const hash = this.#hashOf(source, keyOffset, keyBytes);
    const block = store.prepare(hash, views, keyOffset, keyBytes, views, valueOffset, valueBytes, codec, expiresAt);
    if (block === 0) {
      this.isFull = !this.#mayDrop;
      this.#refused++;
      // An earlier value must not stand for the one that is missing.
      return this.remove(source, keyOffset, keyBytes);
    }
    store.lock(hash);
    store.findSameKey(hash, block);
    const old = store.put(hash, block);
    store.unlock(hash);
    store.recycle(old);
  }

  remove(source: RecordViews, keyOffset: number, keyBytes: number): void {
    const store = this.#store;
    const hash = this.#hashOf(source, keyOffset, keyBytes);
    store.lock(hash);
    const isThere = store.map.find(hash, source.words, keyOffset / 4, keyBytes) !== 0;
    const old = isThere ? store.remove(hash) : 0;
    store.unlock(hash);
    store.retire(old);
  }

  /** All is loaded. @returns how many entries there are */
  end(): number {
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
