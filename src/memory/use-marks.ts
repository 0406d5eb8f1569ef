/**
 * Marks of use: a count from 0 to 3 for each entry word of the hash map, by which whoever reads an entry keeps it from
 * being evicted (store/eviction.ts). They stand in the ctl segment, because direct readers map the map itself read-only:
 * one word for the 15 entries of a bucket, two bits each; overflow buckets share as many words, spread by their address.
 * Hints, written by everybody with plain loads and stores, and only until they say 3: a lost or a wrong one (anybody can
 * write here) costs hits and nothing else. They outlive the server.
 */
import { CtlHeader, EvictionPolicy, type Geometry } from './layout.js';
import type { SegmentViews } from './segment.js';

export const MAX_USES = 3;
const BUCKET_SHIFT = 4;
const SLOT_MASK = 15;

export class UseMarks {
  readonly #words: Int32Array;
  readonly #first: number;
  readonly #firstBucket: number;
  readonly #buckets: number;

  constructor(ctl: SegmentViews, geometry: Geometry) {
    this.#words = ctl.words;
    this.#first = geometry.marksOffset / 4;
    this.#firstBucket = geometry.bucketsOffset / 64;
    this.#buckets = geometry.buckets;
  }

  /** Says that what the entry word `at` (index into the data segment's words) names was used, if anybody wants to know. */
  mark(at: number): void {
    const words = this.#words;
    if (words[CtlHeader.eviction] === EvictionPolicy.none) return;
    const index = this.#wordOf(at);
    const shift = (at & SLOT_MASK) << 1;
    const word = words[index];
    // Look before writing: the word of a popular entry stays as it is, in everybody's cache.
    if (((word >>> shift) & MAX_USES) !== MAX_USES) words[index] = word + (1 << shift);
  }

  usesOf(at: number): number {
    return (this.#words[this.#wordOf(at)] >>> ((at & SLOT_MASK) << 1)) & MAX_USES;
  }

  set(at: number, uses: number): void {
    const index = this.#wordOf(at);
    const shift = (at & SLOT_MASK) << 1;
    this.#words[index] = (this.#words[index] & ~(MAX_USES << shift)) | (uses << shift);
  }

  #wordOf(at: number): number {
    const line = at >> BUCKET_SHIFT;
    const bucket = line - this.#firstBucket;
    if (bucket < this.#buckets) return this.#first + bucket;
    return this.#first + this.#buckets + ((Math.imul(line, 0x9e3779b1) >>> 7) & (this.#buckets - 1));
  }
}
