/** A segment that is being written: `log-<first sequence>.kvl`. */
import { join } from 'node:path';

import { native } from '../native.js';
import type { LogDirectory } from './directory.js';
import { isNoSpace } from './failure.js';
import { type FileLayer, writeAll } from './file-layer.js';
import { encodeHeader, type Header, HEADER_BYTES, randomSalt } from './header.js';
import { segmentName, unfinishedSegmentName } from './names.js';
import type { RecordViews } from './record.js';

/**
 * Whenever so much more is written, the kernel is told that it need not keep it: a log is not read before it is recovered.
 * So a sync has little left to write, and what is written next goes into memory that is in use already; new memory may be
 * dear (a virtual machine has to ask its host for it, 14 us for 4 KiB).
 */
const DROP_BYTES = 256 * 1024;
const PAGE_BYTES = 4096;

/** Is told of each segment, by its salt: durable, but without a name yet; then that it has its name, durably. */
export interface SegmentObserver {
  begun(salt: number): void;
  named(salt: number): void;
}

/** Errors are the system's own. */
export class SegmentFile {
  readonly path: string;
  /** Of its whole records. */
  bytes = HEADER_BYTES;
  readonly #layer: FileLayer;
  readonly #fd: number;
  readonly #salt = randomSalt();
  /** Up to here the disk was told to write it. */
  #handedBytes = 0;
  /** The same the time before: that is written by now, as a rule. */
  #writtenBytes = 0;
  #roomBytes: number;
  /** Up to here the file has zeros. */
  #roomEnd = 0;

  /**
   * Creates it. It gets its name when its header is durable, so a segment without a sound header can only be damage; and
   * its name is durable when this returns. One of the same number has no records: this takes its place.
   * @param parts of its header
   * @param roomBytes zeros are written ahead in steps of so many; 0: none are
   */
  constructor(
    { path, layer }: LogDirectory,
    parts: Pick<Header, 'storeId' | 'sequence' | 'durableSequence' | 'highestVersion'>,
    roomBytes: number,
    observer?: SegmentObserver,
  ) {
    this.#roomBytes = roomBytes;
    this.path = join(path, segmentName(parts.sequence));
    this.#layer = layer;
    const unfinished = join(path, unfinishedSegmentName(parts.sequence));
    this.#fd = layer.open(unfinished, 'open');
    try {
      layer.truncate(this.#fd, 0);
      const header = { ...parts, hasRoom: roomBytes > 0, createdMs: Date.now(), salt: this.#salt };
      writeAll(layer, this.#fd, encodeHeader('segment', header), 0, HEADER_BYTES, 0);
      layer.fdatasync(this.#fd);
      observer?.begun(this.#salt);
      layer.rename(unfinished, this.path);
      layer.syncDirectory(path);
      observer?.named(this.#salt);
    } catch (error) {
      this.#remove(unfinished);
      throw error;
    }
  }

  /** Writes numbered records behind the others. When it throws, there may be part of them: takeBack(). */
  append({ bytes: source }: RecordViews, offset: number, bytes: number): void {
    native.sealFrames(source, offset, bytes, this.#salt);
    writeAll(this.#layer, this.#fd, source, offset, bytes, this.bytes);
    this.bytes += bytes;
    if (this.#roomBytes > 0 && this.bytes > this.#roomEnd) this.#makeRoom();
    this.#dropBehind();
  }

  #dropBehind(): void {
    // Of the last page more is to come.
    const end = this.bytes - (this.bytes % PAGE_BYTES);
    if (end - this.#handedBytes < DROP_BYTES) return;
    this.#layer.dropBehind(this.#fd, this.#handedBytes, end, this.#writtenBytes);
    this.#writtenBytes = this.#handedBytes;
    this.#handedBytes = end;
  }

  /** What is written over zeros changes neither the file's length nor where its blocks are: a sync has no more to write. */
  #makeRoom(): void {
    try {
      writeAll(this.#layer, this.#fd, new Uint8Array(this.#roomBytes), 0, this.#roomBytes, this.bytes);
      this.#roomEnd = this.bytes + this.#roomBytes;
    } catch (error) {
      // The records are there, and others may fit.
      if (!isNoSpace(error)) throw error;
      this.#roomBytes = 0;
    }
  }

  /** Cuts off what a failed append() has left, durably: nobody finds records later that were refused. */
  takeBack(): void {
    this.#layer.truncate(this.#fd, this.bytes);
    this.#roomEnd = this.bytes;
    this.#layer.fdatasync(this.#fd);
  }

  sync(): void {
    this.#layer.fdatasync(this.#fd);
  }

  /** Whoever closes a log for good leaves no room in it. */
  close(): void {
    try {
      if (this.#roomEnd > this.bytes) this.#layer.truncate(this.#fd, this.bytes);
    } catch {
      // A recovery knows it for what it is.
    } finally {
      this.#layer.close(this.#fd);
    }
  }

  #remove(unfinished: string): void {
    try {
      this.close();
      this.#layer.unlink(unfinished);
    } catch {
      // The next attempt writes over it, or a recovery removes it.
    }
  }
}
