/**
 * When the answers to asynchronous calls are looked for: at once, from a microtask, for about as long as a call takes
 * that a worker is waiting for; then from setImmediate for a while, offering the CPU after each look in vain; then the
 * event loop sleeps until the doorbell rings. Of microtasks so many run in a row at most that timers and I/O are kept
 * waiting for well under a millisecond.
 */
import { performance } from 'node:perf_hooks';

import { CpuOffers } from '../exchange/cpu-offers.js';
import { LONG_LOOK_MS } from '../exchange/spin-budget.js';

/** Looks from one microtask: some microseconds. */
const GLANCE_LOOKS = 400;
/** Microtasks in a row that look, without a turn of the event loop. */
const MAX_GLANCES = 64;

export interface LookoutParts {
  /** Looks for the oldest answer, so many times at most. */
  readonly glance: (looks: number) => void;
  /** Settles what has been answered. @returns whether anything moved */
  readonly advance: () => boolean;
  readonly isIdle: () => boolean;
  /** How many tasks all workers have taken so far (wraps at 32 bits). */
  readonly tasksTaken: () => number;
  /** There is nothing to look for. */
  readonly rest: () => void;
  /** Asks for a ring. @returns false: none will come, look() is called in time */
  readonly arm: (onRing: () => void) => boolean;
}

export class Lookout {
  readonly #parts: LookoutParts;
  readonly #offers: CpuOffers;
  /** Whether it looks again by itself, or is rung for. */
  #isScheduled = false;
  #isArmed = false;
  /** 0: as long as usual from the next look on. */
  #pollUntil = 0;
  /** Since the last turn of the event loop. */
  #glances = 0;

  constructor(parts: LookoutParts) {
    this.#parts = parts;
    this.#offers = new CpuOffers(parts.tasksTaken);
  }

  /** There is something to look for. */
  begin(): void {
    if (this.#isScheduled || this.#isArmed) return;
    if (++this.#glances > MAX_GLANCES) return this.#poll(0);
    this.#isScheduled = true;
    // Without the bookkeeping of queueMicrotask().
    void resolved.then(this.#onGlance);
  }

  /** Looks now, and goes on looking; as a rule because the bell has rung. */
  look(): void {
    if (!this.#isScheduled) this.#onPoll();
  }

  /** No ring is to be expected. */
  disarm(): void {
    this.#isArmed = false;
  }

  readonly #onGlance = (): void => {
    this.#isScheduled = false;
    const { advance, glance, isIdle, rest } = this.#parts;
    glance(GLANCE_LOOKS);
    advance();
    if (isIdle()) rest();
    else if (!this.#isScheduled) this.#poll(0);
  };

  #poll(until: number): void {
    this.#isScheduled = true;
    this.#pollUntil = until;
    setImmediate(this.#onPoll);
  }

  readonly #onPoll = (): void => {
    this.#isScheduled = false;
    this.#glances = 0;
    const { advance, arm, isIdle, rest } = this.#parts;
    const hasMoved = advance();
    if (isIdle()) return rest();
    const now = performance.now();
    if (hasMoved || this.#pollUntil === 0) return this.#poll(now + LONG_LOOK_MS);
    if (now < this.#pollUntil && this.#offers.offer(now) !== 'withheld') return this.#poll(this.#pollUntil);
    this.#isArmed = arm(this.#onRing);
    // SYNC: the last look after arming; pairs with the worker's look at `armed` after DONE.
    if (advance()) this.#poll(now + LONG_LOOK_MS);
  };

  readonly #onRing = (): void => {
    this.#isArmed = false;
    this.look();
  };
}

const resolved = Promise.resolve();
