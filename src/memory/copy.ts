/** Copies between segments. Offsets are in bytes and multiples of 4; both areas have room up to the next multiple of 4. */
import { native } from '../native.js';
import type { SegmentViews } from './segment.js';

/** Up to here a loop over words beats a call into the addon. */
const WORD_COPY_MAX_BYTES = 512;
/** What is as large as this would drive everything else out of the caches, and is seldom read at once by many. */
const PAST_CACHES_BYTES = 128 * 1024;

/** @param keeps whether the copy is to be read soon (by the log, say), however large it is */
export function copyBytes(
  from: SegmentViews,
  fromByte: number,
  to: SegmentViews,
  toByte: number,
  bytes: number,
  keeps = true,
): void {
  if (bytes > WORD_COPY_MAX_BYTES) {
    native.copyBytes(to.bytes, toByte, from.bytes, fromByte, bytes, !keeps && bytes >= PAST_CACHES_BYTES);
    return;
  }
  const source = from.words;
  const target = to.words;
  const first = fromByte / 4;
  const shift = toByte / 4 - first;
  const end = first + ((bytes + 3) >> 2);
  for (let word = first; word < end; word++) target[word + shift] = source[word];
}
