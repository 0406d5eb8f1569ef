/**
 * What the threads of one server tell each other about its log, in memory that only they share: orders of the main thread
 * to the one that writes the log and to the one that makes a snapshot, of the latter to the former, and figures for everybody.
 */
import { performance } from 'node:perf_hooks';

import { add, exchange, load, store } from '../memory/words.js';
import { native } from '../native.js';

const Word = {
  isStopping: 0,
  isStopped: 1,
  snapshotsAsked: 2,
  snapshotsServed: 3,
  isSyncAsked: 4,
  syncCell: 5,
  /** Futex: of whoever has asked for a sync. */
  syncs: 6,
  isSnapshotNew: 7,
  errors: 8,
  gaps: 9,
  isSnapshotUrgent: 10,
} as const;
const Figure = {
  sequence: 0,
  durableSequence: 1,
  bytes: 2,
  segments: 3,
  snapshotSequence: 4,
  snapshotEntries: 5,
  snapshotAtMs: 6,
  snapshotMs: 7,
  snapshots: 8,
} as const;
type Figure = (typeof Figure)[keyof typeof Figure];
const FIGURES_OFFSET = 64;
const SLICE_MS = 100;

export class LogBoard {
  static readonly Figure = Figure;
  readonly #words: Int32Array;
  readonly #figures: Float64Array;

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(FIGURES_OFFSET + Object.keys(Figure).length * 8);
  }

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.#figures = new Float64Array(buffer, FIGURES_OFFSET);
  }

  /** No record comes any more: what there is is written, made durable, and then the thread ends. */
  stop(): void {
    store(this.#words, Word.isStopping, 1);
  }

  get isStopping(): boolean {
    return load(this.#words, Word.isStopping) !== 0;
  }

  /** All that was logged is durable in the files, which are closed. */
  noteStopped(): void {
    store(this.#words, Word.isStopped, 1);
  }

  get isStopped(): boolean {
    return load(this.#words, Word.isStopped) !== 0;
  }

  /** Somebody wants a snapshot that begins from now on. @returns which `snapshotsServed` says that it is there */
  askForSnapshot(): number {
    return add(this.#words, Word.snapshotsAsked, 1) + 1;
  }

  get snapshotsAsked(): number {
    return load(this.#words, Word.snapshotsAsked);
  }

  get snapshotsServed(): number {
    return load(this.#words, Word.snapshotsServed);
  }

  /** The cells in front of this one are to be made durable soon, whatever `sync` says. */
  askForSync(cell: number): void {
    store(this.#words, Word.syncCell, cell);
    store(this.#words, Word.isSyncAsked, 1);
  }

  /** @returns the cell, undefined: nobody asks */
  get syncAsked(): number | undefined {
    return load(this.#words, Word.isSyncAsked) === 0 ? undefined : load(this.#words, Word.syncCell);
  }

  /** The cells in front of one are durable, or would be but for a gap in the log. */
  noteSynced(cell: number): void {
    const asked = this.syncAsked;
    if (asked === undefined || ((asked - cell) | 0) > 0) return;
    store(this.#words, Word.isSyncAsked, 0);
    add(this.#words, Word.syncs, 1);
    native.futexWake(this.#words, Word.syncs, 1);
  }

  /** Waits for what was asked for. @returns false: it was not done in time */
  waitForSync(timeoutMs: number): boolean {
    const giveUpAt = performance.now() + timeoutMs;
    while (this.syncAsked !== undefined) {
      if (performance.now() >= giveUpAt) {
        // Nobody waits any more: the thread that writes the log has nothing to do for it.
        store(this.#words, Word.isSyncAsked, 0);
        return false;
      }
      const syncs = load(this.#words, Word.syncs);
      if (this.syncAsked !== undefined) native.futexWait(this.#words, Word.syncs, syncs, SLICE_MS);
    }
    return true;
  }

  /** The server cannot stop until the snapshot that is being made is there. */
  hurrySnapshot(): void {
    store(this.#words, Word.isSnapshotUrgent, 1);
  }

  get isSnapshotUrgent(): boolean {
    return load(this.#words, Word.isSnapshotUrgent) !== 0;
  }

  /** A snapshot is durable. @param asked `snapshotsAsked` when it began */
  noteSnapshot(sequence: number, asked: number): void {
    this.set(Figure.snapshotSequence, sequence);
    this.set(Figure.snapshotAtMs, Date.now());
    this.set(Figure.snapshots, this.get(Figure.snapshots) + 1);
    store(this.#words, Word.snapshotsServed, asked);
    store(this.#words, Word.isSnapshotNew, 1);
  }

  /** @returns whether a snapshot has become durable since the last look */
  takeSnapshot(): boolean {
    return exchange(this.#words, Word.isSnapshotNew, 0) !== 0;
  }

  /** A gap in the log has begun, or a new segment behind it: what a snapshot has seen before may be in neither. */
  noteGap(): void {
    add(this.#words, Word.gaps, 1);
  }

  /** How often noteGap() was called. SYNC: read before the figures that a snapshot begins with. */
  get gaps(): number {
    return load(this.#words, Word.gaps);
  }

  noteError(): void {
    add(this.#words, Word.errors, 1);
  }

  get errors(): number {
    return load(this.#words, Word.errors);
  }

  set(figure: Figure, value: number): void {
    this.#figures[figure] = value;
  }

  get(figure: Figure): number {
    return this.#figures[figure];
  }
}
