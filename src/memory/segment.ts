/**
 * One mapped segment and the typed views through which everything else reads and writes it.
 * Offsets in bytes; `words` and `floats` are indexed by byte offset / 4 and / 8.
 */
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
