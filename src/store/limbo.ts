/**
 * Large blocks that were freed while a client had them pinned (memory/pins.ts): in use for the heap, named by nobody else,
 * in a list that runs through the blocks themselves. They are freed once they are no longer pinned, which is looked at
 * as often as large blocks are freed, and before a heap counts as full; so there are never more than there are pins.
 * All of it under the run lock. Death: one store adds or takes out a block, and the worker's note names it from before
 * until after. Whoever cleans up drops a note of what is in the list (Heap.repair).
 */
import { Entry, type Geometry, HeapControl, WorkerRecord, workerBase } from '../memory/layout.js';
import type { Pins } from '../memory/pins.js';
import type { SegmentViews } from '../memory/segment.js';
import { load, store } from '../memory/words.js';
import type { Runs } from './runs.js';

/** What the heap asks of memory/pins.ts. */
export type PinnedBlocks = Pick<Pins, 'isPinned' | 'collect'>;

/** Of a store that has no clients. */
export const NO_PINS: PinnedBlocks = { isPinned: () => false, collect: () => {} };

export class Limbo {
  readonly #words: Int32Array;
  readonly #control: number;
  readonly #pending: number;
  readonly #runs: Runs;
  readonly #pins: PinnedBlocks;
  readonly #pinned = new Set<number>();

  constructor(data: SegmentViews, geometry: Geometry, worker: number, runs: Runs, pins: PinnedBlocks) {
    this.#words = data.words;
    this.#control = geometry.heapControlOffset / 4;
    this.#pending = workerBase(geometry, worker) + WorkerRecord.pendingBlock;
    this.#runs = runs;
    this.#pins = pins;
  }

  /** Adds a block that is noted as pending. Run lock held. */
  add(granule: number): void {
    const head = this.#control + HeapControl.limbo;
    // A reader that still looks at the entry knows by its incarnation that it is no longer published.
    this.#words[linkOf(granule)] = this.#words[head];
    store(this.#words, head, granule);
    this.#words[this.#control + HeapControl.limboBlocks]++;
  }

  /** Says that a large block was freed: sometimes frees what is no longer pinned. Run lock held. */
  settle(): void {
    const blocks = this.#words[this.#control + HeapControl.limboBlocks];
    // A scan costs as much as there are blocks and pins: it is paid by as many frees.
    if (blocks > 0 && ++this.#words[this.#control + HeapControl.limboFrees] > blocks) this.reclaim();
  }

  /** Frees what is no longer pinned. Run lock held; not while a block is pending. @returns whether there was any */
  reclaim(): boolean {
    const words = this.#words;
    if (words[this.#pending] !== 0) return false;
    words[this.#control + HeapControl.limboFrees] = 0;
    this.#pinned.clear();
    // SYNC: all blocks of the list went out of the map before the lock was taken.
    this.#pins.collect(this.#pinned);
    let link = this.#control + HeapControl.limbo;
    let isAny = false;
    for (let granule = words[link]; granule !== 0; granule = words[link]) {
      if (this.#pinned.has(granule)) {
        link = linkOf(granule);
        continue;
      }
      store(words, this.#pending, granule);
      store(words, link, words[linkOf(granule)]);
      words[this.#control + HeapControl.limboBlocks]--;
      this.#runs.free(this.#runs.unitOf(granule));
      store(words, this.#pending, 0);
      isAny = true;
    }
    return isAny;
  }

  get isEmpty(): boolean {
    return load(this.#words, this.#control + HeapControl.limbo) === 0;
  }

  /** The blocks in the list. Run lock held (or its holder is dead). */
  *granules(): Generator<number, void, undefined> {
    let granule = this.#words[this.#control + HeapControl.limbo];
    for (; granule !== 0; granule = this.#words[linkOf(granule)]) yield granule;
  }
}

/** The word of an entry that leads to the next one in limbo: its size must stay readable, its hash need not. */
export const linkOf = (granule: number): number => (granule << 2) + Entry.hash;
