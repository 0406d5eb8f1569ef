/** Publishes the answers of requests that are done, and wakes who waits for them. */
import type { BellRinger } from '../exchange/bell-ringer.js';
import type { PayloadArena } from '../exchange/payload-arena.js';
import { ownerOf, SlotState, useOf, withState } from '../exchange/slot-word.js';
import type { SlotTable } from '../exchange/slot-table.js';
import { CtlHeader, MAX_CLIENTS, Slot } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { load } from '../memory/words.js';
import { native } from '../native.js';
import type { Parking } from './parking.js';

export class Answers {
  readonly #ctl: Int32Array;
  readonly #slots: SlotTable;
  readonly #arena: PayloadArena;
  readonly #bells: BellRinger;
  readonly #parking: Parking;

  constructor(ctl: SegmentViews, slots: SlotTable, arena: PayloadArena, bells: BellRinger, parking: Parking) {
    this.#ctl = ctl.words;
    this.#slots = slots;
    this.#arena = arena;
    this.#bells = bells;
    this.#parking = parking;
  }

  /** SYNC: the step to DONE publishes the response; pairs with the client's look at the word. The bells are yet to be flushed. */
  finish(slot: number, executing: number): void {
    const base = this.#slots.base(slot);
    const isAsync = this.#ctl[base + Slot.isAsync] !== 0;
    const owner = ownerOf(executing) & (MAX_CLIENTS - 1);
    if (!this.#slots.complete(slot, executing)) {
      const abandoned = withState(executing, SlotState.abandoned);
      // Nobody waits any more: the slot is ours to free. If it is answered already, its client reads the answer.
      if (this.#slots.word(slot) === abandoned) {
        this.#arena.reclaim(useOf(slot, executing));
        this.#slots.release(slot, abandoned);
      }
      this.#parking.release(useOf(slot, executing));
      if (load(this.#ctl, CtlHeader.starving) > 0) this.#bells.wakeOneStarving(owner);
      return;
    }
    this.#parking.release(useOf(slot, executing));
    if (isAsync) this.#bells.note(owner);
    if (load(this.#ctl, base + Slot.waiter) !== 0) native.futexWake(this.#ctl, base + Slot.word, 1);
  }
}
