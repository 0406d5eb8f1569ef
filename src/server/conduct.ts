/**
 * How clients behave, in memory that only the server's threads share: how many requests of each were such as no client
 * of ours makes, and who is expelled. Owners in shared memory are hints: anybody can put another's index there, so what is
 * held against a client never costs it more than a pause (ADR 14).
 */
import { MAX_CLIENTS } from '../memory/layout.js';
import { add, exchange, load, store } from '../memory/words.js';

const EXPELLED = MAX_CLIENTS;
const TOTAL_FAULTS = 2 * MAX_CLIENTS;
const TOTAL_EXPELLED = TOTAL_FAULTS + 1;

export class Conduct {
  /** By client: its faults; behind them, by client: 1 if it is expelled; then the totals. */
  readonly #words: Int32Array;

  /** Shared by all threads of the server. */
  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer((TOTAL_EXPELLED + 1) * 4);
  }

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
  }

  /** A request of the client was malformed. */
  blame(client: number): void {
    if (client >= MAX_CLIENTS) return;
    add(this.#words, client, 1);
    add(this.#words, TOTAL_FAULTS, 1);
  }

  /** Of anybody, ever. */
  get totalFaults(): number {
    return load(this.#words, TOTAL_FAULTS);
  }

  faultsOf(client: number): number {
    return load(this.#words, client);
  }

  forgive(client: number): void {
    store(this.#words, client, 0);
  }

  /** Asked for each request. */
  isExpelled(client: number): boolean {
    return load(this.#words, EXPELLED + client) === 1 && client < MAX_CLIENTS;
  }

  /** @returns false: it was already */
  expel(client: number): boolean {
    if (exchange(this.#words, EXPELLED + client, 1) === 1) return false;
    add(this.#words, TOTAL_EXPELLED, 1);
    return true;
  }

  /** The index is about to be given to another client. */
  forget(client: number): void {
    store(this.#words, EXPELLED + client, 0);
    this.forgive(client);
  }

  /** How many clients were expelled so far. */
  get totalExpelled(): number {
    return load(this.#words, TOTAL_EXPELLED);
  }
}
