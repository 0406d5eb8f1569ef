/**
 * What a server does with a region that it has taken over, before it serves: decides on which side of its commit each
 * dead worker was, rebuilds the store from the map, settles what was in flight. In this order: the map must be whole
 * before it is walked, and a damaged entry is dropped only when nobody asks any more whether it was written.
 * Each phase may be cut off by a death and is then done again by the next server; after too many of those the region is
 * put aside (memory/region-claim.ts).
 */
import { performance } from 'node:perf_hooks';

import { hashWords } from '../codec/hash.js';
import type { TaskQueue } from '../exchange/task-queue.js';
import { DataHeader, MAX_WORKERS, workerBase } from '../memory/layout.js';
import { Pins } from '../memory/pins.js';
import type { OwnedRegion } from '../memory/region.js';
import { store } from '../memory/words.js';
import { BLOCK_NOTES } from '../store/block-notes.js';
import { resolveIntent } from '../store/map-repair.js';
import { rebuildStore, type RebuiltStore } from '../store/store-rebuild.js';
import { type InFlight, InFlightRequests } from './in-flight.js';

export interface Recovered extends RebuiltStore, InFlight {
  readonly ms: number;
}

/** Decides on which side of its commit each worker was: what has been committed is logged then. Twice does no harm. */
export function resolveIntents({ data, geometry }: Pick<OwnedRegion, 'data' | 'geometry'>): void {
  const { words } = data;
  for (let worker = 0; worker < MAX_WORKERS; worker++) {
    const record = workerBase(geometry, worker);
    resolveIntent(words, geometry, worker);
    // Whatever block they name is free unless the map names it too.
    for (const note of BLOCK_NOTES) store(words, record + note, 0);
  }
}

/**
 * @param makeDurable called when the store is whole; what is to be answered once it is durable must be durable then
 * @throws Error when the store is damaged beyond repair; what makeDurable() throws
 */
export function recoverRegion(region: OwnedRegion, queue: TaskQueue, makeDurable: () => void = () => {}): Recovered {
  const startedAt = performance.now();
  const { ctl, data, geometry } = region;
  resolveIntents(region);
  const { words } = data;
  const hashOf = (word: number, bytes: number): number =>
    hashWords(words, word, bytes, words[DataHeader.hashSeed], words[DataHeader.hashSeed + 1]);
  const pinned = new Set<number>();
  new Pins(ctl, geometry).collect(pinned);
  const rebuilt = rebuildStore({ data, geometry, hashOf, pinned });
  makeDurable();
  const inFlight = new InFlightRequests(ctl, data, geometry, queue).settle();
  // Before anybody is served: who kills a server that works does not condemn its region.
  store(words, DataHeader.recoveries, 0);
  return { ...rebuilt, ...inFlight, ms: Math.round(performance.now() - startedAt) };
}
