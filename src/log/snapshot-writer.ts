/**
 * Writes a snapshot: entries as they are found while writers go on. It holds together with the log from its `sequence`
 * (S0) up to `lastSequence` (S1): replaying S0 + 1 … S1 over it yields the state at S1, whichever version of an entry was
 * met, because records are results and the log has each key's in the order of effect.
 */
import { join } from 'node:path';

import { pad4 } from '../alignment.js';
import { native } from '../native.js';
import type { LogDirectory } from './directory.js';
import { logError } from './failure.js';
import { type FileLayer, writeAll } from './file-layer.js';
import { encodeHeader, type HashSeed, HEADER_BYTES, randomSalt } from './header.js';
import { snapshotName, unfinishedSnapshotName } from './names.js';
import { pruneLog } from './prune.js';
import { createRecordViews, type RecordViews } from './record.js';
import {
  BLOCK_HEADER_BYTES,
  BlockField,
  entryBytes,
  ENTRY_HEADER_BYTES,
  EntryField,
  FOOTER_BYTES,
  FOOTER_MARK,
  FooterField,
} from './snapshot-format.js';

export interface SnapshotWriterOptions {
  readonly storeId: string;
  /**
   * S0: every effect up to this sequence is in the store before the first entry is looked at. Read it (nextSequence - 1 of
   * the log writer, with all records of finished operations in the log, or a lower one) before the walk begins.
   */
  readonly sequence: number;
  /** Entries are added in the order of the buckets that their keys have with this seed. Default: in any order. */
  readonly hashSeed?: HashSeed | undefined;
  /** Entries are gathered to blocks of about this size, each under a CRC. Default 256 KiB. */
  readonly blockBytes?: number | undefined;
}

export interface SnapshotResult {
  readonly file: string;
  readonly entries: number;
  readonly bytes: number;
  /** Names of files that were removed. */
  readonly removed: readonly string[];
  /** What kept others from being removed, if anything did: the snapshot counts all the same. */
  readonly pruneError: unknown;
}

const DEFAULT_BLOCK_BYTES = 256 * 1024;
const DEFAULT_KEEP = 2;

export class SnapshotWriter {
  /** How many entries were added. */
  entries = 0;
  writtenBytes = 0;
  /** Where add() made room: key and value go here at `keyOffset` and `valueOffset`. Another object after each add(). */
  entryViews: RecordViews;
  keyOffset = 0;
  valueOffset = 0;
  readonly #directory: LogDirectory;
  readonly #layer: FileLayer;
  readonly #sequence: number;
  readonly #salt = randomSalt();
  readonly #path: string;
  #fd: number | undefined;
  #isDone = false;
  /** Bytes of the block so far. */
  #used = BLOCK_HEADER_BYTES;
  #blockEntries = 0;
  #blocks = 0;
  #highestVersion = 0;

  private constructor(directory: LogDirectory, { sequence, blockBytes = DEFAULT_BLOCK_BYTES }: SnapshotWriterOptions) {
    this.#directory = directory;
    this.#layer = directory.layer;
    this.#sequence = sequence;
    this.#path = join(directory.path, unfinishedSnapshotName(sequence));
    this.entryViews = createRecordViews(blockBytes);
  }

