/**
 * One worker's lane of the log: a ring of whole records, written by that worker under the lock of a stripe, read by the one
 * thread that writes the files. A record is staged before the commit of what it tells, and published after it, while the
 * worker's record still names the commit: whoever dies in between has it published by settleLane(), or not at all.
 * Nothing waits here: whoever is about to commit makes sure of the room first, with no lock held.
 */
import { pad4 } from '../alignment.js';
import { Status } from '../errors.js';
import {
  keyOffsetOf,
  recordBytes,
  RecordField,
  RecordOperation,
  type RecordViews,
  valueOffsetOf,
  writeRecordHeader,
} from '../log/record.js';
import { copyBytes } from '../memory/copy.js';
import { wallMsOfHost } from '../memory/clock.js';
import {
  CODEC_SHIFT,
  Entry,
  EXPIRES,
  EXPIRES_AT,
  expiryBytesOf,
  type Geometry,
  GRANULE_BYTES,
  KEY_BYTES_MASK,
  MAX_KEY_BYTES,
  workerBase,
  WorkerRecord,
} from '../memory/layout.js';
import { laneSize, LogControl, LogLane as Lane, LogSleep } from '../memory/log-layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { add, cas, exchange, load, store } from '../memory/words.js';
import { native } from '../native.js';
import { LogOrder } from './log-order.js';

const NO_ROOM = -1;
/** A half-done request waits so long for room: a disk that takes longer is as good as none. */
const ROOM_SLICE_MS = 5;
const ROOM_TRIES = 2000;

/** First word of a worker's lane in the data segment. */
export const laneBase = ({ logLanesOffset }: Geometry, worker: number): number =>
  (logLanesOffset + worker * Lane.sizeBytes) / 4;

/** The bytes of all lanes, under views of their own: offsets stay small, whatever the size of the store. */
export function laneViews(
  { buffer }: SegmentViews,
  { laneBytesOffset, logBytes }: Geometry,
): RecordViews & SegmentViews {
  return {
    buffer,
    words: new Int32Array(buffer, laneBytesOffset, logBytes / 4),
    floats: new Float64Array(buffer, laneBytesOffset, logBytes / 8),
    bytes: Buffer.from(buffer as unknown as ArrayBuffer, laneBytesOffset, logBytes),
  };
}

/** What a lane must hold at least, so that the largest record always finds room beside one of a removal. */
export const leastLaneBytes = (maxValueBytes: number): number =>
  2 * (recordBytes(MAX_KEY_BYTES, maxValueBytes) + recordBytes(MAX_KEY_BYTES, 0)) + 128;

export class LogLane {
  readonly #data: SegmentViews;
  readonly #words: Int32Array;
  readonly #worker: number;
  readonly #base: number;
  readonly #control: number;
  readonly #views: RecordViews & SegmentViews;
  readonly #order: LogOrder;
  readonly #sizeBytes: number;
  readonly #firstByte: number;
  /** Of the record published last: position of its cell; and how many this thread has published. */
  lastCell = 0;
  published = 0;
  /** Bytes that the request in hand was admitted for and has not used: what else is logged meanwhile leaves them free. */
  #reserved = 0;

  constructor(data: SegmentViews, geometry: Geometry, worker: number) {
    this.#data = data;
    this.#words = data.words;
    this.#worker = worker;
    this.#base = laneBase(geometry, worker);
    this.#control = geometry.logControlOffset / 4;
    this.#views = laneViews(data, geometry);
    this.#order = new LogOrder(data.words, geometry);
    this.#sizeBytes = laneSize(geometry.logBytes, load(data.words, this.#control + LogControl.lanes));
    this.#firstByte = worker * this.#sizeBytes;
  }

  /** Whether a record of so many bytes fits now. */
  hasRoom(bytes: number): boolean {
    return this.#place(bytes) !== NO_ROOM;
  }

