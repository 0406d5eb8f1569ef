/** How a client waits for a slot, or for room in the arena, that others have. */
import type { BellRinger } from '../exchange/bell-ringer.js';
import { ClientRecord, CtlHeader } from '../memory/layout.js';
import { add, cas, load } from '../memory/words.js';
import { native } from '../native.js';

export class Starvation {
  readonly #words: Int32Array;
  readonly #client: number;
  /** First word of the client's record. */
  readonly #record: number;
  readonly #ringer: BellRinger;

  constructor(words: Int32Array, client: number, record: number, ringer: BellRinger) {
    this.#words = words;
    this.#client = client;
    this.#record = record;
    this.#ringer = ringer;
  }

  /** Says that this client waits. @returns what to pass to sleep() */
  begin(): number {
    if (cas(this.#words, this.#record + ClientRecord.starving, 0, 1)) add(this.#words, CtlHeader.starving, 1);
    return load(this.#words, this.#record + ClientRecord.bell);
  }

  /** Blocks until a slot may be free, at most `timeoutMs`. */
  sleep(rings: number, timeoutMs: number): void {
    native.futexWait(this.#words, this.#record + ClientRecord.bell, rings, timeoutMs);
  }

  /** This client waits no more. */
  end(): void {
    if (load(this.#words, this.#record + ClientRecord.starving) === 0) return;
    if (cas(this.#words, this.#record + ClientRecord.starving, 1, 0)) add(this.#words, CtlHeader.starving, -1);
  }

  /** Gives a freed slot's turn to another client that waits for one. */
  wakeOther(): void {
    if (load(this.#words, CtlHeader.starving) > 0) this.#ringer.wakeOneStarving(this.#client);
  }
}
