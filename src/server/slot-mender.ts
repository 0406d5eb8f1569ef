/**
 * Frees slots whose word no client and no worker can have left so: anybody can write there, and what is overwritten
 * would be lost for as long as the server lives. A word counts only when it stands unchanged for a whole round.
 */
import { SlotTable } from '../exchange/slot-table.js';
import { ownerOf, SlotState, stateOf, withState } from '../exchange/slot-word.js';
import { clientBase } from '../memory/client-lease.js';
import { CLIENT_LEASE_BYTE, ClientRecord, LeaseState, MAX_CLIENTS } from '../memory/layout.js';
import type { OwnedRegion } from '../memory/region.js';
import { load, store } from '../memory/words.js';
import { native } from '../native.js';
import { isNamedByWorker } from './recovery.js';
import { Unsettled } from '../exchange/unsettled.js';

export class SlotMender {
  readonly #region: OwnedRegion;
  readonly #table: SlotTable;
  /** By slot: what was wrong in the last round, 0: nothing. */
  readonly #suspects: Int32Array;
  readonly #unsettled: Unsettled;

  constructor(region: OwnedRegion) {
    this.#region = region;
    this.#table = new SlotTable(region.ctl, region.geometry);
    this.#unsettled = new Unsettled(region.data, region.geometry);
    this.#suspects = new Int32Array(this.#table.count);
  }

  /** One round; some seconds should pass between two. @returns how many slots came free; their chunks are left to Reaper.sweepChunks() */
  mend(): number {
    let freed = 0;
    for (let slot = 0; slot < this.#table.count; slot++) {
      const word = this.#table.word(slot);
      const isWrong = this.#isWrong(slot, word);
      if (isWrong && this.#suspects[slot] === word && this.#table.release(slot, word)) freed++;
      this.#suspects[slot] = isWrong ? word : 0;
    }
    return freed;
  }

  #isWrong(slot: number, word: number): boolean {
    const state = stateOf(word);
    // A worker may be writing into it, whatever the word says.
    if (state === SlotState.free || isNamedByWorker(this.#region.data, this.#region.geometry, slot)) return false;
    const isExecuting = state === SlotState.executing || state === SlotState.abandoned;
    if (isExecuting && this.#unsettled.has(slot, withState(word, SlotState.executing))) return false;
    if (state === SlotState.executing || state >= SlotState.abandoned) return true;
    const owner = ownerOf(word);
    return owner >= MAX_CLIENTS || this.#isUnused(owner);
  }

  /** By its lease in the end: the record can be overwritten too, and then the reaper would overlook a living client. */
  #isUnused(client: number): boolean {
    const { words } = this.#region.ctl;
    const inUse = clientBase(this.#region, client) + ClientRecord.inUse;
    if (load(words, inUse) !== 0) return false;
    if (!native.isByteLocked(this.#region.ctlFd, CLIENT_LEASE_BYTE + client)) return true;
    store(words, inUse, LeaseState.leased);
    return false;
  }
}
