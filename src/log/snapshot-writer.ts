/**
 * Writes a snapshot: entries as they are found while writers go on. It holds together with the log from its `sequence`
 * (S0) up to `lastSequence` (S1): replaying S0 + 1 … S1 over it yields the state at S1, whichever version of an entry was
 * met, because records are results and the log has each key's in the order of effect.
 */
import type { LogDirectory } from './directory.js';
import type { RecordViews } from './record.js';

export interface SnapshotWriterOptions {
  readonly storeId: string;
  /**
   * S0: every effect up to this sequence is in the store before the first entry is looked at. Read it (nextSequence - 1 of
   * the log writer, with all records of finished operations in the log, or a lower one) before the walk begins.
   */
  readonly sequence: number;
  /** Entries are gathered to blocks of about this size, each under a CRC. Default 256 KiB. */
  readonly blockBytes?: number | undefined;
}

export declare class SnapshotWriter {
  /** Begins `snapshot-<sequence>.kvs.tmp`. @throws KvsError ERR_KVS_NO_SPACE, ERR_KVS_LOG_DIR, ERR_KVS_LOG_FAILED */
  static begin(directory: LogDirectory, options: SnapshotWriterOptions): SnapshotWriter;
  readonly entries: number;
  readonly writtenBytes: number;
  /**
   * Makes room for an entry in the block and writes its header; the caller copies key and value to `entryViews` at
   * `keyOffset` and `valueOffset` (multiples of 4, room for whole words) before the next call.
   * @throws KvsError ERR_KVS_NO_SPACE, ERR_KVS_LOG_FAILED: the snapshot is to be aborted; the log goes on
   */
  add(keyBytes: number, valueBytes: number, codec: number, flags: number, version: number, expiresAtMs: number): void;
  readonly entryViews: RecordViews;
  readonly keyOffset: number;
  readonly valueOffset: number;
  /**
   * Makes the snapshot durable under its name, then removes snapshots and segments that are no longer needed.
   * @param lastSequence S1: at least the sequence of every effect that an entry may show. The log must be durable up to
   *   there already (LogWriter.durableSequence >= lastSequence), or recovery cannot use the snapshot.
   * @param keep how many snapshots to keep, with the log behind the oldest of them. Default 2.
   * @throws as add(); nothing was removed then
   */
  finish(lastSequence: number, keep?: number): SnapshotResult;
  /** Removes what was written. Idempotent, and nothing after finish(). */
  abort(): void;
}

export interface SnapshotResult {
  readonly file: string;
  readonly entries: number;
  readonly bytes: number;
  /** Names of files that were removed. */
  readonly removed: readonly string[];
}
