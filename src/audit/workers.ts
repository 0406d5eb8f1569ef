/**
 * What workers hold: their records, the blocks that those note, and locks. A worker may be stopped, or have died, between
 * any two steps: a note may name a block that it is just taking or freeing, under the lock that it then holds, and the
 * one that it puts into the map, while its intent is open.
 */
import {
  BUCKET_BYTES,
  type Geometry,
  HeapControl,
  MAX_WORKERS,
  SizeClass,
  Stripe,
  stripeBase,
  workerBase,
  WorkerRecord,
} from '../memory/layout.js';
import { holderOf } from '../memory/lock.js';
import { load } from '../memory/words.js';
import { BUCKET_CLASS, SIZE_CLASSES } from '../store/size-class.js';
import type { HeapMap } from './heap-map.js';
import { hex, type Look } from './look.js';
import type { Names } from './names.js';

const NOTES = ['pendingBlock', 'spareBucket', 'keptBlock'] as const;
type Note = (typeof NOTES)[number];

interface Lock {
  readonly at: number;
  readonly name: string;
}

export interface WorkerTotals {
  /** With a request in hand. */
  executing: number;
  blocks: number;
  blockBytes: number;
}

export class Workers {
  readonly totals: WorkerTotals = { executing: 0, blocks: 0, blockBytes: 0 };
  readonly #look: Look;
  readonly #heap: HeapMap;
  readonly #words: Int32Array;
  readonly #geometry: Geometry;
  readonly #granuleMask: number;
  readonly #locks: readonly Lock[];

  constructor(look: Look, heap: HeapMap) {
    this.#look = look;
    this.#heap = heap;
    this.#words = look.data.words;
    this.#geometry = look.geometry;
    this.#granuleMask = 2 ** look.geometry.granuleBits - 1;
    this.#locks = locksOf(look.geometry);
  }

  auditLocks(): void {
    for (const { at, name } of this.#locks) {
      const word = load(this.#words, at);
      if (word === 0) continue;
      const holder = holderOf(this.#words, at);
      // By the word seen first: it may be free by now.
      const isSomebody = (word & ~0x1ff) === 0 && (word & 0xff) >= 1 && (word & 0xff) <= MAX_WORKERS;
      if (isSomebody) this.#look.suspects.add('lock-held', name, `by worker ${(word & 0xff) - 1}`);
      else this.#look.suspects.add('lock-holder', name, `says ${hex(word)}, worker ${holder}`);
    }
  }

  /** Records, and the blocks that they name; after the map was walked over. */
  auditRecords(names: Names): void {
    for (let worker = 0; worker < MAX_WORKERS; worker++) {
      this.#auditSlot(worker);
      this.#auditIntent(worker);
      for (const note of NOTES) this.#auditNote(worker, note, names);
      for (const granule of this.#inCommit(worker)) this.#hold(granule, names);
    }
  }

  #auditSlot(worker: number): void {
    const slot = this.#read(worker, 'slot');
    if (slot < 0 || slot > this.#geometry.slots) {
      this.#look.suspects.add('worker-slot', `worker ${worker}`, `slot ${slot - 1}`);
    } else if (slot !== 0) this.totals.executing++;
  }

  #auditIntent(worker: number): void {
    const at = this.#read(worker, 'bucketWord');
    if (at !== 0 && !this.#isBucketWord(at)) {
      this.#look.suspects.add('worker-intent', `worker ${worker}`, `bucket word ${at}`);
    }
  }

  #isBucketWord(at: number): boolean {
    const { bucketsOffset, unitTableOffset } = this.#geometry;
    const isInBucket = at >= bucketsOffset / 4 && at < unitTableOffset / 4;
    const granule = (at >> 4) << 2;
    return at % (BUCKET_BYTES / 4) !== BUCKET_BYTES / 4 - 1 && (isInBucket || this.#heap.isBucketBlock(granule));
  }

  #auditNote(worker: number, note: Note, names: Names): void {
    const { suspects } = this.#look;
    const granule = this.#read(worker, note);
    if (granule === 0) return;
    const where = `worker ${worker}, ${note}`;
    const isUnsettled = (): boolean => this.#read(worker, note) !== granule || this.#changesHeap(worker);
    const detail = `granule ${granule}`;
    if (this.#look.always(() => (isUnsettled() || this.#fits(granule, note) ? undefined : detail)) !== undefined) {
      return suspects.add('note-astray', where, detail);
    }
    if (this.#look.always(() => (isUnsettled() || this.#heap.isUsed(granule) ? undefined : detail)) !== undefined) {
      return suspects.add('note-free', where, detail);
    }
    if (!this.#heap.isUsed(granule) || this.#hold(granule, names)) return;
    const isShared = (): boolean => !isUnsettled() && !this.#mayShare(worker, note, granule);
    if (this.#look.always(() => (isShared() ? detail : undefined)) !== undefined)
      suspects.add('block-shared', where, detail);
  }

  #hold(granule: number, names: Names): boolean {
    if (!this.#heap.isUsed(granule) || !names.add(granule)) return false;
    this.totals.blocks++;
    this.totals.blockBytes += this.#heap.blockBytes(granule);
    return true;
  }

  #fits(granule: number, note: Note): boolean {
    const isBucket = this.#heap.sizeClassAt(granule) === BUCKET_CLASS;
    return this.#heap.blockBytes(granule) > 0 && isBucket === (note === 'spareBucket');
  }

  /** Whether somebody else may name the block that the note names, for now. */
  #mayShare(worker: number, note: Note, granule: number): boolean {
    if (note === 'spareBucket') return this.#holdsStripe(worker);
    // A block is handed from one note to the other, or between the map and a note.
    const other = note === 'pendingBlock' ? 'keptBlock' : 'pendingBlock';
    return this.#read(worker, other) === granule || this.#inCommit(worker).includes(granule);
  }

