/**
 * Cleans up after a worker thread that died, at any instruction: the thread's record names what it was doing.
 * Runs on the main thread while the other workers go on; whatever the dead one had locked is set right before it is
 * unlocked. The map is either before or after the write in progress, never between.
 */
import { SlotState, withState } from '../exchange/slot-word.js';
import { SlotTable } from '../exchange/slot-table.js';
import type { TaskQueue } from '../exchange/task-queue.js';
import type { WorkerBells } from '../exchange/worker-bells.js';
import { type Geometry, WorkerRecord, workerBase } from '../memory/layout.js';
import { Pins } from '../memory/pins.js';
import type { SegmentViews } from '../memory/segment.js';
import { lockingBeside } from '../memory/lock.js';
import { load, store } from '../memory/words.js';
import { repairMap } from '../store/map-repair.js';
import type { Heap } from '../store/heap.js';
import { Store } from '../store/store.js';
import type { BellRinger } from '../exchange/bell-ringer.js';
import { NOT_BEGUN, Settlements } from './settlement.js';

/** Between two looks at a request that two workers name. */
const CONTEST_MS = 10;

export class WorkerRecovery {
  readonly #ctl: SegmentViews;
  readonly #data: SegmentViews;
  readonly #geometry: Geometry;
  readonly #bells: BellRinger;
  readonly #queue: TaskQueue;
  readonly #workerBells: WorkerBells;
  readonly #table: SlotTable;
  readonly #settlements: Settlements;

  constructor(
    ctl: SegmentViews,
    data: SegmentViews,
    geometry: Geometry,
    queue: TaskQueue,
    bells: BellRinger,
    workerBells: WorkerBells,
    whenDurable?: (slot: number, executing: number) => void,
  ) {
    this.#ctl = ctl;
    this.#data = data;
    this.#geometry = geometry;
    this.#queue = queue;
    this.#bells = bells;
    this.#workerBells = workerBells;
    this.#table = new SlotTable(ctl, geometry);
    this.#settlements = new Settlements(ctl, data, geometry, whenDurable);
  }

  /**
   * Sets right what worker `worker`, whose thread has ended, left behind.
   * @param hasEnded whether the thread of another worker has ended, which is not recovered yet
   */
  recover(worker: number, hasEnded: (other: number) => boolean = () => false): void {
    // What one that has ended held is released when it is in the way for a while; but for the compaction, which nothing here
    // waits for, and which cannot be given back without the other locks.
    const release = (holder: number): void => {
      if (holder !== worker && hasEnded(holder)) this.#heapOf(holder).repair(holder, true);
    };
    lockingBeside(release, () => this.#recover(worker));
  }

  #recover(worker: number): void {
    const record = workerBase(this.#geometry, worker);
    this.#workerBells.forget(worker);
    const heap = this.#heapOf(worker);
    heap.repair(worker);
    repairMap(this.#data, this.#geometry, worker);
    heap.freeNoted();
    const slot = load(this.#data.words, record + WorkerRecord.slot) - 1;
    if (slot >= 0 && slot < this.#table.count)
      this.#settle(slot, this.#data.words[record + WorkerRecord.slotWord], record);
    // Last of all: until then the record says how far it had come.
    store(this.#data.words, record + WorkerRecord.slot, 0);
  }

  /** As a dead thread sees it: what that noted is ours now. */
  #heapOf(worker: number): Heap {
    return new Store(this.#data, this.#geometry, worker, new Pins(this.#ctl, this.#geometry)).heap;
  }

  /** What the dead thread was executing is answered, or executed by another (the rest of it). */
  #settle(slot: number, executing: number, record: number): void {
    // First: who begins it from here on names it before, and is seen to.
    const word = this.#table.word(slot);
    if (!this.#settlements.hasProgressed(slot, executing, record) && this.#isNamedByOther(slot, executing, record)) {
      // One of the two had not begun: the living one will say.
      setTimeout(() => this.#settle(slot, executing, NOT_BEGUN), CONTEST_MS).unref();
    } else {
      this.#end(slot, executing, record, word);
    }
  }

  /** @param word of the slot, before it was sure that no other worker executes it */
  #end(slot: number, executing: number, record: number, word: number): void {
    if (word === executing) {
      const settlement = this.#settlements.settle(slot, executing, record);
      if (settlement === 'answered' || settlement === 'refused') {
        this.#bells.ring(this.#settlements.wake(slot, executing));
      }
    }
    if (word === executing || word === withState(executing, SlotState.abandoned)) {
      this.#settlements.freeAbandoned(slot, executing);
    }
    if (this.#table.submitted(slot) === 0) return;
    this.#queue.enqueue(slot);
    this.#workerBells.announce();
  }

  /** Whether a worker names this use of the slot whose record is not `own`. */
  #isNamedByOther(slot: number, executing: number, own: number): boolean {
    const { words } = this.#data;
    const isOthers = (record: number) => record !== own && words[record + WorkerRecord.slotWord] === executing;
    return isNamedByWorker(this.#data, this.#geometry, slot, isOthers);
  }
}

/** Whether a worker's record, of those that `isMeant` says yes to, says that it executes the slot. */
export function isNamedByWorker(
  { words }: SegmentViews,
  geometry: Geometry,
  slot: number,
  isMeant: (record: number) => boolean = () => true,
): boolean {
  for (let worker = 0; worker < geometry.workers; worker++) {
    const record = workerBase(geometry, worker);
    if (load(words, record + WorkerRecord.slot) === slot + 1 && isMeant(record)) return true;
  }
  return false;
}