  /** Begins `snapshot-<sequence>.kvs.tmp`. @throws KvsError ERR_KVS_NO_SPACE, ERR_KVS_LOG_DIR, ERR_KVS_LOG_FAILED */
  static begin(directory: LogDirectory, options: SnapshotWriterOptions): SnapshotWriter {
    const writer = new SnapshotWriter(directory, options);
    writer.#try('create', () => {
      // One that an aborted snapshot could not remove.
      const fd = writer.#layer.open(writer.#path, 'open');
      writer.#fd = fd;
      writer.#layer.truncate(fd, 0);
    });
    const { storeId, sequence, hashSeed } = options;
    const header = { storeId, sequence, hashSeed, createdMs: Date.now(), durableSequence: 0, salt: writer.#salt };
    writer.#write(encodeHeader('snapshot', header), HEADER_BYTES);
    return writer;
  }

  /**
   * Makes room for an entry in the block and writes its header; the caller copies key and value to `entryViews` at
   * `keyOffset` and `valueOffset` (multiples of 4, room for whole words) before the next call.
   * @param expiresAtMs wall clock, 0: never
   * @throws KvsError ERR_KVS_NO_SPACE, ERR_KVS_LOG_FAILED: the snapshot is to be aborted; the log goes on
   */
  add(keyBytes: number, valueBytes: number, codec: number, flags: number, version: number, expiresAtMs: number): void {
    const bytes = entryBytes(keyBytes, valueBytes);
    if (this.#used + bytes > this.entryViews.bytes.length) this.#makeRoom(bytes);
    const { words, floats } = this.entryViews;
    const at = this.#used;
    const word = at >> 2;
    const float = at >> 3;
    words[word + EntryField.bytes] = bytes;
    words[word + EntryField.shape] = flags | (codec << 16);
    floats[float + EntryField.version] = version;
    floats[float + EntryField.expiresAtMs] = expiresAtMs;
    words[word + EntryField.keyBytes] = keyBytes;
    words[word + EntryField.valueBytes] = valueBytes;
    this.keyOffset = at + ENTRY_HEADER_BYTES;
    this.valueOffset = this.keyOffset + pad4(keyBytes);
    this.#used += bytes;
    this.#blockEntries++;
    this.entries++;
    this.raiseVersion(version);
  }

  /** The footer says that versions up to this one have been given out, also to entries that are gone. */
  raiseVersion(version: number): void {
    if (version > this.#highestVersion) this.#highestVersion = version;
  }

  /**
   * Makes the snapshot durable under its name, then removes snapshots and segments that are no longer needed.
   * @param lastSequence S1: at least the sequence of every effect that an entry may show. The log must be durable up to
   *   there already (LogWriter.syncedSequence >= lastSequence), or recovery cannot use the snapshot.
   * @param keep how many snapshots to keep, with the log behind the oldest of them. Default 2.
   * @throws as add(), and RangeError for S1 < S0; nothing was removed then
   */
  finish(lastSequence: number, keep = DEFAULT_KEEP): SnapshotResult {
    if (!(lastSequence >= this.#sequence)) {
      throw new RangeError(`lastSequence: expected at least ${this.#sequence}, got ${lastSequence}`);
    }
    this.#flush();
    this.#writeFooter(lastSequence);
    const file = join(this.#directory.path, snapshotName(this.#sequence));
    this.#try('make durable', () => {
      this.#layer.fdatasync(this.#fd!);
      this.#close();
      this.#layer.rename(this.#path, file);
      this.#isDone = true;
      this.#layer.syncDirectory(this.#directory.path);
    });
    return { file, entries: this.entries, bytes: this.writtenBytes, ...this.#prune(keep) };
  }

  /** Removes what was written. Idempotent, and nothing after finish(). */
  abort(): void {
    if (this.#isDone) return;
    this.#isDone = true;
    try {
      this.#close();
      this.#layer.unlink(this.#path);
    } catch {
      // The next recovery removes it, and the next snapshot of that number writes over it.
    }
  }

  #close(): void {
    const fd = this.#fd;
    this.#fd = undefined;
    if (fd !== undefined) this.#layer.close(fd);
  }

  #prune(keep: number): { removed: readonly string[]; pruneError: unknown } {
    const removed: string[] = [];
    try {
      pruneLog(this.#directory, keep, removed);
      return { removed, pruneError: undefined };
    } catch (pruneError) {
      return { removed, pruneError };
    }
  }

  #makeRoom(bytes: number): void {
    this.#flush();
    const needed = BLOCK_HEADER_BYTES + bytes;
    if (needed > this.entryViews.bytes.length) this.entryViews = createRecordViews(needed);
  }

  #flush(): void {
    if (this.#blockEntries === 0) return;
    const { words, bytes } = this.entryViews;
    words[BlockField.bytes] = this.#used;
    words[BlockField.index] = this.#blocks++;
    words[BlockField.entries] = this.#blockEntries;
    native.sealFrames(bytes, 0, this.#used, this.#salt);
    this.#write(bytes, this.#used);
    this.#used = BLOCK_HEADER_BYTES;
    this.#blockEntries = 0;
  }

  #writeFooter(lastSequence: number): void {
    const { words, floats, bytes } = createRecordViews(FOOTER_BYTES);
    words[BlockField.bytes] = FOOTER_BYTES;
    words[BlockField.index] = this.#blocks;
    words[BlockField.entries] = FOOTER_MARK;
    floats[FooterField.entries] = this.entries;
    floats[FooterField.lastSequence] = lastSequence;
    floats[FooterField.finishedMs] = Date.now();
    floats[FooterField.highestVersion] = this.#highestVersion;
    native.sealFrames(bytes, 0, FOOTER_BYTES, this.#salt);
    this.#write(bytes, FOOTER_BYTES);
  }

  #write(bytes: Uint8Array, length: number): void {
    this.#try('write', () => writeAll(this.#layer, this.#fd!, bytes, 0, length, this.writtenBytes));
    this.writtenBytes += length;
  }

  #try(doing: string, access: () => void): void {
    if (this.#isDone) throw new Error('this snapshot was finished or aborted');
    try {
      access();
    } catch (error) {
      this.abort();
      throw logError(error, doing, this.#path);
    }
  }
}
