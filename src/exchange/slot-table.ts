/**
 * The response table: `slots` records of one request and its response each. Clients claim, submit, cancel and release;
 * workers begin and complete; the reaper reclaims. A slot is never reused while anyone may still write into it (but for
 * the hint `answered`): only its owner leaves BUILDING, SUBMITTED and DONE, only its worker leaves EXECUTING and ABANDONED.
 * If a process dies at any instruction, the word names owner and state, and the reaper takes it from there.
 */
import { Status } from '../errors.js';
import type { Geometry } from '../memory/layout.js';
import { Slot } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { cas, load, store } from '../memory/words.js';
import {
  claimedBy,
  generationOf,
  generationOfUse,
  nextFree,
  slotOfUse,
  SlotState,
  stateOf,
  useOf,
  withState,
} from './slot-word.js';

export class SlotTable {
  readonly count: number;
  readonly #words: Int32Array;
  readonly #firstWord: number;

  constructor(ctl: SegmentViews, geometry: Geometry) {
    this.count = geometry.slots;
    this.#words = ctl.words;
    this.#firstWord = geometry.slotsOffset / 4;
  }

  /** Word index of the slot's record; add `Slot.*` word offsets. */
  base(slot: number): number {
    return this.#firstWord + slot * (Slot.sizeBytes / 4);
  }

  word(slot: number): number {
    return load(this.#words, this.base(slot) + Slot.word);
  }

  /** How many slots are in a state that `isCounted` says yes to, one after the other: for people, and for draining. */
  countWhere(isCounted: (state: number) => boolean): number {
    let counted = 0;
    for (let slot = 0; slot < this.count; slot++) if (isCounted(stateOf(this.word(slot)))) counted++;
    return counted;
  }

  /** The uses of slots whose requests wait or are being executed, one after the other. */
  unfinished(): number[] {
    const uses: number[] = [];
    for (let slot = 0; slot < this.count; slot++) {
      const word = this.word(slot);
      const state = stateOf(word);
      if (state === SlotState.submitted || state === SlotState.executing) uses.push(useOf(slot, word));
    }
    return uses;
  }

  /** FREE → BUILDING for `owner`. @returns the new word, 0 if the slot is not free */
  claim(slot: number, owner: number): number {
    const index = this.base(slot) + Slot.word;
    const word = load(this.#words, index);
    if (stateOf(word) !== SlotState.free) return 0;
    const claimed = claimedBy(word, owner);
    return cas(this.#words, index, word, claimed) ? claimed : 0;
  }

  /** BUILDING → SUBMITTED. SYNC: publishes the request; pairs with begin(). @returns the new word, 0 if lost */
  submit(slot: number, building: number): number {
    return this.#step(slot, building, SlotState.submitted);
  }

  /** @returns the word of a request that waits to be executed, 0: the slot holds none */
  submitted(slot: number): number {
    const word = this.word(slot);
    return stateOf(word) === SlotState.submitted ? word : 0;
  }

  /** SUBMITTED → EXECUTING; stale and duplicate hints die here. @returns the new word, 0 if there is nothing to do */
  begin(slot: number, submitted = this.submitted(slot)): number {
    return submitted === 0 ? 0 : this.#step(slot, submitted, SlotState.executing);
  }

  /** EXECUTING → SUBMITTED: nothing was done, the request waits for its turn again. @returns whether it was done */
  putBack(slot: number, executing: number): boolean {
    return this.#step(slot, executing, SlotState.submitted) !== 0;
  }

  /** EXECUTING → DONE. SYNC: publishes the response; pairs with the client's look at DONE. @returns false: ABANDONED */
  complete(slot: number, executing: number): boolean {
    // Before the step: who sees it finds the word DONE as a rule, and who finds the word DONE has it.
    store(this.#words, this.base(slot) + Slot.answered, withState(executing, SlotState.done));
    return this.#step(slot, executing, SlotState.done) !== 0;
  }

  /**
   * Whether a use is answered, asked again and again: as long as it is not, this reads the line of the answer, which is
   * written little, and leaves the word's line to the worker. A hint that somebody has overwritten only delays the answer:
   * whoever gives up asking looks at the word.
   * @param done the word that the step to DONE leaves
   */
  isAnswered(slot: number, done: number): boolean {
    const base = this.base(slot);
    return load(this.#words, base + Slot.answered) === done && load(this.#words, base + Slot.word) === done;
  }

  /**
   * SUBMITTED → BUILDING: out of the workers' reach, to be released later. Until then it counts as pending, so what must
   * come after it still waits (for what it waited for itself). Not executed, now or later, but for what its record says
   * that a dead server has done of it.
   */
  withdraw(slot: number, submitted: number): boolean {
    if (this.#step(slot, submitted, SlotState.building) === 0) return false;
    // That an answer found no room says nothing of the slot's next use: the sweeper goes by it.
    this.#words[this.base(slot) + Slot.status] = Status.ok;
    return true;
  }

  /** EXECUTING → ABANDONED: the worker frees the slot when it has finished. */
  abandon(slot: number, word: number): boolean {
    const executing = withState(word, SlotState.executing);
    return this.#step(slot, executing, SlotState.abandoned) !== 0;
  }

  /** From the state that `word` shows, which the caller alone may leave, to FREE of the next generation. */
  release(slot: number, word: number): boolean {
    const index = this.base(slot);
    store(this.#words, index + Slot.waiter, 0);
    return cas(this.#words, index + Slot.word, word, nextFree(word));
  }

  /** Whether the use of a slot named by `use` (slot-word.ts) has not finished; false for any garbage. */
  isPending(use: number): boolean {
    const slot = slotOfUse(use);
    if (use < 0 || slot >= this.count) return false;
    const word = this.word(slot);
    if (generationOf(word) !== generationOfUse(use)) return false;
    const state = stateOf(word);
    return state !== SlotState.free && state !== SlotState.done;
  }

  #step(slot: number, from: number, to: SlotState): number {
    const word = withState(from, to);
    return cas(this.#words, this.base(slot) + Slot.word, from, word) ? word : 0;
  }
}
