/**
 * The payload arena: what does not fit a slot's inline area, in extents of consecutive 4 KiB chunks.
 * One owner word per chunk names the use of a slot (slot and generation) that the chunk belongs to; 0 is free. A chunk
 * is freed before its slot is released, so a chunk never outlives its use, and whoever reclaims a dead client's slot
 * finds its chunks by that word alone. Extents are claimed by clients (requests) and workers (responses).
 */
import type { Geometry } from '../memory/layout.js';
import { CHUNK_BYTES } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { cas, load } from '../memory/words.js';
import { slotOfUse } from './slot-word.js';

/**
 * What is claimed for: requests in the first half only, responses in the second and then anywhere. So requests alone
 * never fill the arena, and what executes them always finds room for an answer once others have been taken.
 */
export type Payload = 'requests' | 'responses';

/** Room that an answer finds in an arena without other answers, in bytes. */
export const largestResponseBytes = ({ arenaChunks }: Geometry): number => (arenaChunks >> 1) * CHUNK_BYTES;

export class PayloadArena {
  readonly chunkCount: number;
  readonly #words: Int32Array;
  readonly #firstOwner: number;
  readonly #arenaOffset: number;
  /** Where claims are made first: [#firstOwn, #endOwn). */
  readonly #firstOwn: number;
  readonly #endOwn: number;
  /** Whether claims may be made elsewhere too. */
  readonly #mayOverflow: boolean;
  /** Where this process looks first; spread so that processes rarely meet. */
  #cursor: number;

  constructor(ctl: SegmentViews, geometry: Geometry, seed: number, payload?: Payload) {
    this.chunkCount = geometry.arenaChunks;
    const half = this.chunkCount >> 1;
    this.#firstOwn = payload === 'responses' ? half : 0;
    this.#endOwn = payload === 'requests' ? half : this.chunkCount;
    this.#mayOverflow = payload === 'responses';
    this.#words = ctl.words;
    this.#firstOwner = geometry.chunkOwnersOffset / 4;
    this.#arenaOffset = geometry.arenaOffset;
    this.#cursor = this.#firstOwn + (Math.abs(Math.imul(seed, 0x9e3779b1)) % (this.#endOwn - this.#firstOwn));
  }

  static chunksFor(bytes: number): number {
    return Math.ceil(bytes / CHUNK_BYTES);
  }

  /** Byte offset of a chunk in the ctl segment. */
  offsetOf(chunk: number): number {
    return this.#arenaOffset + chunk * CHUNK_BYTES;
  }

  /** Claims consecutive chunks for a use of a slot. @returns the first, -1 when no room was found */
  claim(use: number, chunks: number): number {
    const first = this.#claimWithin(use, chunks, this.#firstOwn, this.#endOwn);
    return first < 0 && this.#mayOverflow ? this.#claimWithin(use, chunks, 0, this.chunkCount) : first;
  }

  #claimWithin(use: number, chunks: number, from: number, end: number): number {
    const total = end - from;
    if (chunks > total) return -1;
    const start = Math.max(this.#cursor, from);
    // Once around; the second half of the pass may run past the place where it began.
    for (let first = start, walked = 0; walked < total;) {
      if (first + chunks > end) {
        walked += end - first;
        first = from;
        continue;
      }
      const taken = this.#claimRun(use, first, chunks);
      if (taken === chunks) {
        // Answers are freed by others: the place where they were is looked at first, it is still in the caches.
        if (!this.#mayOverflow) this.#cursor = first + chunks < end ? first + chunks : from;
        return first;
      }
      walked += taken + 1;
      first += taken + 1;
    }
    return -1;
  }

  /** Takes chunks one by one; gives back all on the first one that is not free. @returns how many were free */
  #claimRun(use: number, first: number, chunks: number): number {
    const owner = ownerWord(use);
    const base = this.#firstOwner + first;
    for (let i = 0; i < chunks; i++) {
      if (load(this.#words, base + i) !== 0 || !cas(this.#words, base + i, 0, owner)) {
        for (let back = i - 1; back >= 0; back--) cas(this.#words, base + back, owner, 0);
        return i;
      }
    }
    return chunks;
  }

  /** Frees the chunks of an extent that do belong to the use; garbage references free nothing of others. */
  release(use: number, first: number, chunks: number): void {
    const owner = ownerWord(use);
    const end = Math.min(first + chunks, this.chunkCount);
    for (let chunk = Math.max(first, 0); chunk < end; chunk++) {
      cas(this.#words, this.#firstOwner + chunk, owner, 0);
    }
    // Memory that was just used is in the caches: use it again next.
    if (first >= this.#firstOwn && first < this.#endOwn) this.#cursor = first;
  }

  /** Whether the extent lies in the arena and every chunk of it belongs to the use. */
  isOwned(use: number, first: number, chunks: number): boolean {
    if (first < 0 || chunks < 1 || first + chunks > this.chunkCount) return false;
    const owner = ownerWord(use);
    for (let i = 0; i < chunks; i++) {
      if (load(this.#words, this.#firstOwner + first + i) !== owner) return false;
    }
    return true;
  }

  /** Frees whatever the use holds, found by scanning all owner words. For the reaper. @returns how many chunks */
  reclaim(use: number): number {
    const owner = ownerWord(use);
    let freed = 0;
    for (let chunk = 0; chunk < this.chunkCount; chunk++) {
      if (cas(this.#words, this.#firstOwner + chunk, owner, 0)) freed++;
    }
    return freed;
  }

  /** Frees the chunks whose owner is none any more, as `isStale` says. @returns how many */
  releaseWhere(isStale: (use: number, slot: number, chunk: number) => boolean): number {
    let freed = 0;
    for (let chunk = 0; chunk < this.chunkCount; chunk++) {
      const owner = load(this.#words, this.#firstOwner + chunk);
      if (owner === 0) continue;
      const use = owner & ~OWNED;
      // The whole word is compared: a chunk that was claimed anew meanwhile keeps its new owner.
      if (isStale(use, slotOfUse(use), chunk) && cas(this.#words, this.#firstOwner + chunk, owner, 0)) freed++;
    }
    return freed;
  }

  /** Chunks in use now (for statistics and audits). */
  used(): number {
    let used = 0;
    for (let chunk = 0; chunk < this.chunkCount; chunk++) {
      if (load(this.#words, this.#firstOwner + chunk) !== 0) used++;
    }
    return used;
  }
}

/** Marks an owner word, so that it is never 0: uses have 30 bits. */
export const OWNED = 0x40000000;

const ownerWord = (use: number): number => use | OWNED;
