/**
 * A store of two keys whose changes are logged, for explorations: two stripes with a bucket each, two workers with lanes of
 * three records, an order of eight cells, and a file. What several look at without a lock is a step; everything else
 * belongs to the holder of a lock, to one worker (or to whoever cleans up after it), or to the thread that writes the log,
 * and whoever else touches it is found out. So are bytes of a lane that are read before they are published, or
 * written before they were given back.
 */
import { RecordField, RecordOperation } from '#dist/log/record.js';
import {
  BUCKET_WORDS,
  Entry,
  type Geometry,
  geometryOf,
  Stripe,
  workerBase,
  WorkerRecord,
} from '#dist/memory/layout.js';
import { laneSize, LogControl, logGeometry, LogLane as Lane } from '#dist/memory/log-layout.js';
import { type SegmentViews, viewsOf } from '#dist/memory/segment.js';
import { load, store } from '#dist/memory/words.js';
import { HashMap } from '#dist/store/hash-map.js';
import { LogFeed, resetLanes } from '#dist/store/log-feed.js';
import { laneBase, LogLane } from '#dist/store/log-lane.js';
import { repairMap, resolveIntent } from '#dist/store/map-repair.js';

import { type Access, atomically } from './explore.js';

export const WORKERS = 2;
const STRIPES = 2;
const WORKERS_OFFSET = STRIPES * Stripe.sizeBytes;
const BUCKETS_OFFSET = WORKERS_OFFSET + WORKERS * WorkerRecord.sizeBytes;
const HEAP_OFFSET = BUCKETS_OFFSET + STRIPES * BUCKET_WORDS * 4;
const LOG_OFFSET = 4096;
const LOG_BYTES = 512;
/** Room for a header, a key of one word and a value of two. */
const BLOCK_GRANULES = 3;
const MAX_CHANGES = 4;
const GRANULE_BITS = 8;
const HASH = 0x5a5a5a00;
const VERSION_WORD = Entry.version * 2 + 1;
const KEY_WORD = Entry.sizeBytes / 4;
const MAX_LOADS = 10_000;
/** Words of the file, and futexes. */
const MORE_WORDS = 12;

/** A change that a worker makes. The keys are those of the two stripes. */
export interface Change {
  readonly key: 0 | 1;
  readonly removes?: true;
}

const REAL = {
  load: Atomics.load,
  store: Atomics.store,
  add: Atomics.add,
  exchange: Atomics.exchange,
  compareExchange: Atomics.compareExchange,
};

function must(condition: boolean, what: () => string): asserts condition {
  if (!condition) throw new Error(what());
}

export class LogWords {
  readonly geometry: Geometry;
  readonly #raw: SegmentViews;
  readonly #views: SegmentViews;
  readonly #control: number;
  readonly #bytes: number;
  readonly #laneWords: number;
  readonly #file: number;
  readonly #lanes: LogLane[] = [];
  readonly #maps: HashMap[] = [];
  readonly #batch = viewsOf(new SharedArrayBuffer(2 * LOG_BYTES));
  /** A copy, for what the next server makes of it, and what that was asked for already. */
  #next: LogWords | undefined;
  readonly #restarted = new Set<string>();

  constructor() {
    const shape = { slots: 16, stripes: STRIPES, workers: WORKERS, maxValueBytes: 8, maxMemoryBytes: 4 * 2 ** 20 };
    const log = logGeometry(LOG_OFFSET, LOG_BYTES, shape.slots);
    this.geometry = {
      ...geometryOf(shape),
      ...log,
      stripesOffset: 0,
      workersOffset: WORKERS_OFFSET,
      bucketsOffset: BUCKETS_OFFSET,
      buckets: STRIPES,
      heapOffset: HEAP_OFFSET,
      granuleBits: GRANULE_BITS,
      dataBytes: log.logEnd,
    };
    this.#raw = viewsOf(new SharedArrayBuffer(log.logEnd + MORE_WORDS * 4));
    this.#control = log.logControlOffset / 4;
    this.#bytes = log.laneBytesOffset / 4;
    this.#laneWords = laneSize(LOG_BYTES, WORKERS) / 4;
    this.#file = log.logEnd / 4;
    this.#views = { ...this.#raw, words: this.#wordsFrom(0), floats: this.#floatsFrom(0) };
  }

