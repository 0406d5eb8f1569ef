/**
 * Writes the log: takes what the workers have logged, in order, and appends it to the files in one write for each batch;
 * makes it durable as `sync` says, and answers what waited for that. A thread of its own, which sleeps when there is
 * nothing to do.
 * Trouble never loses what was acknowledged: what could not be written stays where it is, or in memory, writes are
 * refused meanwhile, and after a failed sync nothing counts as durable before there is a snapshot of all.
 */
import { performance } from 'node:perf_hooks';

import { KvsError } from '../errors.js';
import type { LogDirectory } from '../log/directory.js';
import { LogWriter } from '../log/writer.js';
import type { Geometry } from '../memory/layout.js';
import { isBehindGap, LogControl, LogSleep, LogTrouble } from '../memory/log-layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { load, store } from '../memory/words.js';
import { LogFeed } from '../store/log-feed.js';
import { highestVersion } from '../store/versions.js';
import { sleepOnLogBell } from '../store/log-lane.js';
import { LogBoard } from './log-board.js';
import type { SyncMode } from '../option-schemas.js';
import { SegmentNotes } from './segment-notes.js';

/** Unless every write waits for the disk, records are gathered for so long. */
const GATHER_MS = 20;
const SYNC_MS = 1000;
/** Where each write waits for the disk: some hundred syncs in one go. */
const ROOM_BYTES = 256 * 1024;
const RETRY_MS = 500;
/** Bounds a sleep whose wake-up was lost. */
const SLEEP_MS = 1000;

const { Figure } = LogBoard;

export type LogEvent =
  | { readonly type: 'log-trouble'; readonly reason: 'full' | 'failed'; readonly error: string }
  | { readonly type: 'log-resumed' };

export interface KeeperParts {
  readonly data: SegmentViews;
  readonly geometry: Geometry;
  readonly directory: LogDirectory;
  readonly sync: SyncMode;
  readonly storeId: string;
  readonly nextSequence: number;
  readonly segmentBytes: number | undefined;
  readonly board: LogBoard;
  /** Answers what waits for the cells in front of one; and whether anything does. */
  readonly settle: (durableCell: number) => void;
  readonly isAnyDue: (durableCell: number) => boolean;
  readonly onEvent: (event: LogEvent) => void;
}

export class LogKeeper {
  readonly #parts: KeeperParts;
  readonly #words: Int32Array;
  readonly #control: number;
  readonly #feed: LogFeed;
  readonly #writer: LogWriter;
  readonly #board: LogBoard;
  readonly #batch: SegmentViews;
  /** Of threads of this server before this one. */
  readonly #bytesBefore: number;
  readonly #segmentsBefore: number;
  /** Bytes of the batch that could not be written yet. */
  #held = 0;
  /** The last record appended, and the cell behind it. */
  #sequence: number;
  #cell: number;
  #syncedAt = performance.now();
  #retryAt = 0;
  /** After a failed sync: up to this sequence the files may lack records. */
  #gapEnd = 0;
  /** Whether anything was written since the last rest. */
  #hasMoved = false;

