/** Copies between segments. Offsets are in bytes and multiples of 4; both areas have room up to the next multiple of 4. */
import type { SegmentViews } from './segment.js';

/** Above this a memcpy pays for the view objects it needs. */
const WORD_COPY_MAX_BYTES = 512;

export const pad4 = (bytes: number): number => (bytes + 3) & ~3;

export function copyBytes(from: SegmentViews, fromByte: number, to: SegmentViews, toByte: number, bytes: number): void {
  if (bytes > WORD_COPY_MAX_BYTES) {
    to.bytes.set(from.bytes.subarray(fromByte, fromByte + bytes), toByte);
    return;
  }
  const source = from.words;
  const target = to.words;
  const first = fromByte / 4;
  const shift = toByte / 4 - first;
  const end = first + ((bytes + 3) >> 2);
  for (let word = first; word < end; word++) target[word + shift] = source[word];
}
