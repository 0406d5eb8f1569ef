/**
 * When the answers to asynchronous calls are looked for: at once, from a microtask, for about as long as a call takes
 * that a worker is waiting for; then from setImmediate for some more microseconds; then the event loop sleeps until the
 * doorbell rings. Of microtasks so many run in a row at most that timers and I/O are kept waiting for well under a
 * millisecond. Where more threads want to run than there are CPUs, looking takes one from whoever is looked for: once a turn
 * of the event loop has taken far longer than it should, a single look in vain is followed by sleep, for a while.
 */
import { performance } from 'node:perf_hooks';

import { USUAL_SPIN_MS } from '../exchange/spin-budget.js';

/** Looks from one microtask: some microseconds. */
const GLANCE_LOOKS = 400;
/** Microtasks in a row that look, without a turn of the event loop. */
const MAX_GLANCES = 64;
/** A turn of the event loop that has taken longer was kept from a CPU, or had other things to do. */
const LONG_TURN_MS = 0.5;
/** Turns after such a one in which a look in vain is the last. */
const CROWDED_TURNS = 64;

export interface LookoutParts {
  /** Looks for the oldest answer, so many times at most. */
  readonly glance: (looks: number) => void;
  /** Settles what has been answered. @returns whether anything moved */
  readonly advance: () => boolean;
  readonly isIdle: () => boolean;
  /** There is nothing to look for. */
  readonly rest: () => void;
  /** Asks for a ring. @returns false: none will come, look() is called in time */
  readonly arm: (onRing: () => void) => boolean;
}

export class Lookout {
  readonly #parts: LookoutParts;
  /** Whether it looks again by itself, or is rung for. */
  #isScheduled = false;
  #isArmed = false;
  /** 0: as long as usual from the next look on. */
  #pollUntil = 0;
  /** Since the last turn of the event loop. */
  #glances = 0;
  /** When the turn under way began; 0: nobody knows. */
  #turnedAt = 0;
  #crowdedTurns = 0;

  constructor(parts: LookoutParts) {
    this.#parts = parts;
  }

  /** There is something to look for. */
  begin(): void {
    if (this.#isScheduled || this.#isArmed) return;
    if (++this.#glances > MAX_GLANCES) return this.#poll(0, 0);
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
    else if (!this.#isScheduled) this.#poll(0, 0);
  };

  #poll(until: number, now: number): void {
    this.#isScheduled = true;
    this.#pollUntil = until;
    this.#turnedAt = now;
    setImmediate(this.#onPoll);
  }

  readonly #onPoll = (): void => {
    this.#isScheduled = false;
    this.#glances = 0;
    const { advance, arm, isIdle, rest } = this.#parts;
    const hasMoved = advance();
    if (isIdle()) return rest();
    const now = performance.now();
    const isCrowded = this.#isCrowded(now);
    if (hasMoved || (!isCrowded && this.#pollUntil === 0)) return this.#poll(now + USUAL_SPIN_MS, now);
    if (!isCrowded && now < this.#pollUntil) return this.#poll(this.#pollUntil, now);
    this.#isArmed = arm(this.#onRing);
    // SYNC: the last look after arming; pairs with the worker's look at `armed` after DONE.
    if (advance()) this.#poll(now + USUAL_SPIN_MS, now);
  };

  #isCrowded(now: number): boolean {
    if (this.#turnedAt !== 0 && now - this.#turnedAt > LONG_TURN_MS) this.#crowdedTurns = CROWDED_TURNS;
    else if (this.#crowdedTurns > 0) this.#crowdedTurns--;
    this.#turnedAt = 0;
    return this.#crowdedTurns > 0;
  }

  readonly #onRing = (): void => {
    this.#isArmed = false;
    this.look();
  };
}

const resolved = Promise.resolve();