  constructor(parts: KeeperParts) {
    const { data, geometry, directory, storeId, nextSequence, segmentBytes } = parts;
    this.#parts = parts;
    this.#words = data.words;
    this.#control = geometry.logControlOffset / 4;
    this.#feed = new LogFeed(data, geometry);
    this.#board = parts.board;
    this.#bytesBefore = this.#board.get(Figure.bytes);
    this.#segmentsBefore = this.#board.get(Figure.segments);
    const hasGap = isBehindGap(data.words, geometry);
    const roomBytes = parts.sync === 'always' ? ROOM_BYTES : 0;
    this.#writer = LogWriter.open(directory, {
      storeId,
      nextSequence,
      segmentBytes,
      // Entries that were loaded have versions that no record names.
      highestVersion: highestVersion(data, geometry),
      roomBytes,
      isBehindGap: hasGap,
      observer: new SegmentNotes(data.words, geometry),
    });
    this.#batch = LogFeed.allocateBatch(geometry);
    this.#sequence = nextSequence - 1;
    this.#cell = this.#feed.position;
    this.#noteDurable();
    // The thread before has failed to sync, and may have lost what it had written: only a snapshot makes it whole.
    if (hasGap) {
      this.#begin('failed', 'an earlier sync has failed', true);
      this.#gapEnd = this.#sequence;
      this.#askForSnapshot();
    }
    this.#publishFigures();
  }

  /** Returns when told to stop; all that was logged is in the files then, or they could not be written. */
  run(): void {
    while (!this.#board.isStopping) {
      this.#work();
      this.#rest();
    }
    this.#work(true);
    try {
      if (this.#held > 0 || !this.#feed.isEmpty || this.#isInTrouble) return;
      this.#writer.close();
      this.#board.noteStopped();
    } catch (error) {
      this.#fail(error);
    }
  }

  #work(isLast = false): void {
    if (this.#isInTrouble && (isLast || performance.now() >= this.#retryAt)) this.#retry();
    // What the disk did not take is tried by #retry() alone.
    while (this.#writer.state !== 'full' && !(this.#isInTrouble && this.#held > 0) && this.#append()) {
      // What waits for the disk waits for one batch at a time.
      if (this.#parts.sync === 'always' && !isLast) break;
    }
    if (isLast || this.#isSyncDue()) this.#syncAll();
    this.#publishFigures();
    this.#parts.settle(load(this.#words, this.#control + LogControl.durableCell));
  }

  /** Writes one batch. @returns whether there may be more */
  #append(): boolean {
    if (this.#held === 0) this.#held = this.#feed.take(this.#batch);
    if (this.#held === 0 || this.#writer.state === 'failed') return false;
    try {
      this.#sequence = this.#writer.append(this.#batch, 0, this.#held);
    } catch (error) {
      this.#fail(error);
      return false;
    }
    this.#held = 0;
    this.#hasMoved = true;
    this.#cell = this.#feed.position;
    this.#feed.release(this.#sequence);
    this.#noteDurable();
    return true;
  }

  get #isDirty(): boolean {
    return this.#writer.syncedSequence < this.#sequence;
  }

  #isSyncDue(): boolean {
    const asked = this.#board.syncAsked;
    if (asked !== undefined && ((asked - this.#cell) | 0) <= 0) return true;
    if (this.#parts.sync === 'no' || !this.#isDirty) return false;
    return this.#parts.sync === 'always' || performance.now() - this.#syncedAt >= SYNC_MS;
  }

  #syncAll(): void {
    if (this.#writer.state === 'failed') return;
    try {
      this.#writer.sync();
      this.#syncedAt = performance.now();
      // First: whoever has asked reads how far that is.
      this.#publishFigures();
      this.#board.noteSynced(this.#cell);
      this.#noteDurable();
    } catch (error) {
      this.#fail(error);
    }
  }

  /** After a failure nothing counts as durable until a snapshot does. */
  #noteDurable(): void {
    if (this.#isDirty || load(this.#words, this.#control + LogControl.gap) !== 0) return;
    store(this.#words, this.#control + LogControl.durableCell, this.#cell);
  }

  get #isInTrouble(): boolean {
    return load(this.#words, this.#control + LogControl.trouble) !== LogTrouble.none;
  }

  #fail(error: unknown): void {
    if (!(error instanceof KvsError)) throw error;
    this.#board.noteError();
    this.#retryAt = performance.now() + RETRY_MS;
    const { state } = this.#writer;
    // Where only a new segment could not be begun, nothing is lost: it is tried again, as with a full disk.
    const leavesGap = state === 'failed';
    if (!this.#isInTrouble || leavesGap) this.#begin(state === 'full' ? 'full' : 'failed', error.message, leavesGap);
  }

  #begin(reason: 'full' | 'failed', error: string, leavesGap: boolean): void {
    if (leavesGap) {
      store(this.#words, this.#control + LogControl.gap, 1);
      this.#board.noteGap();
    }
    store(this.#words, this.#control + LogControl.trouble, LogTrouble[reason]);
    this.#parts.onEvent({ type: 'log-trouble', reason, error });
  }

  #retry(): void {
    const wasFailed = this.#writer.state === 'failed';
    this.#retryAt = performance.now() + RETRY_MS;
    try {
      if (wasFailed) {
        this.#writer.reopen();
        this.#gapEnd = this.#writer.nextSequence - 1;
        this.#publishFigures();
        this.#board.noteGap();
      }
      // Before a snapshot is asked for: what it is to cover comes first.
      if (this.#held > 0) this.#append();
      if (this.#writer.state === 'failed') return;
      if (wasFailed) this.#askForSnapshot();
      else if (this.#board.takeSnapshot()) this.#closeGap(this.#board.get(Figure.snapshotSequence));
    } catch (error) {
      return this.#fail(error);
    }
    if (this.#writer.state === 'open' && load(this.#words, this.#control + LogControl.gap) === 0) this.#end();
  }

  /** A snapshot of that sequence has all that the files may lack, unless it was begun too early. */
  #closeGap(sequence: number): void {
    if (sequence < this.#gapEnd) {
      if (this.#board.snapshotsAsked === this.#board.snapshotsServed) this.#askForSnapshot();
      return;
    }
    if (this.#writer.state === 'reopened') this.#writer.resume(sequence);
    store(this.#words, this.#control + LogControl.gap, 0);
    this.#syncAll();
  }

  /** Of what there is now: a snapshot takes the figures for where it begins. */
  #askForSnapshot(): void {
    this.#publishFigures();
    this.#board.askForSnapshot();
  }

  #end(): void {
    if (!this.#isInTrouble) return;
    store(this.#words, this.#control + LogControl.trouble, LogTrouble.none);
    this.#parts.onEvent({ type: 'log-resumed' });
  }

  #rest(): void {
    if (this.#isInTrouble) return this.#sleep(LogSleep.idle, RETRY_MS);
    const hasMoved = this.#hasMoved;
    this.#hasMoved = false;
    if (this.#parts.sync === 'always') return this.#sleep(LogSleep.idle, SLEEP_MS);
    // Where one write came, others follow: they need not ring.
    if (hasMoved) return this.#sleep(LogSleep.gathering, GATHER_MS);
    const untilSync = this.#syncedAt + SYNC_MS - performance.now();
    const isWaiting = this.#parts.sync === 'everysec' && this.#isDirty;
    this.#sleep(LogSleep.idle, isWaiting ? Math.max(1, untilSync) : SLEEP_MS);
  }

  #sleep(depth: number, timeoutMs: number): void {
    sleepOnLogBell(this.#words, this.#parts.geometry, depth, timeoutMs, () => this.#isThereWork(depth));
  }

  #isThereWork(depth: number): boolean {
    if (this.#board.isStopping) return true;
    // What cannot be written now is not looked at again and again.
    const isUsable = this.#writer.state !== 'failed' && this.#writer.state !== 'full';
    const asked = this.#board.syncAsked;
    // Or when there is nothing to be done for who asks.
    const isReached = asked !== undefined && ((asked - this.#cell) | 0) <= 0;
    if (isUsable && asked !== undefined && (isReached || !this.#feed.isEmpty)) return true;
    if (depth !== LogSleep.idle || this.#isInTrouble) return false;
    return !this.#feed.isEmpty || this.#parts.isAnyDue(load(this.#words, this.#control + LogControl.durableCell));
  }

  #publishFigures(): void {
    this.#board.set(Figure.sequence, this.#writer.nextSequence - 1);
    this.#board.set(Figure.durableSequence, this.#writer.syncedSequence);
    this.#board.set(Figure.bytes, this.#bytesBefore + this.#writer.writtenBytes);
    this.#board.set(Figure.segments, this.#segmentsBefore + this.#writer.segments);
  }
}