  /** Whether the record of an entry that goes, though no request asks for that, fits now beside what was admitted. */
  hasRoomFor(granule: number): boolean {
    return this.hasRoom(recordBytes(this.#words[(granule << 2) + Entry.shape] & KEY_BYTES_MASK, 0) + this.#reserved);
  }

  /** Waits until hasRoomFor() any entry, bounded. With no lock held. @returns false: the log takes nothing now */
  admitRemoval(): boolean {
    return this.#awaitRoom(recordBytes(MAX_KEY_BYTES, 0) + this.#reserved, ROOM_TRIES) && this.trouble === 0;
  }

  #awaitRoom(bytes: number, tries: number): boolean {
    for (let i = 0; i < tries && this.trouble === 0; i++) {
      // SYNC: before the look, or a batch that is written in between wakes nobody.
      const batches = load(this.#words, this.#control + LogControl.batches);
      if (this.hasRoom(bytes)) return true;
      this.#waitForBatch(batches, ROOM_SLICE_MS);
    }
    return this.hasRoom(bytes);
  }

  /** Why nothing may be written, 0: it may. */
  get trouble(): number {
    return load(this.#words, this.#control + LogControl.trouble);
  }

  /**
   * Writes the record of an entry that is about to be published, or whose key is about to go.
   * @throws Error when there is no room: nothing has changed then
   */
  stage(operation: typeof RecordOperation.put | typeof RecordOperation.remove, granule: number): void {
    const words = this.#words;
    const entry = granule << 2;
    const shape = words[entry + Entry.shape];
    const keyBytes = shape & KEY_BYTES_MASK;
    const isPut = operation === RecordOperation.put;
    const valueBytes = isPut ? words[entry + Entry.valueBytes] : 0;
    const bytes = recordBytes(keyBytes, valueBytes);
    const at = this.#place(bytes);
    if (at === NO_ROOM) throw new Error(`no room in the log for a record of ${bytes} bytes`);
    const tail = words[this.#base + Lane.tail];
    // A reader that comes here goes on at the lane's start.
    if (at !== tail) this.#views.words[(this.#firstByte + tail) / 4 + RecordField.bytes] = 0;
    const offset = this.#firstByte + at;
    const version = this.#data.floats[granule * 2 + Entry.version];
    const codec = isPut ? shape >>> CODEC_SHIFT : 0;
    const expires = isPut && (shape & EXPIRES) !== 0 ? wallMsOfHost(this.#data.floats[granule * 2 + EXPIRES_AT]) : 0;
    writeRecordHeader(this.#views, offset, operation, 0, codec, keyBytes, valueBytes, version, expires, Date.now());
    const key = granule * GRANULE_BYTES + Entry.sizeBytes + expiryBytesOf(shape);
    copyBytes(this.#data, key, this.#views, keyOffsetOf(offset), keyBytes);
    if (isPut) copyBytes(this.#data, key + pad4(keyBytes), this.#views, valueOffsetOf(offset, keyBytes), valueBytes);
    const count = (words[this.#base + Lane.count] + 1) | 0;
    this.#views.words[offset / 4 + RecordField.unsynced] = count;
    words[this.#base + Lane.nextTail] = at + bytes === this.#sizeBytes ? 0 : at + bytes;
    words[this.#base + Lane.nextCount] = count;
  }

  /** Publishes the staged record. The commit is done, the worker's record still names it, its stripe is still locked. */
  publish(): void {
    this.lastCell = publish(this.#words, this.#base, this.#order, this.#worker);
    this.published++;
  }

  /** Position of the last cell that anybody has published. */
  lastOfAll(): number {
    return this.#order.last();
  }

  /** Wakes the thread that writes the files, if it waits for what was published. With no lock held. */
  announce(): void {
    const asleep = load(this.#words, this.#control + LogControl.asleep);
    if (asleep === LogSleep.awake) return;
    // While it gathers, it comes by itself, unless that is too late for us.
    if (asleep === LogSleep.gathering && this.#usedBytes() * 4 < this.#sizeBytes) return;
    this.wake();
  }

  /** Wakes it in any case. SYNC: after what it is to see; pairs with its last look. */
  wake(): void {
    ring(this.#words, this.#control);
  }

  /** As Store.admit(). @param isUntouched whether nothing of the request is done yet: then it may go back to the queue */
  admit(bytes: number, isUntouched: boolean): Status {
    this.#reserved = 0;
    // What is half done is not put back: it waits here.
    const hasRoom = this.#awaitRoom(bytes, isUntouched ? 1 : ROOM_TRIES);
    if (this.trouble !== 0) return Status.notDurable;
    if (!hasRoom) return isUntouched ? Status.busy : Status.notDurable;
    this.#reserved = bytes;
    return Status.ok;
  }

  /** Waits until more than so many batches have been written, at most `timeoutMs`. With no lock held. */
  #waitForBatch(batches: number, timeoutMs: number): void {
    add(this.#words, this.#control + LogControl.waiters, 1);
    this.wake();
    native.futexWait(this.#words, this.#control + LogControl.batches, batches, timeoutMs);
    add(this.#words, this.#control + LogControl.waiters, -1);
  }

  #usedBytes(): number {
    const used = this.#words[this.#base + Lane.tail] - load(this.#words, this.#base + Lane.head);
    return used >= 0 ? used : used + this.#sizeBytes;
  }

  /** Where a record would start. It never fills the lane: a tail at the head says that it is empty. */
  #place(bytes: number): number {
    const head = load(this.#words, this.#base + Lane.head);
    const tail = this.#words[this.#base + Lane.tail];
    if (tail < head) return tail + bytes < head ? tail : NO_ROOM;
    const end = tail + bytes;
    if (end < this.#sizeBytes || (end === this.#sizeBytes && head > 0)) return tail;
    return bytes < head ? 0 : NO_ROOM;
  }
}

/** Wakes the thread that writes the log, whatever it waits for. */
export const wakeLog = (words: Int32Array, geometry: Geometry): void => ring(words, geometry.logControlOffset / 4);

/**
 * How the thread that writes the log sleeps: until it is rung, or for `timeoutMs`.
 * SYNC: announces itself before the last look; pairs with LogLane.announce() and wake().
 * @param depth of LogSleep: who rings it
 * @param isThereWork the last look
 */
export function sleepOnLogBell(
  words: Int32Array,
  { logControlOffset }: Geometry,
  depth: number,
  timeoutMs: number,
  isThereWork: () => boolean,
): void {
  const control = logControlOffset / 4;
  const rings = load(words, control + LogControl.bell);
  exchange(words, control + LogControl.asleep, depth);
  if (!isThereWork()) native.futexWait(words, control + LogControl.bell, rings, timeoutMs);
  store(words, control + LogControl.asleep, LogSleep.awake);
}

function ring(words: Int32Array, control: number): void {
  const asleep = load(words, control + LogControl.asleep);
  if (asleep === LogSleep.awake || !cas(words, control + LogControl.asleep, asleep, LogSleep.awake)) return;
  add(words, control + LogControl.bell, 1);
  native.futexWake(words, control + LogControl.bell, 1);
}

function publish(words: Int32Array, base: number, order: LogOrder, worker: number): number {
  const count = words[base + Lane.nextCount];
  store(words, base + Lane.tail, words[base + Lane.nextTail]);
  words[base + Lane.count] = count;
  return order.add(worker, count);
}

/**
 * Publishes the record of a dead worker's commit that has taken place, if the worker has not. Its stripe is still locked,
 * or nobody else is at work; the thread that writes the files may be.
 */
export function settleLane(words: Int32Array, geometry: Geometry, worker: number): void {
  const control = geometry.logControlOffset / 4;
  const record = workerBase(geometry, worker);
  if (words[record + WorkerRecord.logged] === 0 || load(words, control + LogControl.lanes) === 0) return;
  const base = laneBase(geometry, worker);
  const order = new LogOrder(words, geometry);
  const isPublished = load(words, base + Lane.tail) === words[base + Lane.nextTail];
  if (isPublished) {
    words[base + Lane.count] = words[base + Lane.nextCount];
    // Not only of the cells that are not in the files yet: who wrote them may have died before it moved the lane's head, and
    // whoever comes next would take the record once more.
    const isNamed = order.isLast(worker, words[base + Lane.nextCount]);
    // No cell names the worker any more: all that is in its lane was written, or this is the first one there.
    if (isNamed ?? load(words, base + Lane.head) === words[base + Lane.tail]) return;
  }
  publish(words, base, order, worker);
}
