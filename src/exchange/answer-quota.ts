/**
 * Keeps answers that clients do not take from filling the arena. No client may have more waiting than is left for all: so
 * one alone has half of the room, two have a third each, and there is always some for the next one. Who has none waiting
 * always gets one more, so nobody waits for room but for what itself can give.
 * The count of each client, in memory that only the server's threads share, is never too low by more than what is being
 * written just now; when it says that there may be too much, the chunks of answers that wait to be taken are counted.
 * Choudhury and Hahne, "Dynamic Queue Length Thresholds for Shared-Memory Packet Switches" (1998), with a factor of one.
 */
import type { PayloadArena } from './payload-arena.js';
import { ownerOf, SlotState, stateOf, useOf } from './slot-word.js';
import type { SlotTable } from './slot-table.js';
import { MAX_CLIENTS } from '../memory/layout.js';
import { add, store } from '../memory/words.js';

/** In chunks. */
export interface AnswerLimits {
  readonly client: number;
  readonly all: number;
}

/** A sixteenth of all: as many clients may have that much. */
const UNCOUNTED_SHIFT = 4;

export class AnswerQuota {
  /** By client: chunks that its answers took since they were counted, and what was there then. */
  readonly #taken: Int32Array;
  readonly #table: SlotTable;
  readonly #arena: PayloadArena;
  readonly #limits: AnswerLimits;
  /** Chunks of a client that are admitted without a look at others'. */
  readonly #uncounted: number;

  /** Shared by all threads of the server. */
  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(MAX_CLIENTS * 4);
  }

  constructor(buffer: SharedArrayBuffer, table: SlotTable, arena: PayloadArena, limits: AnswerLimits) {
    this.#taken = new Int32Array(buffer);
    this.#table = table;
    this.#arena = arena;
    this.#limits = limits;
    this.#uncounted = Math.min(limits.client, limits.all >> UNCOUNTED_SHIFT);
  }

  /** Whether one more answer of this size may be written for the client; it is then taken to be. */
  admits(client: number, chunks: number): boolean {
    // Nobody's: the mender frees it soon.
    if (client >= MAX_CLIENTS) return true;
    if (add(this.#taken, client, chunks) + chunks <= this.#uncounted) return true;
    let own = 0;
    const all = this.#arena.countWhere((use, slot) => {
      if (slot >= this.#table.count) return false;
      const word = this.#table.word(slot);
      const isWaiting = stateOf(word) === SlotState.done && useOf(slot, word) === use;
      if (isWaiting && ownerOf(word) === client) own++;
      return isWaiting;
    });
    const isAdmitted = own === 0 || own + chunks <= Math.min(this.#limits.client, this.#limits.all - all);
    store(this.#taken, client, isAdmitted ? own + chunks : own);
    return isAdmitted;
  }
}
