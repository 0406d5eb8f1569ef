/**
 * Slots, the queue between them and the workers, and the chunks of the arena: every slot in somebody's hands, every
 * request where somebody finds it, every chunk of a use that goes on.
 */
import { Status } from '../errors.js';
import { OWNED } from '../exchange/payload-arena.js';
import { generationOf, ownerOf, slotOfUse, SlotState, stateOf, useOf, withState } from '../exchange/slot-word.js';
import { SlotTable } from '../exchange/slot-table.js';
import { Unsettled } from '../exchange/unsettled.js';
import { MAX_WORKERS, Slot, workerBase, WorkerRecord } from '../memory/layout.js';
import { load } from '../memory/words.js';
import type { Clients } from './clients.js';
import { hex, type Look } from './look.js';

export interface SlotTotals {
  free: number;
  building: number;
  submitted: number;
  executing: number;
  done: number;
  abandoned: number;
}

export interface ChunkTotals {
  free: number;
  /** In the extent of the request of the use that owns them, of its answer, or not yet in either. */
  requests: number;
  answers: number;
  claimed: number;
  /** Of nobody. */
  stale: number;
}

const STATES = Object.keys(SlotState) as (keyof SlotTotals)[];

export class Slots {
  readonly slots: SlotTotals = { free: 0, building: 0, submitted: 0, executing: 0, done: 0, abandoned: 0 };
  readonly chunks: ChunkTotals = { free: 0, requests: 0, answers: 0, claimed: 0, stale: 0 };
  readonly #look: Look;
  readonly #clients: Clients;
  readonly #table: SlotTable;
  readonly #unsettled: Unsettled;

  constructor(look: Look, clients: Clients) {
    this.#look = look;
    this.#clients = clients;
    this.#table = new SlotTable(look.ctl, look.geometry);
    this.#unsettled = new Unsettled(look.data, look.geometry);
  }

  /** @param queued the slots that the queue names */
  auditSlots(queued: ReadonlySet<number>): void {
    for (let slot = 0; slot < this.#table.count; slot++) {
      const word = this.#table.word(slot);
      const state = STATES[stateOf(word)];
      if (state !== undefined) this.slots[state]++;
      this.#auditSlot(slot, word, queued);
    }
  }

  #auditSlot(slot: number, word: number, queued: ReadonlySet<number>): void {
    const { suspects, isServed } = this.#look;
    const where = `slot ${slot}`;
    const owner = ownerOf(word);
    const name = STATES[stateOf(word)];
    const detail = `${name?.toUpperCase() ?? 'no state'}, generation ${generationOf(word)}, client ${owner}, word ${hex(word)}`;
    if (name === undefined) return suspects.add('slot-state', where, detail);
    if (name === 'free') {
      if (owner !== 0) suspects.add('slot-free-owned', where, detail);
      return;
    }
    if (name === 'executing' || name === 'abandoned') {
      // Between taking it and naming it a worker may have died; the next server finds it.
      const isUnsettled = this.#unsettled.has(slot, withState(word, SlotState.executing));
      if (isServed && !isUnsettled && !this.#isNamedByWorker(slot)) suspects.add('slot-unnamed', where, detail);
      return;
    }
    if (!this.#clients.has(owner)) suspects.add('slot-of-nobody', where, detail);
    if (name !== 'submitted') return;
    // The next server makes the queue anew.
    if (isServed && !queued.has(slot) && !this.#isPutAside(slot)) suspects.add('slot-unqueued', where, detail);
    this.#auditRequest(slot, word, where);
  }

  #isNamedByWorker(slot: number): boolean {
    const { data, geometry } = this.#look;
    for (let worker = 0; worker < MAX_WORKERS; worker++) {
      if (load(data.words, workerBase(geometry, worker) + WorkerRecord.slot) === slot + 1) return true;
    }
    return false;
  }

  /**
   * Workers put requests aside, in memory of their own, until what they must come after has finished, or for a while when
   * there was no room for the answer: that is what the slot says then.
   */
  #isPutAside(slot: number): boolean {
    const { words } = this.#look.ctl;
    const base = this.#table.base(slot);
    return this.#table.isPending(words[base + Slot.after]) || words[base + Slot.status] === Status.busy;
  }

  #auditRequest(slot: number, word: number, where: string): void {
    const { ctl, geometry, suspects } = this.#look;
    const base = this.#table.base(slot);
    const extent = ctl.words[base + Slot.extent];
    const chunks = ctl.words[base + Slot.extentChunks];
    if (extent === 0) return;
    const isInside = extent > 0 && chunks > 0 && extent - 1 + chunks <= geometry.arenaChunks;
    if (!isInside) return suspects.add('slot-extent', where, `chunks ${extent - 1} + ${chunks}, word ${hex(word)}`);
    const owners = geometry.chunkOwnersOffset / 4;
    const owner = useOf(slot, word) | OWNED;
    for (let chunk = extent - 1; chunk < extent - 1 + chunks; chunk++) {
      if (load(ctl.words, owners + chunk) === owner) continue;
      // What it carries is given back when it has been taken out of the state.
      if (this.#table.word(slot) !== word) return;
      return suspects.add('slot-extent', where, `chunk ${chunk}, word ${hex(word)}`);
    }
  }

  auditChunks(): void {
    const { ctl, geometry } = this.#look;
    const owners = geometry.chunkOwnersOffset / 4;
    for (let chunk = 0; chunk < geometry.arenaChunks; chunk++) {
      const owner = load(ctl.words, owners + chunk);
      if (owner === 0) this.chunks.free++;
      else this.chunks[this.#auditChunk(chunk, owner)]++;
    }
  }

  #auditChunk(chunk: number, owner: number): keyof ChunkTotals {
    const { ctl, suspects } = this.#look;
    const where = `chunk ${chunk}`;
    const use = owner & ~OWNED;
    const slot = slotOfUse(use);
    const detail = `owner ${hex(owner)}, slot ${slot}`;
    if ((owner & OWNED) === 0 || owner < 0 || slot >= this.#table.count) {
      suspects.add('chunk-word', where, detail);
      return 'stale';
    }
    const word = this.#table.word(slot);
    if (stateOf(word) === SlotState.free || useOf(slot, word) !== use) {
      suspects.add('chunk-stale', where, `${detail}, whose word is ${hex(word)}`);
      return 'stale';
    }
    const base = this.#table.base(slot);
    if (isWithin(ctl.words, base + Slot.extent, chunk)) return 'requests';
    const mayHaveAnswer = stateOf(word) !== SlotState.submitted && stateOf(word) !== SlotState.building;
    if (mayHaveAnswer && isWithin(ctl.words, base + Slot.responseExtent, chunk)) return 'answers';
    const isSettled = stateOf(word) === SlotState.submitted || stateOf(word) === SlotState.done;
    if (isSettled) suspects.add('chunk-unreferenced', where, `${detail}, whose word is ${hex(word)}`);
    return isSettled ? 'stale' : 'claimed';
  }
}

/** Whether the extent whose first chunk + 1 stands at `at`, and their number behind it, has the chunk. */
function isWithin(words: Int32Array, at: number, chunk: number): boolean {
  const first = words[at] - 1;
  return first >= 0 && chunk >= first && chunk < first + words[at + 1];
}
