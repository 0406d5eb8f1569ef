/**
 * Whether somebody serves a region, and for how long it is worth waiting if nobody does: a server that has died may be
 * followed by another, which goes on with the region and all requests in it.
 */
import { performance } from 'node:perf_hooks';

import { CtlHeader, RegionState } from '../memory/layout.js';
import { isServerAlive, type Region, regionState } from '../memory/region.js';
import { load } from '../memory/words.js';

const NEVER = -1;

export class Presence {
  readonly #region: Region;
  readonly #reconnectTimeoutMs: number;
  /** performance.now() when the server was first seen to be gone, and which it was. */
  #aloneSince = NEVER;
  #lastEpoch = 0;

  constructor(region: Region, reconnectTimeoutMs: number) {
    this.#region = region;
    this.#reconnectTimeoutMs = reconnectTimeoutMs;
  }

  /** Whether a server is there, by its lease. */
  get isServing(): boolean {
    return !this.#isOver && isServerAlive(this.#region);
  }

  /** Whether the region has ended, or its server has, and nobody has taken over for `reconnectTimeoutMs` since. */
  get isGone(): boolean {
    if (this.#isOver) return true;
    if (isServerAlive(this.#region)) {
      this.#aloneSince = NEVER;
      return false;
    }
    const now = performance.now();
    // Another one has been there since, though nobody looked.
    const epoch = load(this.#region.ctl.words, CtlHeader.epoch);
    if (this.#aloneSince === NEVER || epoch !== this.#lastEpoch) this.#aloneSince = now;
    this.#lastEpoch = epoch;
    return now - this.#aloneSince >= this.#reconnectTimeoutMs;
  }

  get #isOver(): boolean {
    return regionState(this.#region) === RegionState.stopped;
  }
}
