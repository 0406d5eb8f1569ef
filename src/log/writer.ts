/**
 * Appends records to the segments of a log. One writer per directory, on one thread.
 * What a failed sync was to make durable may be on the disk or not, and nobody can find out: the kernel may have dropped
 * the pages and call the next sync a success (Rebello et al., "Can Applications Recover from fsync Failures?", ATC 2020).
 * So it is never tried again; a new segment and a snapshot of everything take the place of what may be lost.
 */
import { KvsError } from '../errors.js';
import type { LogDirectory } from './directory.js';
import { isNoSpace, logError } from './failure.js';
import { createRecordViews, numberRecords, RecordOperation, type RecordViews, writeRecordHeader } from './record.js';
import { SegmentFile, type SegmentObserver } from './segment-file.js';

/**
 * - `open`: takes records.
 * - `full`: the disk has no room; what did not fit was taken back, append() may be tried again at any time.
 * - `failed`: a write or sync failed, or what did not fit could not be taken back. Nothing that is not durable may be
 *   acknowledged. append() and sync() throw; reopen() is the way on.
 * - `reopened`: takes records again, into a new segment, but none may be acknowledged: what was lost behind
 *   `durableSequence` leaves a gap. resume() ends it, when a snapshot covers the gap.
 */
export type LogWriterState = 'open' | 'full' | 'failed' | 'reopened' | 'closed';

export interface LogWriterOptions {
  /** Identity of the store, 16 hex digits: the report's, or randomStoreId(). Files of another are refused. */
  readonly storeId: string;
  /** The report's `lastSequence` + 1, or any that is above all that the files have, if a snapshot of everything follows. */
  readonly nextSequence: number;
  /** A segment that has reached this many bytes is followed by a new one. Default 64 MiB. */
  readonly segmentBytes?: number | undefined;
  /** The highest version that the store has given to an entry, also to those that no record speaks of. Default 0. */
  readonly highestVersion?: number | undefined;
  /**
   * Room is made ahead in a segment in steps of so many bytes, for a log that is synced for each few records: a sync then
   * takes a third less. What is written is written twice. Default 0: none.
   */
  readonly roomBytes?: number | undefined;
  /** Whether a log before this one has failed and was not resumed: as after reopen(). Default false. */
  readonly isBehindGap?: boolean;
  readonly observer?: SegmentObserver | undefined;
}

const DEFAULT_SEGMENT_BYTES = 64 * 2 ** 20;

export class LogWriter {
  /** Bytes of records written since open(), for statistics and to take a snapshot when the log has grown. */
  writtenBytes = 0;
  /** Segments begun since open(). */
  segments = 0;
  readonly #directory: LogDirectory;
  readonly #storeId: string;
  readonly #segmentBytes: number;
  readonly #roomBytes: number;
  readonly #highestVersion: number;
  readonly #observer: SegmentObserver | undefined;
  #segment: SegmentFile | undefined;
  /** Of the segment's first record. */
  #first: number;
  #next: number;
  /** The last that a sync covered, and the last that may be acknowledged: they differ behind a gap. */
  #synced: number;
  #durable: number;
  /** Behind a gap: the last sequence that a snapshot has to cover. */
  #gapEnd: number | undefined;
  #isFull = false;
  #failure: KvsError | undefined;
  #endsWithMark = true;

  private constructor(directory: LogDirectory, options: LogWriterOptions) {
    const { storeId, nextSequence, segmentBytes, highestVersion = 0, roomBytes = 0, isBehindGap } = options;
    this.#directory = directory;
    this.#storeId = storeId;
    this.#segmentBytes = segmentBytes ?? DEFAULT_SEGMENT_BYTES;
    this.#roomBytes = roomBytes;
    this.#highestVersion = highestVersion;
    this.#observer = options.observer;
    this.#next = nextSequence;
    this.#first = nextSequence;
    this.#synced = nextSequence - 1;
    // How far the log before was durable is not known: nothing is claimed.
    this.#durable = isBehindGap === true ? 0 : nextSequence - 1;
    if (isBehindGap === true) this.#gapEnd = nextSequence - 1;
  }

