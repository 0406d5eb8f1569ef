/** Copies values between a caller's bytes and shared memory. */
import { native, NATIVE_COPY_BYTES } from '../native.js';

/** Copies the bytes of `source` from `start` to `end` to where `target` has room for them. */
export function copyInto(target: Uint8Array, offset: number, source: Uint8Array, start = 0, end = source.length): void {
  const bytes = end - start;
  if (bytes >= NATIVE_COPY_BYTES) native.copyBytes(target, offset, source, start, bytes);
  else target.set(bytes === source.length ? source : source.subarray(start, end), offset);
}

/** A private copy of the bytes from `start` to `end`. */
export function copyOf(source: Buffer, start: number, end: number): Buffer {
  const copy = Buffer.allocUnsafe(end - start);
  copyInto(copy, 0, source, start, end);
  return copy;
}
