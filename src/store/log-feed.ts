/**
 * The other end of the lanes (log-lane.ts): takes records in the order of their cells, as many as fit a batch, and gives
 * their room back once they are in the files. One reader: the thread that writes the log, or whoever takes over from a
 * server that died. Which records are in the files is one word, `LogControl.written`; if the reader dies before the lanes
 * know, the next one finds records there that are older than the cells, and passes over them.
 */
import { recordBytes, RecordField } from '../log/record.js';
import { type Geometry, MAX_KEY_BYTES } from '../memory/layout.js';
import { CELL_COUNT_BITS, laneSize, LogControl, LogLane as Lane } from '../memory/log-layout.js';
import { copyBytes } from '../memory/copy.js';
import { type SegmentViews, viewsOf } from '../memory/segment.js';
import { add, load, store } from '../memory/words.js';
import { native } from '../native.js';
import { laneBase, laneViews } from './log-lane.js';
import { countAhead, LogOrder, workerOfCell } from './log-order.js';

const EVERYBODY = 2 ** 31 - 1;
const BATCH_BYTES = 512 * 1024;
/**
 * Of one batch. After a death in release() a lane's head lags by that many records: a cell has too few bits of their count
 * to tell older from newer beyond half of its range.
 */
const MAX_BATCH_RECORDS = 2 ** (CELL_COUNT_BITS - 2);

export class LogFeed {
  readonly #words: Int32Array;
  readonly #floats: Float64Array;
  readonly #geometry: Geometry;
  readonly #control: number;
  readonly #lanes: SegmentViews;
  readonly #order: LogOrder;
  readonly #laneCount: number;
  readonly #sizeBytes: number;
  /** By lane: where the next record is. */
  readonly #heads: Int32Array;
  /** The next cell. */
  position: number;

  constructor(data: SegmentViews, geometry: Geometry) {
    this.#words = data.words;
    this.#floats = data.floats;
    this.#geometry = geometry;
    this.#control = geometry.logControlOffset / 4;
    this.#lanes = laneViews(data, geometry);
    this.#order = new LogOrder(data.words, geometry);
    this.#laneCount = load(data.words, this.#control + LogControl.lanes);
    this.#sizeBytes = this.#laneCount === 0 ? 0 : laneSize(geometry.logBytes, this.#laneCount);
    this.#heads = new Int32Array(this.#laneCount);
    for (let lane = 0; lane < this.#laneCount; lane++) {
      this.#heads[lane] = load(this.#words, laneBase(geometry, lane) + Lane.head);
    }
    this.position = this.#words[this.#control + LogControl.writtenCell + this.#written];
  }

  /** The sequence of the last record in the files, as far as the region knows. */
  get writtenSequence(): number {
    return this.#floats[this.#control / 2 + LogControl.writtenSequence + this.#written];
  }

  get #written(): number {
    return load(this.#words, this.#control + LogControl.written);
  }

  /** Whether there is nothing to take now. */
  get isEmpty(): boolean {
    return this.#laneCount === 0 || this.#order.read(this.position) < 0;
  }

  /** Where the cells end. */
  end(): number {
    return this.#order.end();
  }

  /** Memory for a batch: one write, unless a single record is longer. */
  static allocateBatch({ maxValueBytes }: Geometry): SegmentViews {
    return viewsOf(new SharedArrayBuffer(Math.max(BATCH_BYTES, recordBytes(MAX_KEY_BYTES, maxValueBytes))));
  }

