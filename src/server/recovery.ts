/**
 * Cleans up after a worker thread that died, at any instruction: the thread's record names what it was doing.
 * Runs on the main thread while the other workers go on; whatever the dead one had locked is set right before it is
 * unlocked. The map is either before or after the write in progress, never between.
 */
import { Status } from '../errors.js';
import { PayloadArena } from '../exchange/payload-arena.js';
import { ownerOf, SlotState, stateOf, useOf, withState } from '../exchange/slot-word.js';
import { SlotTable } from '../exchange/slot-table.js';
import type { WorkerBells } from '../exchange/worker-bells.js';
import { native } from '../native.js';
import { type Geometry, MAX_CLIENTS, Slot, WorkerRecord, workerBase } from '../memory/layout.js';
import { Pins } from '../memory/pins.js';
import type { SegmentViews } from '../memory/segment.js';
import { load, store } from '../memory/words.js';
import { ResponseWriter } from '../operation/response-writer.js';
import { repairMap } from '../store/map-repair.js';
import { Store } from '../store/store.js';
import type { BellRinger } from '../exchange/bell-ringer.js';

/** How long a slot in execution may go unnamed. */
const ORPHAN_MS = 1000;

export class WorkerRecovery {
  readonly #ctl: SegmentViews;
  readonly #data: SegmentViews;
  readonly #geometry: Geometry;
  readonly #bells: BellRinger;
  readonly #workerBells: WorkerBells;

  constructor(ctl: SegmentViews, data: SegmentViews, geometry: Geometry, bells: BellRinger, workerBells: WorkerBells) {
    this.#ctl = ctl;
    this.#data = data;
    this.#geometry = geometry;
    this.#bells = bells;
    this.#workerBells = workerBells;
  }

  /** Sets right what worker `worker`, whose thread has ended, left behind. */
  recover(worker: number): void {
    const record = workerBase(this.#geometry, worker);
    this.#workerBells.forget(worker);
    // As the dead thread: what it noted is ours now.
    const { heap } = new Store(this.#data, this.#geometry, worker, new Pins(this.#ctl, this.#geometry));
    heap.repair(worker);
    repairMap(this.#data, this.#geometry, worker);
    heap.freeNoted();
    const slot = load(this.#data.words, record + WorkerRecord.slot) - 1;
    const executing = this.#data.words[record + WorkerRecord.slotWord];
    store(this.#data.words, record + WorkerRecord.slot, 0);
    if (slot >= 0) this.#answer(slot, executing);
    this.#watchOrphans();
  }

  /**
   * A thread may also die between taking a slot and noting that it has: a slot in execution that no worker names. The
   * living ones pass through that state as well, but not for that long.
   */
  #watchOrphans(): void {
    const table = new SlotTable(this.#ctl, this.#geometry);
    const suspects = new Map<number, number>();
    for (let slot = 0; slot < table.count; slot++) {
      const word = table.word(slot);
      if (isInExecution(word) && !isNamedByWorker(this.#data, this.#geometry, slot)) suspects.set(slot, word);
    }
    if (suspects.size === 0) return;
    const look = (): void => {
      for (const [slot, word] of suspects) {
        const isSame = withState(table.word(slot), SlotState.executing) === withState(word, SlotState.executing);
        if (isSame && isInExecution(table.word(slot)) && !isNamedByWorker(this.#data, this.#geometry, slot))
          this.#answer(slot, table.word(slot));
      }
    };
    setTimeout(look, ORPHAN_MS).unref();
  }

  #answer(slot: number, word: number): void {
    const owner = failRequest(this.#ctl, this.#geometry, slot, word);
    if (owner >= 0) this.#bells.ring(owner);
  }
}

/**
 * Answers a request whose worker has died with ERR_KVS_INTERNAL, unless it had finished; frees it if nobody waits.
 * @returns the client that waits for the answer, -1: none does
 */
export function failRequest(ctl: SegmentViews, geometry: Geometry, slot: number, word: number): number {
  const table = new SlotTable(ctl, geometry);
  if (slot >= table.count) return -1;
  const executing = withState(word, SlotState.executing);
  const arena = new PayloadArena(ctl, geometry, 0);
  if (table.word(slot) === executing) {
    const response = new ResponseWriter(ctl, table, arena);
    response.begin(slot, executing);
    response.status(Status.internal);
    if (table.complete(slot, executing)) {
      native.futexWake(ctl.words, table.base(slot) + Slot.word, 1);
      return ownerOf(executing) & (MAX_CLIENTS - 1);
    }
  }
  const abandoned = withState(executing, SlotState.abandoned);
  if (table.word(slot) !== abandoned) return -1;
  arena.reclaim(useOf(slot, abandoned));
  table.release(slot, abandoned);
  return -1;
}

function isInExecution(word: number): boolean {
  return stateOf(word) === SlotState.executing || stateOf(word) === SlotState.abandoned;
}

/** Whether a worker's record says that it executes the slot. */
export function isNamedByWorker({ words }: SegmentViews, geometry: Geometry, slot: number): boolean {
  for (let worker = 0; worker < geometry.workers; worker++) {
    if (load(words, workerBase(geometry, worker) + WorkerRecord.slot) === slot + 1) return true;
  }
  return false;
}
