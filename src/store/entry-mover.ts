/** What the compactor does with entries that are in its way. With no stripe's lock held. */
import type { Eviction } from './eviction.js';
import type { Relocator } from './relocator.js';
import type { Store } from './store.js';

export class EntryMover implements Relocator {
  readonly #store: Store;
  readonly #eviction: Eviction | undefined;

  constructor(store: Store, eviction: Eviction | undefined) {
    this.#store = store;
    this.#eviction = eviction;
  }

  bytesOf(granule: number): number {
    return this.#store.bytesOf(granule);
  }

  relocate(from: number, to: number): boolean {
    const { map } = this.#store;
    const hash = map.hashOf(from);
    map.lock(hash);
    try {
      if (!map.findEntry(hash, from) || !this.#store.copyEntry(from, to, map.expiresAtOf(from))) return false;
      map.move(hash, from, to);
      return true;
    } finally {
      map.unlock(hash);
    }
  }

  evict(granule: number): boolean {
    const { map } = this.#store;
    const hash = map.hashOf(granule);
    map.lock(hash);
    try {
      if (
        this.#eviction === undefined ||
        !map.findEntry(hash, granule) ||
        this.#store.log?.hasRoomFor(granule) === false
      )
        return false;
      this.#eviction.takeOut(map.foundWord, hash, granule);
      return true;
    } finally {
      map.unlock(hash);
    }
  }
}
