/**
 * Which segment of the log the server of a region has begun last. If the files end with another one, another server has
 * written to them since, and the region is not the newest state of its store any more.
 */
import type { Geometry } from '../memory/layout.js';
import { LogControl } from '../memory/log-layout.js';
import { load, store } from '../memory/words.js';
import type { SegmentObserver } from '../log/segment-file.js';

export class SegmentNotes implements SegmentObserver {
  readonly #words: Int32Array;
  readonly #begun: number;
  readonly #named: number;

  constructor(words: Int32Array, { logControlOffset }: Geometry) {
    this.#words = words;
    this.#begun = logControlOffset / 4 + LogControl.segmentBegun;
    this.#named = logControlOffset / 4 + LogControl.segmentNamed;
  }

  begun(salt: number): void {
    store(this.#words, this.#begun, salt | 0);
  }

  named(salt: number): void {
    store(this.#words, this.#named, salt | 0);
  }

  /** Whether the segment with this salt is the last one, or the one before it: who died may not have named the last. */
  isOwn(salt: number): boolean {
    return [this.#begun, this.#named].some((at) => load(this.#words, at) === (salt | 0));
  }
}
