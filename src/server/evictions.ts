/**
 * Eviction as the server's main thread sees it: decides that there is any, and passes on what was evicted to whoever
 * listens. While nobody does, workers note nothing.
 */
import { kindOf } from '../errors.js';
import { CtlHeader, EvictionPolicy, type Geometry } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { EvictionState } from '../store/eviction-state.js';
import { tellListener } from './listeners.js';

/** Keys that were evicted to make room. */
export interface EvictedKeys {
  /** In the order in which a worker thread evicted them. */
  readonly keys: readonly Buffer[];
  /** How many more were evicted and are not listed, because so many were waiting to be heard of already. */
  readonly dropped: number;
}

export type EvictListener = (evicted: EvictedKeys) => void;

export class Evictions {
  /** For the worker threads; undefined: nothing is evicted. */
  readonly buffer: SharedArrayBuffer | undefined;
  readonly #state: EvictionState | undefined;
  readonly #listeners = new Set<EvictListener>();

  /** Tells clients by the header whether to mark what they read. */
  constructor(ctl: SegmentViews, geometry: Geometry, policy: EvictionPolicy) {
    ctl.words[CtlHeader.eviction] = EvictionPolicy[policy];
    if (policy === 'none') return;
    this.buffer = EvictionState.allocate(geometry);
    this.#state = new EvictionState(this.buffer, geometry);
  }

  /** @throws TypeError for an event of another name, or what is no function */
  add(event: 'evict', listener: EvictListener): void {
    checkListener(event, listener);
    this.#listeners.add(listener);
    this.#state?.listen(true);
  }

  /** @throws TypeError as add() */
  remove(event: 'evict', listener: EvictListener): void {
    checkListener(event, listener);
    this.#listeners.delete(listener);
    if (this.#listeners.size === 0) this.#state?.listen(false);
  }

  /** What a worker has sent. */
  report(keys: readonly Uint8Array[], dropped: number): void {
    this.#state?.addUnheard(-keys.length);
    const buffers = keys.map((key) => Buffer.from(key.buffer, key.byteOffset, key.byteLength));
    for (const listener of this.#listeners) tellListener(listener, { keys: buffers, dropped });
  }
}

function checkListener(event: unknown, listener: unknown): void {
  if (event !== 'evict') throw new TypeError(`event: expected 'evict', got ${kindOf(event)}`);
  if (typeof listener !== 'function') throw new TypeError(`listener: expected a function, got ${kindOf(listener)}`);
}
