/**
 * What becomes of the requests that a server had in flight when it died. The slot's word says how far each was; of one
 * in execution, a worker's record says how much of it has taken effect, to the last bucket word (store/hash-map.ts):
 * nothing: it is executed again, as if for the first time; all: its answer, written before the commit, is published;
 * some items of a batch: it is executed again from there on. Clients go on meanwhile: they may cancel what is
 * SUBMITTED and abandon what is EXECUTING, so every step is a compare-and-swap that may fail.
 * A death in the middle loses nothing: records are cleared last, and what is settled is not looked at again.
 */
import { PayloadArena } from '../exchange/payload-arena.js';
import { MAX_REPLAYS, replayOf, replaysOf, SlotState, stateOf, useOf } from '../exchange/slot-word.js';
import { SlotTable } from '../exchange/slot-table.js';
import type { TaskQueue } from '../exchange/task-queue.js';
import { type Geometry, MAX_WORKERS, Slot, WorkerRecord, workerBase } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { load, store } from '../memory/words.js';
import { OPERATIONS } from '../operation/table.js';
import { failRequest } from './recovery.js';

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
  readonly #ctl: SegmentViews;
  readonly #data: SegmentViews;
  readonly #geometry: Geometry;
  readonly #queue: TaskQueue;
  readonly #table: SlotTable;
  readonly #arena: PayloadArena;
  readonly #result: InFlight = { replayed: 0, answered: 0, refused: 0 };

  constructor(ctl: SegmentViews, data: SegmentViews, geometry: Geometry, queue: TaskQueue) {
    this.#ctl = ctl;
    this.#data = data;
    this.#geometry = geometry;
    this.#queue = queue;
    this.#table = new SlotTable(ctl, geometry);
    this.#arena = new PayloadArena(ctl, geometry, 0);
  }

  /** Settles all of them. The workers' intents must have been resolved; no worker may run. */
  settle(): InFlight {
    for (let slot = 0; slot < this.#table.count; slot++) {
      for (let step = 0; step < MAX_STEPS && !this.#settle(slot); step++);
    }
    this.#arena.releaseWhere((use, slot, chunk) => this.#isStale(use, slot, chunk));
    this.#queue.reset();
    for (let slot = 0; slot < this.#table.count; slot++)
      if (this.#table.submitted(slot) !== 0) this.#queue.enqueue(slot);
    this.#clearRecords();
    return this.#result;
  }

  /** @returns false: its client was faster, look again */
  #settle(slot: number): boolean {
    const word = this.#table.word(slot);
    switch (stateOf(word)) {
      case SlotState.executing:
        return this.#settleExecuting(slot, word);
      case SlotState.abandoned:
        // Its chunks go with all others whose use has ended.
        return this.#table.release(slot, word);
      default:
        return true;
    }
  }

  #settleExecuting(slot: number, word: number): boolean {
    const { words } = this.#ctl;
    const base = this.#table.base(slot);
    const record = this.#recordOf(slot, word);
    const done = record < 0 ? 0 : this.#data.words[record + WorkerRecord.done];
    if (done > 0 && OPERATIONS[words[base + Slot.op]]?.scope === 'key') {
      if (!this.#table.complete(slot, word)) return false;
      this.#result.answered++;
      return true;
    }
    const replays = replaysOf(words[base + Slot.replay], slot, word);
    if (replays >= MAX_REPLAYS) {
      failRequest(this.#ctl, this.#geometry, slot, word);
      this.#result.refused++;
      return true;
    }
    // Unnamed, it was not begun; but a replay that was not begun keeps what the one before it had done.
    if (record >= 0) {
      words[base + Slot.replayDone] = done;
      words[base + Slot.replayEffects] = this.#data.words[record + WorkerRecord.effects];
    } else if (replays === 0) {
      words[base + Slot.replayDone] = 0;
      words[base + Slot.replayEffects] = 0;
    }
    words[base + Slot.replay] = replayOf(slot, word, replays + 1);
    if (!this.#table.putBack(slot, word)) return false;
    this.#result.replayed++;
    return true;
  }

  /** @returns the first word of the record of the worker that executed the slot's present use, -1: none had begun */
  #recordOf(slot: number, word: number): number {
    const { words } = this.#data;
    let found = -1;
    for (let worker = 0; worker < MAX_WORKERS; worker++) {
      const record = workerBase(this.#geometry, worker);
      if (load(words, record + WorkerRecord.slot) !== slot + 1 || words[record + WorkerRecord.slotWord] !== word)
        continue;
      // A worker that had just put the request back may still name it, with nothing done.
      if (found < 0 || words[record + WorkerRecord.done] > words[found + WorkerRecord.done]) found = record;
    }
    return found;
  }

  /** Whether a chunk belongs to nothing that is still to come: a use that has ended, or a dead worker's answer. */
  #isStale(use: number, slot: number, chunk: number): boolean {
    if (slot >= this.#table.count) return true;
    const word = this.#table.word(slot);
    if (stateOf(word) === SlotState.free || useOf(slot, word) !== use) return true;
    if (stateOf(word) !== SlotState.submitted) return false;
    const base = this.#table.base(slot);
    const first = this.#ctl.words[base + Slot.extent] - 1;
    return chunk < first || chunk >= first + this.#ctl.words[base + Slot.extentChunks];
  }

  #clearRecords(): void {
    for (let worker = 0; worker < MAX_WORKERS; worker++) {
      store(this.#data.words, workerBase(this.#geometry, worker) + WorkerRecord.slot, 0);
    }
  }
}
