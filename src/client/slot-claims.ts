/**
 * Claims slots for one client: first those it used last, whose memory is warm, then any, up to its limit. While others
 * wait for a slot, a client takes no more than its share of them.
 */
import { ownerOf, SlotState, stateOf } from '../exchange/slot-word.js';
import type { SlotTable } from '../exchange/slot-table.js';
import { CtlHeader } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { load } from '../memory/words.js';

export class SlotClaims {
  /** The word of the slot that claim() has just won. */
  word = 0;
  readonly #words: Int32Array;
  readonly #table: SlotTable;
  readonly #client: number;
  readonly #mask: number;
  /** Slots released by this client, the latest on top; others may have taken them since. */
  readonly #recent: Int32Array;
  #recentCount = 0;
  #cursor: number;
  readonly #limit: number;
  #held = 0;

  constructor(ctl: SegmentViews, table: SlotTable, client: number, limit: number) {
    this.#words = ctl.words;
    this.#table = table;
    this.#client = client;
    this.#limit = limit;
    this.#mask = table.count - 1;
    this.#recent = new Int32Array(table.count);
    // Spread, so that clients rarely try for the same slot.
    this.#cursor = Math.imul(client, 0x9e3779b1) & this.#mask;
    this.#discardForeign();
  }

  /**
   * A client that has just taken its lease holds nothing: what stands in its name somebody has written there. (What the
   * last one of the index left is with a worker, which frees it.)
   */
  #discardForeign(): void {
    for (let slot = 0; slot <= this.#mask; slot++) {
      const word = this.#table.word(slot);
      const state = stateOf(word);
      const isClients = state === SlotState.building || state === SlotState.submitted || state === SlotState.done;
      if (isClients && ownerOf(word) === this.#client) this.#table.release(slot, word);
    }
  }

  /** Whether only an answer to one of its own requests lets this client claim another slot. */
  get isAtLimit(): boolean {
    return this.#held >= this.#limit;
  }

  /** @returns a slot in state BUILDING, -1: none is free, or it is others' turn */
  claim(): number {
    if (load(this.#words, CtlHeader.starving) > 0 && this.#held >= this.#share()) return -1;
    while (this.#recentCount > 0) {
      const slot = this.#recent[--this.#recentCount];
      if (this.#tryClaim(slot)) return slot;
    }
    for (let tries = 0; tries <= this.#mask; tries++) {
      const slot = this.#cursor;
      this.#cursor = (slot + 1) & this.#mask;
      if (this.#tryClaim(slot)) return slot;
    }
    return -1;
  }

  #share(): number {
    return Math.max(1, Math.floor(this.#table.count / Math.max(1, load(this.#words, CtlHeader.clients))));
  }

  #tryClaim(slot: number): boolean {
    const word = this.#table.claim(slot, this.#client);
    if (word === 0) return false;
    this.word = word;
    this.#held++;
    return true;
  }

  /** From the state that `word` shows to FREE. */
  release(slot: number, word: number): void {
    this.#table.release(slot, word);
    this.#held--;
    if (this.#recentCount < this.#recent.length) this.#recent[this.#recentCount++] = slot;
  }

  /** The slot was left to its worker. */
  lost(): void {
    this.#held--;
  }
}