  /**
   * Copies as many records to a batch as it has room for, in order; 8192 at most.
   * @param batch has room for the longest record
   * @returns how many bytes were copied; 0: there was nothing, or nothing that counted
   */
  take(batch: SegmentViews): number {
    const capacity = batch.buffer.byteLength;
    let used = 0;
    let records = 0;
    if (this.#laneCount === 0) return used;
    for (let cell = this.#order.read(this.position); cell >= 0; cell = this.#order.read(this.position)) {
      const at = this.#recordOf(cell);
      if (at >= 0) {
        const bytes = this.#lanes.words[at / 4 + RecordField.bytes];
        if (used + bytes > capacity || records === MAX_BATCH_RECORDS) return used;
        records++;
        copyBytes(this.#lanes, at, batch, used, bytes);
        used += bytes;
        this.#advance(workerOfCell(cell), bytes);
      }
      this.position = (this.position + 1) | 0;
    }
    return used;
  }

  /** Passes over the next record, which is in the files already. @returns false: there is none */
  skip(): boolean {
    if (this.#laneCount === 0) return false;
    for (let cell = this.#order.read(this.position); cell >= 0; cell = this.#order.read(this.position)) {
      const at = this.#recordOf(cell);
      this.position = (this.position + 1) | 0;
      if (at < 0) continue;
      this.#advance(workerOfCell(cell), this.#lanes.words[at / 4 + RecordField.bytes]);
      return true;
    }
    return false;
  }

  /** @returns the byte at which the cell's record starts; -1: it has been taken before */
  #recordOf(cell: number): number {
    const worker = workerOfCell(cell);
    if (worker >= this.#laneCount) return -1;
    const base = laneBase(this.#geometry, worker);
    const first = worker * this.#sizeBytes;
    for (;;) {
      const head = this.#heads[worker];
      if (head === load(this.#words, base + Lane.tail)) return -1;
      const record = (first + head) / 4;
      const bytes = this.#lanes.words[record + RecordField.bytes];
      // The rest of the lane was too short for the next record.
      if (bytes === 0) {
        this.#heads[worker] = 0;
        continue;
      }
      const ahead = countAhead(this.#lanes.words[record + RecordField.unsynced], cell);
      if (ahead === 0) return first + head;
      if (ahead > 0) return -1;
      this.#advance(worker, bytes);
    }
  }

  #advance(worker: number, bytes: number): void {
    const head = this.#heads[worker] + bytes;
    this.#heads[worker] = head === this.#sizeBytes ? 0 : head;
  }

  /** All that was taken is in the files, `sequence` the last of it: its room is free. */
  release(sequence: number): void {
    const words = this.#words;
    const next = 1 - this.#written;
    words[this.#control + LogControl.writtenCell + next] = this.position;
    this.#floats[this.#control / 2 + LogControl.writtenSequence + next] = sequence;
    // One store: whoever takes over goes on from here.
    store(words, this.#control + LogControl.written, next);
    for (let lane = 0; lane < this.#laneCount; lane++) {
      store(words, laneBase(this.#geometry, lane) + Lane.head, this.#heads[lane]);
    }
    add(words, this.#control + LogControl.batches, 1);
    if (load(words, this.#control + LogControl.waiters) > 0) {
      native.futexWake(words, this.#control + LogControl.batches, EVERYBODY);
    }
  }
}

/**
 * Divides the room anew, for a server of so many workers. Nobody is at work, and all that was there is in the files.
 * @param sequence of the last record in the files
 */
export function resetLanes(data: SegmentViews, geometry: Geometry, lanes: number, sequence: number): void {
  const { words, floats } = data;
  const control = geometry.logControlOffset / 4;
  // Until the last store there are no lanes, and nothing in them.
  store(words, control + LogControl.lanes, 0);
  const start = new LogOrder(words, geometry).reset();
  for (let pair = 0; pair < 2; pair++) {
    words[control + LogControl.writtenCell + pair] = start;
    floats[control / 2 + LogControl.writtenSequence + pair] = sequence;
  }
  for (let lane = 0; lane < lanes; lane++) {
    const base = laneBase(geometry, lane);
    words.fill(0, base, base + Lane.sizeBytes / 4);
  }
  words[control + LogControl.durableCell] = start;
  words[control + LogControl.waiters] = 0;
  words[control + LogControl.trouble] = 0;
  store(words, control + LogControl.asleep, 0);
  store(words, control + LogControl.lanes, lanes);
}
