/**
 * Keeps what only the server writes in the ctl header as the server wrote it. Any client can overwrite it: then nobody
 * could attach any more, and with a state of garbage all would take the server for stopped.
 */
import { CtlHeader, type RegionState } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { load, store } from '../memory/words.js';

type State = (typeof RegionState)[keyof typeof RegionState];

export class HeaderGuard {
  readonly #words: Int32Array;
  /** What opens the segment, up to the state. */
  readonly #static: Int32Array;
  #state: State | undefined;

  constructor(ctl: SegmentViews) {
    this.#words = ctl.words;
    this.#static = Int32Array.from(ctl.words.subarray(0, CtlHeader.state));
  }

  enter(state: State): void {
    this.#state = state;
    store(this.#words, CtlHeader.state, state);
  }

  /** Writes again what others have overwritten. */
  mend(): void {
    for (const [index, word] of this.#static.entries()) {
      if (load(this.#words, index) !== word) store(this.#words, index, word);
    }
    if (this.#state !== undefined && load(this.#words, CtlHeader.state) !== this.#state) this.enter(this.#state);
  }
}