  /**
   * Begins a segment; durable, with its name, when this returns. After recover(), which leaves nothing behind, or beyond all.
   * @throws KvsError ERR_KVS_NO_SPACE, ERR_KVS_LOG_FAILED, ERR_KVS_LOG_DIR
   */
  static open(directory: LogDirectory, options: LogWriterOptions): LogWriter {
    const writer = new LogWriter(directory, options);
    writer.#begin();
    return writer;
  }

  get state(): LogWriterState {
    if (this.#failure !== undefined) return 'failed';
    if (this.#segment === undefined) return 'closed';
    if (this.#isFull) return 'full';
    return this.#gapEnd === undefined ? 'open' : 'reopened';
  }

  /** What the next record will be numbered. The last written is one less. */
  get nextSequence(): number {
    return this.#next;
  }

  /** The last record that survives a power failure, with all before it. What is acknowledged under `always` is up to here. */
  get durableSequence(): number {
    return this.#durable;
  }

  /** The last record that was synced: as `durableSequence`, but for the gap in state `reopened`. */
  get syncedSequence(): number {
    return this.#synced;
  }

  /**
   * Numbers, seals and writes whole records (their bytes are written to: sequence, unsynced, CRC). All or nothing: when it
   * throws NO_SPACE, none counts, and the same bytes are to be appended later. Syncs and begins a new segment first when
   * this one is full, so it may take as long as a sync. The bytes are free for other use when it returns.
   * @param offset a multiple of 8
   * @param bytes of whole records; a ring that wraps appends twice
   * @returns the sequence of the last record: durable once `durableSequence` has reached it
   * @throws KvsError ERR_KVS_NO_SPACE (state `full`), ERR_KVS_LOG_FAILED (state `failed`)
   */
  append(batch: RecordViews, offset: number, bytes: number): number {
    this.#checkUsable();
    const segment = this.#segmentWithRoom();
    const count = numberRecords(batch, offset, bytes, this.#next, this.#durable);
    try {
      segment.append(batch, offset, bytes);
    } catch (error) {
      this.#refuse(segment, error, count);
    }
    this.#isFull = false;
    this.#endsWithMark = false;
    this.#next += count;
    this.writtenBytes += bytes;
    return this.#next - 1;
  }

  /**
   * Makes all that was appended durable. Does nothing when it is already.
   * @returns durableSequence
   * @throws KvsError ERR_KVS_LOG_FAILED: what was appended since the last sync may be lost or not; it is never tried again
   */
  sync(): number {
    this.#checkUsable();
    if (this.#synced < this.#next - 1) {
      try {
        this.#segment!.sync();
      } catch (error) {
        this.#fail(error, 'make durable');
      }
      this.#noteSynced();
    }
    return this.#durable;
  }

  /**
   * After `failed`: begins a new segment, behind a gap. Records of a batch whose append() failed are appended again by the
   * caller (they are results: twice is harmless). Then a snapshot must be taken: begun after this, with `sequence` (S0) >=
   * nextSequence - 1 as it was when this returned, of a store that has the effects of every record, and finished when
   * `syncedSequence` has reached S1. Then resume(). Until then nothing may be acknowledged, sync() returns the old
   * `durableSequence`, and a crash recovers to some point at or behind that.
   * @throws as open(); the state stays `failed`, to be tried again later
   */
  reopen(): void {
    if (this.#failure === undefined)
      throw new Error(`only a writer that has failed is reopened, this one is ${this.state}`);
    this.#closeSegment();
    this.#begin();
    this.#failure = undefined;
    this.#isFull = false;
    this.#gapEnd = this.#next - 1;
    this.#synced = this.#next - 1;
  }

  /**
   * After reopen(): the snapshot of that sequence is durable (finish() has returned).
   * @throws RangeError for one that does not cover the gap
   */
  resume(snapshotSequence: number): void {
    if (this.#gapEnd === undefined) return;
    if (!(snapshotSequence >= this.#gapEnd)) {
      throw new RangeError(`a snapshot of at least ${this.#gapEnd} was expected, got ${snapshotSequence}`);
    }
    this.#gapEnd = undefined;
    this.#durable = this.#synced;
  }

  /**
   * Syncs, and marks the end as durable, so that damage to it is told from a torn tail. Idempotent; of a writer that has
   * failed it only closes the file.
   * @throws KvsError ERR_KVS_LOG_FAILED: as of sync(); it is closed all the same
   */
  close(): void {
    try {
      if (this.state === 'open' || this.state === 'full') {
        this.sync();
        this.#mark();
      } else if (this.state === 'reopened') {
        this.sync();
      }
    } finally {
      this.#closeSegment();
    }
  }

  #mark(): void {
    if (this.#endsWithMark) return;
    const mark = createRecordViews(64);
    const bytes = writeRecordHeader(mark, 0, RecordOperation.mark, 0, 0, 0, 0, 0, 0, Date.now());
    try {
      this.append(mark, 0, bytes);
    } catch (error) {
      // Without room the log ends as after a crash: whole, and not marked.
      if (error instanceof KvsError && error.code === 'ERR_KVS_NO_SPACE') return;
      throw error;
    }
    this.sync();
  }

  #checkUsable(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#segment === undefined) throw new KvsError('ERR_KVS_LOG_FAILED', 'the log is closed: open it again');
  }

  /** The segment to append to, a new one if it is time. An empty one is never followed: both would have one name. */
  #segmentWithRoom(): SegmentFile {
    const segment = this.#segment!;
    if (segment.bytes < this.#segmentBytes || this.#next === this.#first) return segment;
    this.sync();
    this.#begin();
    segment.close();
    return this.#segment!;
  }

  #begin(): void {
    try {
      const [storeId, sequence, durableSequence] = [this.#storeId, this.#next, this.#durable];
      const parts = { storeId, sequence, durableSequence, highestVersion: this.#highestVersion };
      this.#segment = new SegmentFile(this.#directory, parts, this.#roomBytes, this.#observer);
    } catch (error) {
      if (this.#segment !== undefined) this.#isFull ||= isNoSpace(error);
      throw logError(error, 'begin a segment in', this.#directory.path);
    }
    this.#first = this.#next;
    this.segments++;
    this.#endsWithMark = true;
  }

  /** After a failed append(). @throws always */
  #refuse(segment: SegmentFile, error: unknown, count: number): never {
    if (isNoSpace(error)) {
      try {
        segment.takeBack();
        this.#isFull = true;
        this.#noteSynced();
      } catch (failure) {
        // Parts of the batch may be there for good: their numbers are not used again.
        this.#next += count;
        this.#fail(failure, 'take a failed write back from');
      }
      throw logError(error, 'write', segment.path);
    }
    this.#next += count;
    this.#fail(error, 'write');
  }

  #noteSynced(): void {
    this.#synced = this.#next - 1;
    if (this.#gapEnd === undefined) this.#durable = this.#synced;
  }

  /** @throws always */
  #fail(cause: unknown, doing: string): never {
    const file = this.#segment?.path ?? this.#directory.path;
    const code = (cause as NodeJS.ErrnoException).code ?? String(cause);
    this.#failure = new KvsError(
      'ERR_KVS_LOG_FAILED',
      `could not ${doing} ${file} (${code}): writes behind record ${this.#durable} may be lost, none is acknowledged ` +
        'until the disk takes a new log and a snapshot of everything',
      { cause, file },
    );
    throw this.#failure;
  }

  #closeSegment(): void {
    const segment = this.#segment;
    this.#segment = undefined;
    try {
      segment?.close();
    } catch {
      // What counts was synced, or has failed already.
    }
  }
}
