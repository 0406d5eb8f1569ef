/**
 * Typed interface of the C++ addon, and its only loader.
 * The addon knows bytes and file descriptors, never slots or keys. Every failing call throws an Error with
 * `code` ('ENOSPC'), `errno` (positive number) and `syscall` ('posix_fallocate').
 */
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

import { KvsError } from './errors.js';

/** An event-loop wake-up: watches one file descriptor (a FIFO opened O_RDWR | O_NONBLOCK) for readability. */
export interface Doorbell {
  /** Keep the event loop alive while waiting. A new doorbell is unref'd. Idempotent. */
  ref(): void;
  unref(): void;
  /** Stops watching and closes the descriptor. Idempotent; also done at environment teardown. */
  close(): void;
}

/** A mapping for views, and the views that are open; unmapped when it and all buffers over it are collected. */
export type MappedViews = object;

export interface NativeAddon {
  /**
   * Creates an unnamed file in `directory` (O_TMPFILE: nothing is left behind if we die), reserves all its pages
   * (posix_fallocate: no SIGBUS later) and maps it shared, read-write. With `hugePages` in pages of 2 MiB, as far as the
   * kernel has them (Linux 6.1: MADV_COLLAPSE).
   */
  createSegment(
    directory: string,
    bytes: number,
    mode: number,
    hugePages?: boolean,
  ): { fd: number; buffer: SharedArrayBuffer };
  /** Closes what createSegment() has opened; the mapping stays. node:fs must not: see watchDoorbell(). */
  closeSegment(fd: number): void;
  /** Gives the unnamed file a name (linkat). Throws EEXIST if the name is taken. */
  linkSegment(fd: number, path: string): void;
  /**
   * Maps `bytes` of an open segment. A process maps one file once per access mode: later calls share the mapping.
   * Unmapped when the last SharedArrayBuffer over it is collected. Writing to a read-only mapping is a SIGSEGV.
   */
  mapSegment(fd: number, bytes: number, writable: boolean): SharedArrayBuffer;

  /**
   * Maps `bytes` of an open segment for up to `count` open views of the calling thread. Throws where the kernel refuses,
   * or in a Node without the means.
   */
  mapViews(fd: number, bytes: number, count: number): MappedViews;
  /**
   * An ArrayBuffer over part of the segment, without a copy; open until it is closed by its index. A write to it changes
   * a private copy of its page and reaches nobody else (the first view installs a handler of SIGSEGV for that), and is
   * taken back when another is opened. The caller must not let that part change while it is open.
   */
  openView(views: MappedViews, index: number, offset: number, bytes: number): ArrayBuffer;
  /**
   * Detaches the buffer: whoever still holds it, or arrays over it, finds nothing there. Idempotent.
   * @returns false: it had been transferred away, to somebody who may still look at it
   */
  closeView(views: MappedViews, index: number): boolean;
  /** The same for any buffer. */
  detachBuffer(buffer: ArrayBuffer): void;

  /**
   * Sleeps on a 32-bit word (shared futex) while it equals `expected`, at most `timeoutMs` (fractions count).
   * @returns 0 woken, 1 the word differed, 2 timed out (3 interrupted by a signal)
   */
  futexWait(words: Int32Array, index: number, expected: number, timeoutMs: number): 0 | 1 | 2 | 3;
  /** Wakes at most `count` sleepers on the word, in any process. @returns how many were woken */
  futexWake(words: Int32Array, index: number, count: number): number;
  /** Lets another thread run that wants this CPU, if there is one (sched_yield). */
  yieldCpu(): void;
  /**
   * Moves the calling thread to another CPU, whichever the kernel chooses (sched_setaffinity, undone at once).
   * @param cpus how many the host has; 0: not known
   * @returns false: there is no other, or this thread may not run on all of them, as somebody has decided
   */
  leaveCpu(cpus: number): boolean;

  /**
   * An ArrayBuffer of so many bytes (1 to 2^30; it pays from 128 KiB on), whatever they hold, over pages that this process has
   * used before. When nobody has the buffer any more, the pages are kept for the next: up to 32 MiB, and 96 more that the
   * kernel may take back. undefined: the kernel has none, or this Node not the means.
   */
  takeBuffer(bytes: number): ArrayBuffer | undefined;
  /**
   * Copies `length` bytes from one array to another, shared or not; they may overlap. `pastCaches`: nobody will look at
   * the target soon. @throws RangeError unless all of it is within both
   */
  copyBytes(
    target: Uint8Array,
    targetOffset: number,
    source: Uint8Array,
    sourceOffset: number,
    length: number,
    pastCaches?: boolean,
  ): void;

  /** How far the wall clock is behind its last whole millisecond, which Date.now() tells: 0 to 1. */
  wallFraction(): number;

  /** Takes the exclusive OFD lock on one byte without waiting. @returns false if another open file holds it */
  tryLockByte(fd: number, byte: number): boolean;
  unlockByte(fd: number, byte: number): void;
  /** @returns whether another open file description holds a lock on the byte */
  isByteLocked(fd: number, byte: number): boolean;
  /** Locks a directory by itself, as a byte of a file. @throws a system error, also where the file system cannot do that */
  tryLockDirectory(fd: number): boolean;

  /**
   * A hint that nobody will read the first `end` bytes of a file soon. The kernel begins to write those from `start` on
   * (sync_file_range), which may wait for room in the disk's queue, but not for the disk; and frees the memory of the
   * first `written`, as far as they are on the disk (POSIX_FADV_DONTNEED). In this order: written <= start <= end.
   */
  dropBehind(fd: number, start: number, end: number, written: number): void;

  /** mkfifo with exactly this mode; an existing FIFO of our user is fine, anything else throws EEXIST. */
  makeFifo(path: string, mode: number): void;
  /**
   * Watches the FIFO `fd` on this thread's event loop, by a descriptor of its own; `onRing` runs once per batch of rings.
   * (Node counts the descriptors of each worker thread, and closes what it thinks is left when the thread ends: whoever
   * has opened one must close it.)
   */
  watchDoorbell(fd: number, onRing: () => void): Doorbell;
  /** Writes one byte to a FIFO opened O_WRONLY | O_NONBLOCK. A full pipe counts as rung. @returns false if nobody reads */
  ringDoorbell(fd: number): boolean;

  /**
   * CRC32C of a stretch of bytes. `seed`: that of what came before it, default 0.
   * @param byTables as where the processor has no instruction for it; for tests
   */
  crc32c(bytes: Uint8Array, offset: number, length: number, seed?: number, byTables?: boolean): number;
  /**
   * Puts the CRC into each of the frames that the stretch consists of: u32 CRC32C of all behind it, u32 length of the whole
   * frame, content. Little-endian. @throws RangeError unless they are whole
   */
  sealFrames(bytes: Uint8Array, offset: number, length: number, seed?: number): void;
  /** @returns how many bytes of the stretch, from its start, are whole frames with the right CRC */
  soundFrames(bytes: Uint8Array, offset: number, length: number, seed?: number): number;
}

function load(): NativeAddon {
  const require = createRequire(import.meta.url);
  const root = fileURLToPath(new URL('..', import.meta.url));
  try {
    return (require('node-gyp-build') as (dir: string) => NativeAddon)(root);
  } catch (cause) {
    throw new KvsError(
      'ERR_KVS_NATIVE',
      `the native addon of shm-kvs could not be loaded on ${process.platform}-${process.arch}, Node ${process.version}; ` +
        'shm-kvs runs on Linux with a prebuilt addon or one built by `npm run build:native`',
      { cause },
    );
  }
}

export const native: NativeAddon = load();
