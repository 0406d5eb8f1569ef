/**
 * What becomes of the requests that a server had in flight when it died: the slot's word says how far each was; what was
 * in execution is settled by the record of its worker (settlement.ts). Clients go on meanwhile: they may cancel what is
 * SUBMITTED and abandon what is EXECUTING.
 * A death in the middle loses nothing: records are cleared last, and what is settled is not looked at again.
 */
import { PayloadArena } from '../exchange/payload-arena.js';
import { SlotState, stateOf, useOf } from '../exchange/slot-word.js';
import { SlotTable } from '../exchange/slot-table.js';
import type { TaskQueue } from '../exchange/task-queue.js';
import { type Geometry, MAX_WORKERS, WorkerRecord, workerBase } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { load, store } from '../memory/words.js';
import { NOT_BEGUN, Settlements } from './settlement.js';
import { Unsettled } from '../exchange/unsettled.js';

export interface InFlight {
  /** Requests that had not been finished, and are executed (the rest of them). */
  replayed: number;
  /** Requests that had taken effect, and are answered. */
  answered: number;
  /** Requests over which one server after another has died; refused with ERR_KVS_INTERNAL. */
  refused: number;
}

/** Steps of one slot: its client takes at most one of them. */
const MAX_STEPS = 4;

export class InFlightRequests {
  readonly #data: SegmentViews;
  readonly #geometry: Geometry;
  readonly #queue: TaskQueue;
  readonly #table: SlotTable;
  readonly #arena: PayloadArena;
  readonly #settlements: Settlements;
  readonly #unsettled: Unsettled;
  readonly #result: InFlight = { replayed: 0, answered: 0, refused: 0 };

  constructor(ctl: SegmentViews, data: SegmentViews, geometry: Geometry, queue: TaskQueue) {
    this.#data = data;
    this.#geometry = geometry;
    this.#queue = queue;
    this.#table = new SlotTable(ctl, geometry);
    this.#arena = new PayloadArena(ctl, geometry, 0);
    this.#settlements = new Settlements(ctl, data, geometry);
    this.#unsettled = new Unsettled(data, geometry);
  }

  /** Settles all of them. The workers' intents must have been resolved; no worker may run. */
  settle(): InFlight {
    for (let slot = 0; slot < this.#table.count; slot++) {
      for (let step = 0; step < MAX_STEPS && !this.#settle(slot); step++);
    }
    this.#arena.releaseWhere((use, slot) => this.#isStale(use, slot));
    this.#queue.reset();
    for (let slot = 0; slot < this.#table.count; slot++)
      if (this.#table.submitted(slot) !== 0) this.#queue.enqueue(slot);
    this.#unsettled.clearAll();
    this.#clearRecords();
    return this.#result;
  }

  /** @returns false: its client was faster, look again */
  #settle(slot: number): boolean {
    const word = this.#table.word(slot);
    switch (stateOf(word)) {
      case SlotState.executing:
        if (!this.#unsettled.has(slot, word)) return this.#settleExecuting(slot, word);
        // It has taken effect, and what the log held was made durable before anything is settled.
        if (!this.#table.complete(slot, word)) return false;
        this.#result.answered++;
        return true;
      case SlotState.abandoned:
        // Its chunks go with all others whose use has ended.
        return this.#table.release(slot, word);
      default:
        return true;
    }
  }

  #settleExecuting(slot: number, word: number): boolean {
    const settlement = this.#settlements.settle(slot, word, this.#recordOf(slot, word));
    if (settlement === 'overtaken') return false;
    if (settlement !== 'unsettled') this.#result[settlement]++;
    return true;
  }

  /** @returns the first word of the record of the worker that executed the slot's present use, NOT_BEGUN: none names it */
  #recordOf(slot: number, word: number): number {
    const { words } = this.#data;
    let found = NOT_BEGUN;
    for (let worker = 0; worker < MAX_WORKERS; worker++) {
      const record = workerBase(this.#geometry, worker);
      if (load(words, record + WorkerRecord.slot) !== slot + 1 || words[record + WorkerRecord.slotWord] !== word)
        continue;
      // One whose thread had died may still name it, with what was done before it was executed again.
      if (found === NOT_BEGUN || words[record + WorkerRecord.done] > words[found + WorkerRecord.done]) found = record;
    }
    return found;
  }

  /** Whether a chunk belongs to a use that has ended. */
  #isStale(use: number, slot: number): boolean {
    if (slot >= this.#table.count) return true;
    const word = this.#table.word(slot);
    return stateOf(word) === SlotState.free || useOf(slot, word) !== use;
  }

  #clearRecords(): void {
    for (let worker = 0; worker < MAX_WORKERS; worker++) {
      store(this.#data.words, workerBase(this.#geometry, worker) + WorkerRecord.slot, 0);
    }
  }
}