  get words(): Int32Array {
    return this.#raw.words;
  }

  /** Plain accesses are steps too. */
  #wordsFrom(first: number): Int32Array {
    const { words } = this.#raw;
    const fill = (value: number, from: number, to: number) => {
      for (let index = from; index < to; index++) store(words, first + index, value);
    };
    return new Proxy(words, {
      get: (_, name) => (name === 'fill' ? fill : load(words, first + Number(name))),
      set: (_, name, value: number) => (store(words, first + Number(name), value), true),
    });
  }

  /** Versions, sequences and times are small numbers here: one word each. */
  #floatsFrom(first: number): Float64Array {
    const { words } = this.#raw;
    return new Proxy(this.#raw.floats, {
      get: (_, name) => load(words, first + Number(name) * 2 + 1),
      set: (_, name, value: number) => (store(words, first + Number(name) * 2 + 1, value), true),
    });
  }

  /** What is made has views of the lanes that are seen, too. */
  #make<T>(make: () => T): T {
    const { Int32Array: Words, Float64Array: Floats } = globalThis;
    const { buffer } = this.#raw;
    const isOurs = (given: unknown[]) => given[0] === buffer;
    const handlerOf = (viewFrom: (first: number) => object): ProxyHandler<object> => ({
      construct: (target, given) =>
        isOurs(given) ? viewFrom(Number(given[1]) / 4) : (Reflect.construct(target as typeof Words, given) as object),
    });
    Object.assign(globalThis, {
      Int32Array: new Proxy(
        Words,
        handlerOf((first) => this.#wordsFrom(first)),
      ),
      Float64Array: new Proxy(
        Floats,
        handlerOf((first) => this.#floatsFrom(first)),
      ),
    });
    try {
      return make();
    } finally {
      Object.assign(globalThis, { Int32Array: Words, Float64Array: Floats });
    }
  }

  /** Without steps. */
  directly<T>(run: () => T): T {
    const shown = { ...REAL };
    for (const name of Object.keys(REAL) as (keyof typeof REAL)[]) shown[name] = Atomics[name] as never;
    const { words } = this.#raw;
    let loads = 0;
    const loadOne = (_: Int32Array, i: number) => {
      must(++loads < MAX_LOADS, () => 'the next server goes round and round');
      return words[i];
    };
    Object.assign(Atomics, {
      load: loadOne,
      store: (_: Int32Array, i: number, v: number) => (words[i] = v),
      add: (_: Int32Array, i: number, v: number) => REAL.add(words, i, v),
      exchange: (_: Int32Array, i: number, v: number) => REAL.exchange(words, i, v),
      compareExchange: (_: Int32Array, i: number, e: number, v: number) => REAL.compareExchange(words, i, e, v),
    });
    try {
      return run();
    } finally {
      Object.assign(Atomics, shown);
    }
  }

  /**
   * Begins with an empty log at a position of the order, and `earlier` records of each worker that are in the files.
   * `programs`: what each worker is going to change.
   */
  reset(position: number, earlier: number, programs: readonly (readonly Change[])[]): void {
    const { words } = this;
    words.fill(0);
    // They are written in one step: the exploration must know of them before.
    words.fill(-1, this.#file + 1, this.#file + MORE_WORDS);
    this.directly(() => {
      words[this.#control + LogControl.orderTail] = position;
      resetLanes(this.#views, this.geometry, WORKERS, 0);
      for (let worker = 0; worker < WORKERS; worker++) {
        this.#lanes[worker] = this.#make(() => new LogLane(this.#views, this.geometry, worker));
        this.#maps[worker] = new HashMap(this.#views, this.geometry, worker, this.#lanes[worker]);
        for (const [index, { key }] of programs[worker].entries()) this.#fill(worker, index, key);
        this.#fill(worker, MAX_CHANGES - 1, 0);
      }
      for (let i = 0; i < earlier; i++) {
        for (let worker = 0; worker < WORKERS; worker++) this.change(worker, MAX_CHANGES - 1, { key: 0 });
        const feed = this.newFeed();
        feed.take(this.#batch);
        feed.release(0);
      }
      words[this.#file] = 0;
    });
  }

  #granuleOf(worker: number, index: number): number {
    return HEAP_OFFSET / 16 + (worker * MAX_CHANGES + index) * BLOCK_GRANULES;
  }

  /** Prepares an entry. */
  #fill(worker: number, index: number, key: number): void {
    const entry = this.#granuleOf(worker, index) << 2;
    const { words } = this;
    words[entry + Entry.incarnation] = 1;
    words[entry + Entry.shape] = 4;
    words[entry + Entry.valueBytes] = 8;
    words[entry + Entry.hash] = HASH | key;
    words[entry + KEY_WORD] = key + 1;
    words[entry + KEY_WORD + 1] = words[entry + KEY_WORD + 2] = valueOf(worker, index);
  }

  lane(worker: number): LogLane {
    return this.#lanes[worker];
  }

  /** As an operation does it; what was replaced is never used again. */
  change(worker: number, index: number, { key, removes }: Change): void {
    const map = this.#maps[worker];
    const hash = HASH | key;
    map.lock(hash);
    const found = map.find(hash, Int32Array.of(key + 1), 0, 4);
    if (removes !== true) map.put(hash, this.#granuleOf(worker, index));
    else if (found !== 0) map.remove(hash);
    map.unlock(hash);
  }

  newFeed(): LogFeed {
    return this.#make(() => new LogFeed(this.#views, this.geometry));
  }

  /** Takes a batch. @returns how many records it has, which are in the file then */
  write(feed: LogFeed): number {
    const bytes = feed.take(this.#batch);
    const records: number[] = [];
    const { words } = this.#batch;
    for (let at = 0; at < bytes; at += words[at / 4 + RecordField.bytes]) records.push(this.#recordAt(at / 4));
    if (records.length > 0) {
      atomically(this.#file, () => {
        for (const record of records) this.words[this.#file + ++this.words[this.#file]] = record;
        return records.length;
      });
    }
    return records.length;
  }

  /** What a record of the batch says, as `effectOf()` does. */
  #recordAt(at: number): number {
    const { words } = this.#batch;
    const isPut = (words[at + RecordField.shape] & 0xff) === RecordOperation.put;
    const key = at + 14;
    const isWhole = !isPut || (words[key + 1] === words[key + 2] && words[at + RecordField.valueBytes] === 8);
    must(isWhole && words[at + RecordField.keyBytes] === 4, () => 'a record is not whole');
    return effectOf(words[key] - 1, isPut ? words[key + 1] : 0, words[at + RecordField.version * 2 + 1]);
  }

  /** Records in the file that the region does not know of, and how many there are in all. */
  get inFile(): number {
    return this.words[this.#file];
  }

  #filed(key: number): number[] {
    const first = this.#file + 1;
    return [...this.words.subarray(first, first + this.inFile)].filter((effect) => keyOf(effect) === key);
  }

  /** As server/recovery.ts, of what concerns map and log. */
  recover(worker: number): void {
    repairMap(this.#views, this.geometry, worker);
  }

  /** As server/log-catch-up.ts. @returns the sequence of the last record in the file */
  catchUp(feed: LogFeed): number {
    let beyond = this.inFile - feed.writtenSequence;
    for (; beyond > 0 && feed.skip(); beyond--);
    feed.release(this.inFile);
    return this.inFile;
  }

  /** What the store of a bucket word does to the key, undefined: the access is none. */
  effectOf({ kind, index, before, value }: Access): number | undefined {
    const key = bucketOf(index);
    if (kind !== 'store' || key < 0 || key >= STRIPES) return undefined;
    const mask = 2 ** GRANULE_BITS - 1;
    const entry = ((value === 0 ? before : value) & mask) << 2;
    return effectOf(key, value === 0 ? 0 : this.words[entry + KEY_WORD + 1], this.words[entry + VERSION_WORD]);
  }

  /** Throws unless the file has of each key, in their order, effects that have taken place. */
  checkFile(effects: readonly number[]): void {
    for (let key = 0; key < STRIPES; key++) {
      const expected = effects.filter((effect) => keyOf(effect) === key).map(String);
      const filed = this.#filed(key).map(String);
      must(
        filed.join() === expected.slice(0, filed.length).join(),
        () => `filed ${filed.join()} of ${expected.join()}`,
      );
    }
  }

  /** All of the server dies now: the next one's files have all. */
  checkRestart(effects: readonly number[]): void {
    const key = `${effects.join()} ${this.#stateKey()}`;
    if (this.#restarted.has(key)) return;
    this.#restarted.add(key);
    const next = (this.#next ??= new LogWords());
    next.#restart(this.words, effects);
  }

  /** All but the bytes of lanes that are free. */
  #stateKey(): string {
    let key = '';
    for (let index = 0; index < this.#file + MORE_WORDS; index++) {
      const value = this.words[index];
      if (value === 0 || value === -1) continue;
      if (index >= this.#bytes && index < this.#file && !this.#isInUse(index)) continue;
      key += ` ${index} ${value}`;
    }
    return key;
  }

  #restart(words: Int32Array, effects: readonly number[]): void {
    this.words.set(words);
    const { words: own } = this;
    this.directly(() => {
      for (let worker = 0; worker < WORKERS; worker++) resolveIntent(own, this.geometry, worker);
      const feed = this.newFeed();
      let sequence = this.catchUp(feed);
      for (;;) {
        const bytes = feed.take(this.#batch);
        if (bytes === 0) break;
        for (let at = 0; at < bytes; at += this.#batch.words[at / 4 + RecordField.bytes]) {
          own[this.#file + ++own[this.#file]] = this.#recordAt(at / 4);
          sequence++;
        }
        feed.release(sequence);
      }
    });
    must(this.inFile === effects.length, () => `after a restart ${this.inFile} of ${effects.length} are in the files`);
    this.checkFile(effects);
  }

  isConstant(index: number): boolean {
    return index === this.#control + LogControl.lanes || index === this.#control + LogControl.trouble;
  }

  /** A lock that is held is waited for; how, is lock.test.ts. */
  isBlocked(kind: Access['kind'], index: number): boolean {
    return kind === 'cas' && this.#isLock(index) && this.words[index] !== 0;
  }

  #isLock(index: number): boolean {
    return index < WORKERS_OFFSET / 4 && index % (Stripe.sizeBytes / 4) === Stripe.lock;
  }

  /** @param worker as which it acts, undefined: the thread that writes the log */
  isHidden(kind: Access['kind'], index: number, worker: number | undefined): boolean | 'unseen' {
    const where = () => `word ${index}, ${kind} by ${worker === undefined ? 'the log' : `worker ${worker}`}`;
    if (index < LOG_OFFSET / 4) return this.#isHiddenInStore(kind, index, worker, where);
    const firstLane = this.geometry.logLanesOffset / 4;
    if (index < firstLane) return this.#isHiddenInControl(kind, index - this.#control, worker, where);
    if (index < firstLane + (WORKERS * Lane.sizeBytes) / 4) return this.#isHiddenInLane(kind, index, worker, where);
    if (index < this.#bytes || index >= this.#file) return false;
    if (worker === undefined) {
      must(kind === 'load' && this.#isInUse(index), () => `${where()}: it is no record`);
      return true;
    }
    must(this.#laneOf(index) === worker && kind === 'store' && !this.#isInUse(index), () => `${where()}: not free`);
    return 'unseen';
  }

  #isHiddenInStore(kind: Access['kind'], index: number, worker: number | undefined, where: () => string) {
    if (this.#isLock(index)) return false;
    must(worker !== undefined, where);
    const record = workerBase(this.geometry, worker);
    if (index >= WORKERS_OFFSET / 4 && index < BUCKETS_OFFSET / 4) {
      must(index >= record && index < record + WorkerRecord.sizeBytes / 4, where);
      // Before it names the intent, and behind the commit, the rest of the record says nothing of the log.
      return index === record + WorkerRecord.bucketWord ? true : 'unseen';
    }
    const isHolding = (stripe: number) =>
      (this.words[(stripe * Stripe.sizeBytes) / 4 + Stripe.lock] & 0xff) === worker + 1;
    const isStripe = index < WORKERS_OFFSET / 4;
    const isBucket = index >= BUCKETS_OFFSET / 4 && index < HEAP_OFFSET / 4;
    const stripe = isStripe ? Math.floor(index / (Stripe.sizeBytes / 4)) : bucketOf(index);
    const isHeld = isBucket || isStripe ? isHolding(stripe) : isHolding(0) || isHolding(1);
    must(isHeld, () => `${where()}: without the lock of its stripe`);
    // The commit.
    if (isBucket && kind === 'store') return false;
    return 'unseen' as const;
  }

  #isHiddenInControl(kind: Access['kind'], word: number, worker: number | undefined, where: () => string) {
    const isLog = worker === undefined;
    if (word >= LogControl.writtenSequence * 2 && word < LogControl.writtenSequence * 2 + 4) {
      must(isLog, where);
      return true;
    }
    const isOfWritten = word >= LogControl.written && word < LogControl.writtenCell + 2;
    must(!isOfWritten || isLog || kind === 'load', where);
    return isOfWritten && isLog && kind === 'load';
  }

  #isHiddenInLane(kind: Access['kind'], index: number, worker: number | undefined, where: () => string) {
    const lane = Math.floor((index - laneBase(this.geometry, 0)) / (Lane.sizeBytes / 4));
    const word = index - laneBase(this.geometry, lane);
    const isOwn = worker === lane;
    if (word === Lane.head) {
      must((worker === undefined) === (kind === 'store') || kind === 'load', where);
      return worker === undefined && kind === 'load';
    }
    if (word === Lane.tail) {
      must(isOwn || kind === 'load', where);
      return isOwn && kind === 'load';
    }
    must(isOwn, where);
    // Of the others only an open intent speaks.
    return this.words[workerBase(this.geometry, lane) + WorkerRecord.bucketWord] === 0 ? ('unseen' as const) : true;
  }

  #laneOf(index: number): number {
    return Math.floor((index - this.#bytes) / this.#laneWords);
  }

  /** Whether the word of a lane is of what was published and not given back. */
  #isInUse(index: number): boolean {
    const base = laneBase(this.geometry, this.#laneOf(index));
    const byte = ((index - this.#bytes) % this.#laneWords) * 4;
    const [head, tail] = [this.words[base + Lane.head], this.words[base + Lane.tail]];
    return head <= tail ? byte >= head && byte < tail : byte >= head || byte < tail;
  }

  /** Counts how often the futex at an index was waked. */
  wakesOf(index: number): number {
    return this.#file + MORE_WORDS - (index === this.#control + LogControl.bell ? 1 : 2);
  }
}

/** Of a put its value, of a removal the version that it removes. */
const effectOf = (key: number, value: number, version: number): number =>
  (key << 16) | (value === 0 ? 0x8000 | version : value);
const bucketOf = (index: number): number => Math.floor((index - BUCKETS_OFFSET / 4) / BUCKET_WORDS);
const keyOf = (effect: number): number => effect >> 16;
const valueOf = (worker: number, index: number): number => (worker + 1) * 16 + index;
