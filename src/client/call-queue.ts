/** Calls in their order. Taking the first one costs the same however many there are. */
import type { Call } from './call.js';

/** So many that were taken are let go together. */
const LET_GO = 1024;

export class CallQueue {
  /** From #first on. */
  #calls: (Call | undefined)[] = [];
  #first = 0;

  get length(): number {
    return this.#calls.length - this.#first;
  }

  get first(): Call | undefined {
    return this.length === 0 ? undefined : this.#calls[this.#first];
  }

  push(call: Call): void {
    this.#calls.push(call);
  }

  /** In front of all others. */
  insert(call: Call): void {
    this.#calls.splice(this.#first, 0, call);
  }

  shift(): Call | undefined {
    const call = this.first;
    if (call === undefined) return undefined;
    // Nothing of it is kept for the sake of its place.
    this.#calls[this.#first++] = undefined;
    if (this.length === 0) this.clear();
    else if (this.#first >= LET_GO && this.#first >= this.length) this.#letGo();
    return call;
  }

  #letGo(): void {
    this.#calls = this.toArray();
    this.#first = 0;
  }

  toArray(): Call[] {
    return this.#calls.slice(this.#first) as Call[];
  }

  dropSettled(): void {
    this.#calls = this.toArray().filter((call) => !call.isSettled);
    this.#first = 0;
  }

  clear(): void {
    this.#calls.length = 0;
    this.#first = 0;
  }
}
