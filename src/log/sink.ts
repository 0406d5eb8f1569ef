/** Who takes what a recovery finds, and what it reports. Offsets are into buffers that are used again after the call. */
import type { HashSeed } from './header.js';
import type { RecordViews } from './record.js';

/**
 * Called in order: entries of the snapshot as puts, then records of the log. A later call overrides an earlier one of the
 * same key, whatever the versions: the log's order is the order of effect. Entries that have expired are passed on all the
 * same. If recover() throws, what the sink was given is worth nothing.
 */
export interface RecoverySink {
  /**
   * Before all.
   * @param highestVersion that the files name, 0: none
   * @param hashSeed entries of a snapshot follow, in the order of the buckets that their keys have with it
   */
  begin?(highestVersion: number, hashSeed: HashSeed | undefined): void;
  /** Key at byte `keyOffset` (a multiple of 8 in the log and of 4 in snapshots), value at `valueOffset` (a multiple of 4). */
  put(
    source: RecordViews,
    keyOffset: number,
    keyBytes: number,
    valueOffset: number,
    valueBytes: number,
    codec: number,
    flags: number,
    version: number,
    expiresAtMs: number,
  ): void;
  remove(source: RecordViews, keyOffset: number, keyBytes: number, version: number): void;
}

/** A torn tail: what was being written when the machine or the process stopped, and nobody was told of. */
export interface TornTail {
  readonly file: string;
  /** Where it began, in bytes. */
  readonly offset: number;
  /** How many bytes were cut off, of this file and of files behind it that were removed. */
  readonly bytes: number;
}

export interface RecoveryReport {
  /** Identity of the store that the files belong to, 16 hex digits; undefined: the directory was empty. */
  readonly storeId: string | undefined;
  /** The snapshot that was used. */
  readonly snapshot: { readonly file: string; readonly sequence: number; readonly entries: number } | undefined;
  /** Snapshots that were newer and would not do, and why. */
  readonly passedOver: readonly { readonly file: string; readonly reason: string }[];
  /** Records of the log that were given to the sink. */
  readonly records: number;
  /** The last sequence of snapshot and log, 0: none. The next record gets the one after it. */
  readonly lastSequence: number;
  /** The highest version seen, 0: none. */
  readonly highestVersion: number;
  readonly torn: TornTail | undefined;
}

export interface RecoverOptions {
  /**
   * Give only records behind this sequence and no snapshot: for a store that survived in memory with the effects of all
   * up to there. Default: everything. ERR_KVS_LOG_DAMAGED if the log does not reach back that far.
   */
  readonly after?: number | undefined;
  /** Bytes of the read buffer; it grows for larger records. Default 4 MiB. */
  readonly bufferBytes?: number | undefined;
}