  /** The granules of the entries that an open intent replaces and publishes: one of them is the worker's. */
  #inCommit(worker: number): number[] {
    const at = this.#read(worker, 'bucketWord');
    if (at === 0 || !this.#isBucketWord(at)) return [];
    const [from, to] = [this.#read(worker, 'oldWord'), this.#read(worker, 'newWord')];
    if (this.#words[at] !== from && this.#words[at] !== to) return [];
    return [from & this.#granuleMask, to & this.#granuleMask].filter((granule) => granule !== 0);
  }

  /** Whether any worker's record names the block now. */
  isHeld(granule: number): boolean {
    for (let worker = 0; worker < MAX_WORKERS; worker++) {
      if (NOTES.some((note) => this.#read(worker, note) === granule)) return true;
      if (this.#inCommit(worker).includes(granule)) return true;
    }
    return false;
  }

  /** Whether the worker holds a lock under which blocks are taken and freed. */
  #changesHeap(worker: number): boolean {
    const control = this.#geometry.heapControlOffset / 4;
    if (holderOf(this.#words, control + HeapControl.runLock) === worker) return true;
    for (let index = 0; index < SIZE_CLASSES; index++) {
      if (holderOf(this.#words, classLine(this.#geometry, index) + SizeClass.lock) === worker) return true;
    }
    return false;
  }

  #holdsStripe(worker: number): boolean {
    for (let stripe = 0; stripe < this.#geometry.stripes; stripe++) {
      if (holderOf(this.#words, stripeBase(this.#geometry, stripe) + Stripe.lock) === worker) return true;
    }
    return false;
  }

  #read(worker: number, field: Note | 'slot' | 'bucketWord' | 'oldWord' | 'newWord'): number {
    return load(this.#words, workerBase(this.#geometry, worker) + WorkerRecord[field]);
  }
}

/** Word index of a size class's line in the data segment. */
export const classLine = ({ sizeClassesOffset }: Geometry, index: number): number =>
  (sizeClassesOffset + index * SizeClass.sizeBytes) / 4;

function locksOf(geometry: Geometry): Lock[] {
  const control = geometry.heapControlOffset / 4;
  const locks = [
    { at: control + HeapControl.runLock, name: 'lock of the runs' },
    { at: control + HeapControl.compactionLock, name: 'lock of the compaction' },
  ];
  for (let index = 0; index < SIZE_CLASSES; index++) {
    locks.push({ at: classLine(geometry, index) + SizeClass.lock, name: `lock of size class ${index}` });
  }
  for (let stripe = 0; stripe < geometry.stripes; stripe++) {
    locks.push({ at: stripeBase(geometry, stripe) + Stripe.lock, name: `lock of stripe ${stripe}` });
  }
  return locks;
}
