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
import { type Geometry, MAX_CLIENTS, Slot, WorkerRecord } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { load, store } from '../memory/words.js';
import { ResponseWriter } from '../operation/response-writer.js';
import { repairMap } from '../store/map-repair.js';
import { Store } from '../store/store.js';
import type { BellRinger } from '../exchange/bell-ringer.js';

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
    const record = (this.#geometry.workersOffset + worker * WorkerRecord.sizeBytes) / 4;
    this.#workerBells.forget(worker);
    // As the dead thread: what it noted is ours now.
    const heap = new Store(this.#data, this.#geometry, worker).heap;
    heap.repair(worker);
    repairMap(this.#data, this.#geometry, worker);
    const pending = load(this.#data.words, record + WorkerRecord.pendingBlock);
    if (pending !== 0) heap.free(pending);
    this.#answer(record);
  }

  /** Answers the request that the thread was executing. */
  #answer(record: number): void {
    const { words } = this.#data;
    const slot = load(words, record + WorkerRecord.slot) - 1;
    const executing = words[record + WorkerRecord.slotWord];
    store(words, record + WorkerRecord.slot, 0);
    const table = new SlotTable(this.#ctl, this.#geometry);
    if (slot < 0 || slot >= table.count) return;
    const word = table.word(slot);
    const isAbandoned = word === withState(executing, SlotState.abandoned);
    if (word !== executing && !isAbandoned) return; // It had finished.
    const arena = new PayloadArena(this.#ctl, this.#geometry, 0);
    if (stateOf(word) === SlotState.executing) {
      const response = new ResponseWriter(this.#ctl, table, arena);
      response.begin(slot, executing);
      response.status(Status.internal);
      if (table.complete(slot, executing)) {
        this.#bells.ring(ownerOf(executing) & (MAX_CLIENTS - 1));
        native.futexWake(this.#ctl.words, table.base(slot) + Slot.word, 1);
        return;
      }
    }
    arena.reclaim(useOf(slot, executing));
    table.release(slot, table.word(slot));
  }
}
