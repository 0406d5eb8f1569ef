/**
 * Keeps answers that one client does not take from filling the arena. The count of each client, in memory that only the
 * server's threads share, is never too low by more than what is being written just now; when it says that there is too
 * much, the chunks of answers that wait to be taken are counted. Who has none waiting always gets one more, so nobody
 * waits for room but for what itself can give.
 */
import type { PayloadArena } from './payload-arena.js';
import { ownerOf, SlotState, stateOf, useOf } from './slot-word.js';
import type { SlotTable } from './slot-table.js';
import { MAX_CLIENTS } from '../memory/layout.js';
import { add, store } from '../memory/words.js';

export class AnswerQuota {
  /** By client: chunks that its answers took since they were counted, and what was there then. */
  readonly #taken: Int32Array;
  readonly #table: SlotTable;
  readonly #arena: PayloadArena;
  readonly #maxChunks: number;

  /** Shared by all threads of the server. */
  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(MAX_CLIENTS * 4);
  }

  constructor(buffer: SharedArrayBuffer, table: SlotTable, arena: PayloadArena, maxChunks: number) {
    this.#taken = new Int32Array(buffer);
    this.#table = table;
    this.#arena = arena;
    this.#maxChunks = maxChunks;
  }

  /** Whether one more answer of this size may be written for the client; it is then taken to be. */
  admits(client: number, chunks: number): boolean {
    // Nobody's: the mender frees it soon.
    if (client >= MAX_CLIENTS) return true;
    if (add(this.#taken, client, chunks) + chunks <= this.#maxChunks) return true;
    const waiting = this.#countWaiting(client);
    const isAdmitted = waiting === 0 || waiting + chunks <= this.#maxChunks;
    store(this.#taken, client, isAdmitted ? waiting + chunks : waiting);
    return isAdmitted;
  }

  /** Chunks of answers that the client has not taken. */
  #countWaiting(client: number): number {
    return this.#arena.countWhere((use, slot) => {
      if (slot >= this.#table.count) return false;
      const word = this.#table.word(slot);
      return stateOf(word) === SlotState.done && ownerOf(word) === client && useOf(slot, word) === use;
    });
  }
}
