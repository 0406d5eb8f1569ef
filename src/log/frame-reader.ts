/**
 * Reads a file of frames (native.sealFrames) front to back through one buffer. Unread bytes are `start` to `end` of `views`;
 * `start` is always a multiple of 8, because frames are read from a multiple of 8 and their lengths are such.
 */
import { native } from '../native.js';
import type { FileLayer } from './file-layer.js';
import { createRecordViews, type RecordViews } from './record.js';

export const READ_BUFFER_BYTES = 4 * 2 ** 20;
const FRAME_HEADER_BYTES = 8;

export class FrameReader {
  views: RecordViews;
  start = 0;
  end = 0;
  readonly #layer: FileLayer;
  readonly #fd: number;
  /** Where in the file the byte behind `end` is. */
  #position: number;
  readonly #fileBytes: number;

  /** @param views a buffer to use; a larger one takes its place where a frame needs it */
  constructor(layer: FileLayer, fd: number, position: number, fileBytes: number, views: RecordViews) {
    this.#layer = layer;
    this.#fd = fd;
    this.#position = position;
    this.#fileBytes = fileBytes;
    this.views = views;
  }

  /** Where in the file `start` is. */
  get offset(): number {
    return this.#position - (this.end - this.start);
  }

  /** Bytes of the frame at `start` as it says itself, 0: not known. */
  get #frameBytes(): number {
    return this.end - this.start < FRAME_HEADER_BYTES ? 0 : this.views.words[(this.start >> 2) + 1] >>> 0;
  }

  /**
   * Reads on until there are sound frames at `start`.
   * @param seed of their CRCs
   * @param maxBytes of a frame; what says to be longer is not read
   * @returns how many bytes of whole frames with a right CRC follow; 0: the file ends here, or what follows is no such frame
   */
  sound(seed: number, maxBytes: number): number {
    for (;;) {
      const sound = native.soundFrames(this.views.bytes, this.start, this.end - this.start, seed);
      if (sound > 0) return sound;
      if (!this.#fill(maxBytes)) return 0;
    }
  }

  /** The same without a look at CRCs, for what was looked at before: bytes up to `end` or the last whole frame before it. */
  whole(maxBytes: number): number {
    for (;;) {
      const { words } = this.views;
      let at = this.start;
      while (this.end - at >= FRAME_HEADER_BYTES) {
        const bytes = words[(at >> 2) + 1] >>> 0;
        if (bytes < FRAME_HEADER_BYTES || bytes > this.end - at) break;
        at += bytes;
      }
      if (at > this.start) return at - this.start;
      if (!this.#fill(maxBytes)) return 0;
    }
  }

  /** @returns false when more would be of no use: the frame at `start` is all here, or impossible, or the file ends */
  #fill(maxBytes: number): boolean {
    const frame = this.#frameBytes;
    const unread = this.end - this.start;
    if (unread >= FRAME_HEADER_BYTES && (frame < FRAME_HEADER_BYTES || frame <= unread || frame > maxBytes))
      return false;
    if (this.#position >= this.#fileBytes) return false;
    this.#makeRoom(frame);
    const room = Math.min(this.views.bytes.length - this.end, this.#fileBytes - this.#position);
    const read = this.#layer.read(this.#fd, this.views.bytes, this.end, room, this.#position);
    this.end += read;
    this.#position += read;
    return read > 0;
  }

  #makeRoom(frame: number): void {
    const { bytes } = this.views;
    if (frame > bytes.length) {
      const larger = createRecordViews(frame);
      larger.bytes.set(bytes.subarray(this.start, this.end));
      this.views = larger;
    } else {
      bytes.copyWithin(0, this.start, this.end);
    }
    this.end -= this.start;
    this.start = 0;
  }
}
