/**
 * Keeps what only the server writes in the ctl header as the server wrote it. Any client can overwrite it: then nobody
 * could attach any more, and with a state of garbage all would take the server for stopped. What counts is noted where
 * clients cannot write, for the next server (memory/header-copy.ts).
 */
import { noteHeader, noteState } from '../memory/header-copy.js';
import { CtlHeader, DataHeader, type RegionState } from '../memory/layout.js';
import { describeRegion } from '../memory/region-files.js';
import type { OwnedRegion } from '../memory/region.js';
import { type SegmentViews, viewsOf } from '../memory/segment.js';
import { load, store } from '../memory/words.js';

type State = (typeof RegionState)[keyof typeof RegionState];
type Guarded = Pick<OwnedRegion, 'ctl' | 'data' | 'geometry'>;

export class HeaderGuard {
  readonly #words: Int32Array;
  readonly #data: SegmentViews;
  /** What opens the segment, up to the state. */
  readonly #static: Int32Array;
  #state: State | undefined;

  constructor(region: Guarded) {
    this.#words = region.ctl.words;
    this.#data = region.data;
    this.#static = headerOf(region);
    this.mend();
    noteHeader(this.#data, this.#static);
  }

  enter(state: State): void {
    this.#state = state;
    // First: a server that dies in between is followed by one that goes by this.
    noteState(this.#data, state);
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

/** As it is now, but for what the region depends on: clients may have overwritten it while nobody looked. */
function headerOf({ ctl, data, geometry }: Guarded): Int32Array {
  const header = viewsOf(new SharedArrayBuffer(CtlHeader.sizeBytes));
  const { words } = header;
  words.set(ctl.words.subarray(0, CtlHeader.state));
  describeRegion(header, geometry);
  words[CtlHeader.serverPid] = process.pid;
  words.set(data.words.subarray(DataHeader.regionId, DataHeader.regionId + 2), CtlHeader.regionId);
  return words.slice(0, CtlHeader.state);
}
