/** Copies values between a caller's bytes and shared memory. */
import { native } from '../native.js';
import { lengthOf } from './given-bytes.js';

/**
 * From here on the addon is faster than a typed array's set(), which copies shared memory byte by byte unless both sides are
 * equally aligned to 8: 4 KiB in 2.9 instead of 0.4 µs.
 */
const NATIVE_MIN_BYTES = 256;
/** Of such sizes the C library's allocator gives each block's pages back to the kernel, and fresh ones cost more than the copy. */
const POOLED_MIN_BYTES = 128 * 1024;
/** No larger than half of what the pool keeps. */
const POOLED_MAX_BYTES = 16 * 1024 * 1024;

/** Up to here a loop is faster than set(), and the view of its source that it takes. */
const LOOP_MAX_BYTES = 48;

/** Copies the bytes of `source` from `start` to `end` to where `target` has room for them. */
export function copyInto(
  target: Uint8Array,
  offset: number,
  source: Uint8Array,
  start = 0,
  end = lengthOf(source),
): void {
  const bytes = end - start;
  const { prototype } = Uint8Array;
  if (bytes <= LOOP_MAX_BYTES) copyEach(target, offset, source, start, end);
  else if (bytes >= NATIVE_MIN_BYTES) native.copyBytes(target, offset, source, start, bytes);
  // A caller's array may have a set() of its own, which would be handed shared memory.
  else prototype.set.call(target, bytes === lengthOf(source) ? source : source.subarray(start, end), offset);
}

/** The same without allocating anything, where that takes a third longer. */
export function copyLeanly(target: Uint8Array, offset: number, source: Uint8Array, start: number, end: number): void {
  if (end - start <= LOOP_MAX_BYTES) copyEach(target, offset, source, start, end);
  else native.copyBytes(target, offset, source, start, end - start);
}

function copyEach(target: Uint8Array, offset: number, source: Uint8Array, start: number, end: number): void {
  for (let from = start, to = offset; from < end; from++, to++) target[to] = source[from];
}

function roomFor(bytes: number): Buffer {
  if (bytes < POOLED_MIN_BYTES || bytes > POOLED_MAX_BYTES) return Buffer.allocUnsafe(bytes);
  const buffer = native.takeBuffer(bytes);
  return buffer === undefined ? Buffer.allocUnsafe(bytes) : Buffer.from(buffer);
}

/** A private copy of the bytes from `start` to `end`. */
export function copyOf(source: Buffer, start: number, end: number): Buffer {
  const copy = roomFor(end - start);
  copyInto(copy, 0, source, start, end);
  return copy;
}
