/**
 * The hash map, stripe by stripe: every bucket word, every link, and what the stripe says of them. A stripe whose lock is
 * free and whose count and version are the same before and after was not written in between: what was counted is exact.
 */
import { BUCKET_BYTES, BUCKET_ENTRIES, BUCKET_WORDS, Stripe, stripeBase } from '../memory/layout.js';
import { load } from '../memory/words.js';
import { Entries } from './entries.js';
import { type FindingCode, Suspects } from './findings.js';
import type { HeapMap } from './heap-map.js';
import type { Look } from './look.js';
import type { Names } from './names.js';

/** Walks over a stripe that is being written. */
const WALKS = 8;
/** Entries of one hash that are compared with one another. */
const MAX_SAME_HASH = 64;

export interface MapTotals {
  entries: number;
  entryBytes: number;
  overflowBuckets: number;
  overflowBytes: number;
}

export class MapAudit {
  readonly totals: MapTotals = { entries: 0, entryBytes: 0, overflowBuckets: 0, overflowBytes: 0 };
  readonly #look: Look;
  readonly #heap: HeapMap;
  readonly #names: Names;
  readonly #entries: Entries;
  readonly #words: Int32Array;

  constructor(look: Look, heap: HeapMap, names: Names) {
    this.#look = look;
    this.#heap = heap;
    this.#names = names;
    this.#entries = new Entries(look, heap);
    this.#words = look.data.words;
  }

  run(): void {
    for (let stripe = 0; stripe < this.#look.geometry.stripes; stripe++) this.#auditStripe(stripe);
  }

  #auditStripe(stripe: number): void {
    const { data, geometry, suspects, unsettled } = this.#look;
    const base = stripeBase(geometry, stripe);
    const where = `stripe ${stripe}`;
    for (let walks = 1; ; walks++) {
      const lock = load(this.#words, base + Stripe.lock);
      const count = load(this.#words, base + Stripe.entryCount);
      const version = data.floats[base / 2 + Stripe.version];
      const walk = new StripeWalk(this.#look, this.#heap, this.#names, this.#entries);
      for (let bucket = stripe; bucket < geometry.buckets; bucket += geometry.stripes) walk.visit(bucket);
      const isStill =
        load(this.#words, base + Stripe.lock) === lock &&
        load(this.#words, base + Stripe.entryCount) === count &&
        Object.is(data.floats[base / 2 + Stripe.version], version);
      if (!isStill && walks < WALKS) {
        walk.undo();
        continue;
      }
      this.#add(walk);
      suspects.addAll(walk.suspects);
      if (!isStill) unsettled.add(where);
      else if (lock === 0) this.#auditCounts(where, stripe, count, version, walk);
      return;
    }
  }

  #add({ entries, entryBytes, overflowBuckets }: StripeWalk): void {
    this.totals.entries += entries;
    this.totals.entryBytes += entryBytes;
    this.totals.overflowBuckets += overflowBuckets;
    this.totals.overflowBytes += overflowBuckets * BUCKET_BYTES;
  }

  #auditCounts(where: string, stripe: number, count: number, version: number, walk: StripeWalk): void {
    const { geometry, suspects } = this.#look;
    if (walk.words !== count) suspects.add('entry-count', where, `says ${count}, there are ${walk.words}`);
    const isFresh = version === 0 && walk.version === 0;
    const isOfStripe = version >= walk.version && version % geometry.stripes === stripe;
    if (!isFresh && !isOfStripe) suspects.add('stripe-version', where, `${version}, its entries reach ${walk.version}`);
  }
}

class StripeWalk {
  readonly suspects = new Suspects();
  /** Words that name something. */
  words = 0;
  entries = 0;
  entryBytes = 0;
  overflowBuckets = 0;
  /** The highest among the entries. */
  version = 0;
  readonly #look: Look;
  readonly #heap: HeapMap;
  readonly #names: Names;
  readonly #entries: Entries;
  readonly #named: number[] = [];
  /** Of the chain in hand: granules of entries, by hash. */
  readonly #byHash = new Map<number, number[]>();

  constructor(look: Look, heap: HeapMap, names: Names, entries: Entries) {
    this.#look = look;
    this.#heap = heap;
    this.#names = names;
    this.#entries = entries;
  }

  visit(bucket: number): void {
    const { data, geometry } = this.#look;
    let first = geometry.bucketsOffset / 4 + bucket * BUCKET_WORDS;
    this.#byHash.clear();
    for (;;) {
      for (let at = first; at < first + BUCKET_ENTRIES; at++) if (data.words[at] !== 0) this.#visitEntry(bucket, at);
      const overflow = load(data.words, first + BUCKET_ENTRIES);
      if (overflow === 0 || !this.#visitOverflow(bucket, first + BUCKET_ENTRIES, overflow)) return;
      first = overflow << 2;
    }
  }

  #visitEntry(bucket: number, at: number): void {
    const add = (what: FindingCode, describe: () => string): void => {
      if (this.suspects.isFull) this.suspects.skip();
      else this.suspects.add(what, `bucket ${bucket}, word ${at}`, describe());
    };
    const seen = this.#entries.look(bucket, at, add);
    if (seen === 'empty') return;
    this.words++;
    const { granule, version } = this.#entries;
    // Whatever is wrong with it: its block is not lost.
    const isInUse = this.#heap.isUsed(granule);
    if (isInUse && !this.#name(granule)) return add('block-shared', () => this.#entries.describe(granule));
    if (isInUse) this.entryBytes += this.#heap.blockBytes(granule);
    if (seen !== 'sound') return;
    this.entries++;
    this.version = Math.max(this.version, version);
    const double = this.#doubleOf(granule);
    if (double === undefined) return;
    add('key-twice', () => `${this.#entries.describe(double)} and ${this.#entries.describe(granule)}`);
  }

  /** @returns an entry of the chain in hand that has the key already */
  #doubleOf(granule: number): number | undefined {
    const hash = this.#entries.hashOf(granule);
    const others = this.#byHash.get(hash);
    if (others === undefined) {
      this.#byHash.set(hash, [granule]);
      return undefined;
    }
    const double = others.find((other) => this.#entries.hasSameKey(granule, other));
    // No keys but chosen ones come to more than a few.
    if (others.length < MAX_SAME_HASH) others.push(granule);
    return double;
  }

  /** @returns whether to follow it */
  #visitOverflow(bucket: number, at: number, overflow: number): boolean {
    const where = `bucket ${bucket}, word ${at}`;
    if (!this.#heap.isBucketBlock(overflow)) {
      this.suspects.add('overflow-link', where, `granule ${overflow}`);
      return false;
    }
    if (!this.#name(overflow)) {
      this.suspects.add('overflow-shared', where, `granule ${overflow}`);
      return false;
    }
    this.overflowBuckets++;
    return true;
  }

  #name(granule: number): boolean {
    if (!this.#names.add(granule)) return false;
    this.#named.push(granule);
    return true;
  }

  /** Takes back what it has named: the stripe is walked over again. */
  undo(): void {
    for (const granule of this.#named) this.#names.remove(granule);
  }
}
