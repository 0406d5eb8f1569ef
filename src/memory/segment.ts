/**
 * One mapped segment and the typed views through which everything else reads and writes it.
 * Offsets in bytes; `words` and `floats` are indexed by byte offset / 4 and / 8.
 */
import { type MappedViews, native } from '../native.js';
import { PINS_PER_CLIENT } from './heap-layout.js';

export interface SegmentViews {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly floats: Float64Array;
  readonly bytes: Buffer;
}

/** Views over a whole segment; its length must be a multiple of 8. */
export function viewsOf(buffer: SharedArrayBuffer): SegmentViews {
  return {
    buffer,
    words: new Int32Array(buffer),
    floats: new Float64Array(buffer),
    bytes: Buffer.from(buffer as unknown as ArrayBuffer),
  };
}

/** Maps a segment for views of parts of it. @returns undefined where the system refuses: parts are copied instead */
export function mapViews(fd: number, bytes: number): MappedViews | undefined {
  try {
    return native.mapViews(fd, bytes, PINS_PER_CLIENT);
  } catch {
    // No address space, or too many mappings.
    return undefined;
  }
}
