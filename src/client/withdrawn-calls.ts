/**
 * Cancelled calls that keep their slots, in state BUILDING, until what they came after has finished: what comes after them
 * must come after that, too. Whoever goes on calling releases them in passing; for a client that has nothing more to do
 * a timer does, which there is only while there are such calls, and which keeps no process alive.
 */
import type { SlotTable } from '../exchange/slot-table.js';
import type { Call } from './call.js';

/** Between two looks while nothing is called; each is twice as long as the one before. */
const FIRST_LOOK_MS = 50;
const MAX_LOOK_MS = 1600;

export class WithdrawnCalls {
  readonly #table: SlotTable;
  readonly #release: (call: Call) => void;
  #calls: Call[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param release frees a call's slot, and the room that its request takes */
  constructor(table: SlotTable, release: (call: Call) => void) {
    this.#table = table;
    this.#release = release;
  }

  get isAny(): boolean {
    return this.#calls.length > 0;
  }

  add(call: Call): void {
    this.#calls.push(call);
    if (this.#timer === undefined) this.#lookAfter(FIRST_LOOK_MS);
  }

  /** Releases those whose predecessors have finished. @returns whether there were any */
  tidy(): boolean {
    const { length } = this.#calls;
    if (length === 0) return false;
    this.#calls = this.#calls.filter((call) => {
      if (this.#table.isPending(call.after)) return true;
      this.#release(call);
      return false;
    });
    if (this.#calls.length === 0) this.rest();
    return this.#calls.length < length;
  }

  #lookAfter(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.tidy();
      if (this.isAny) this.#lookAfter(Math.min(2 * ms, MAX_LOOK_MS));
    }, ms);
    this.#timer.unref();
  }

  /** No more looks: none is needed, or what they look at is gone. */
  rest(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Releases all of them: nothing comes after. */
  end(): void {
    this.rest();
    for (const call of this.#calls.splice(0)) this.#release(call);
  }
}
