/** Appends records to the segments of a log. One writer per directory, on one thread. */
import type { LogDirectory } from './directory.js';
import type { RecordViews } from './record.js';

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
  /** Identity of the store, 16 hex digits: the report's, or a new one. Files of another are refused. */
  readonly storeId: string;
  /** The report's `lastSequence` + 1. */
  readonly nextSequence: number;
  /** A segment that has reached this many bytes is followed by a new one. Default 64 MiB. */
  readonly segmentBytes?: number | undefined;
}

export declare class LogWriter {
  /** Begins a segment; durable, with its name, when this returns. @throws KvsError ERR_KVS_NO_SPACE, ERR_KVS_LOG_FAILED, ERR_KVS_LOG_DIR */
  static open(directory: LogDirectory, options: LogWriterOptions): LogWriter;
  readonly state: LogWriterState;
  /** What the next record will be numbered. The last written is one less. */
  readonly nextSequence: number;
  /** The last record that survives a power failure, with all before it. What is acknowledged under `always` is up to here. */
  readonly durableSequence: number;
  /** Bytes written to the log since open(), and segments begun, for statistics and for "snapshot when the log has grown". */
  readonly writtenBytes: number;
  readonly segments: number;
  /**
   * Numbers, seals and writes whole records (their bytes are written to: sequence, unsynced, CRC). All or nothing: when it
   * throws NO_SPACE, none counts, and the same bytes are to be appended later. Syncs and begins a new segment first when
   * this one is full, so it may take as long as a sync. The bytes are free for other use when it returns.
   * @param offset a multiple of 8
   * @param bytes of whole records; a ring that wraps appends twice
   * @returns the sequence of the last record: durable once `durableSequence` has reached it
   * @throws KvsError ERR_KVS_NO_SPACE (state `full`), ERR_KVS_LOG_FAILED (state `failed`)
   */
  append(batch: RecordViews, offset: number, bytes: number): number;
  /**
   * Makes all that was appended durable. Does nothing when it is already.
   * @returns durableSequence
   * @throws KvsError ERR_KVS_LOG_FAILED: what was appended since the last sync may be lost or not; it is never tried again
   */
  sync(): number;
  /**
   * After `failed`: begins a new segment, behind a gap. Records of a batch whose append() failed are appended again by the
   * caller (they are results: twice is harmless). Then a snapshot must be taken (SnapshotWriter, begun after this, with
   * S0 >= nextSequence - 1 as it was when this returned), and with its sequence resume() be called. Until then nothing
   * may be acknowledged, sync() returns the old `durableSequence`, and a crash recovers to some point at or behind that.
   * @throws as open(); the state stays `failed`, to be tried again later
   */
  reopen(): void;
  /** After reopen(): the snapshot of that sequence is durable (finish() has returned). @throws RangeError for one that does not cover the gap */
  resume(snapshotSequence: number): void;
  /** Syncs, and marks the end as durable, so that damage to it is told from a torn tail. Idempotent. */
  close(): void;
}
