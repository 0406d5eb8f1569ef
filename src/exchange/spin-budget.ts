/**
 * How long to look for something before sleeping for it. Looking for about as long as a sleep and a wake-up take costs at
 * most twice the best possible (A. Karlin et al., "Empirical Studies of Competitive Spinning for a Shared-Memory
 * Multiprocessor", 1991). How long, follows the last wait: one that was short although it was slept through is followed by
 * a long look, after one that no look could have spared looks become short.
 * After the first microseconds whoever looks offers its CPU before each further look: whoever is looked for may be
 * waiting for this very one (docs/adr/0020). A call that was answered while somebody had taken an offer is followed by one
 * that offers it as soon as it takes longer than answers do that need none. Private to one thread.
 */
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';

import { CpuOffers, type OfferTaken } from './cpu-offers.js';

/** On a single CPU, whoever is waited for needs it. */
const isAlone = availableParallelism() === 1;
/** The longest look: longer than it takes to wake the other side and be answered. */
export const LONG_LOOK_MS = isAlone ? 0 : 0.2;
/** After something has come soon, as a rule. */
const USUAL_LOOK_MS = LONG_LOOK_MS / 4;
const SHORTEST_LOOK_MS = 0.004;
/** A wait of less, with the sleep and the wake-up, might have been a look. */
const SPARED_MS = 1.5 * LONG_LOOK_MS;
const LOOKS_PER_CLOCK = 32;
/** So long whoever looks keeps its CPU: most answers take less. */
const KEEP_CPU_MS = 0.005;
/** How much longer than usual an answer takes before the CPU is offered for it, after one that needed that. */
const MARGIN_MS = 0.0005;
/** Of so many such calls in a row one waits as long as ever, or it would never be known whether that is enough again. */
const SOONER_CALLS = 16;
/** With less time than that left, the CPU is not offered: whoever takes it may keep it for a slice. */
const OFFER_MS = 10;

/** What a look is part of, and must not outlast: a call. */
interface Timed {
  /** By performance.now(), once its clock was started. */
  readonly deadline: number;
  startClock(now: number): void;
}

export class SpinBudget {
  readonly #offers: CpuOffers;
  #limitMs = USUAL_LOOK_MS;
  /** What calls take, as a rule, that are answered before anybody has taken an offer. */
  #usualMs = KEEP_CPU_MS;
  /** From when on the next one offers the CPU; and how many in a row before it needed that. */
  #keepMs = KEEP_CPU_MS;
  #inARow = 0;
  /** When the look began that failed last; 0: the wait that followed is over. */
  #failedAt = 0;

  /** @param tasksTaken how many tasks all workers have taken so far (wraps at 32 bits) */
  constructor(tasksTaken: () => number, onTaken?: OfferTaken) {
    this.#offers = new CpuOffers(tasksTaken, onTaken);
  }

  /**
   * @param timed its clock runs from the first look at one
   * @returns whether `isThere` became true within the budget; false: say by slept() when the sleep that follows is over
   */
  spin(isThere: () => boolean, timed?: Timed): boolean {
    this.#failedAt = 0;
    if (isThere()) return true;
    if (isAlone) return false;
    const startedAt = performance.now();
    timed?.startClock(startedAt);
    const leftMs = timed === undefined ? Infinity : timed.deadline - startedAt;
    const limitMs = Math.min(this.#limitMs, leftMs);
    let tookMs = 0;
    let wasTaken = false;
    for (;;) {
      for (let look = 0; look < LOOKS_PER_CLOCK; look++) {
        if (!isThere()) continue;
        // Tasks come whenever somebody asks: how long one took to come says nothing of the next.
        if (timed !== undefined) this.#noteAnswer(tookMs, wasTaken);
        return this.#succeed(tookMs);
      }
      const now = performance.now();
      tookMs = now - startedAt;
      if (tookMs >= limitMs) break;
      if (tookMs > this.#keepMs && leftMs > OFFER_MS && this.#offers.offer(now) === 'taken') wasTaken = true;
    }
    this.#failedAt = startedAt;
    return false;
  }

  /** What was looked for in vain has come, or the sleep for it is over. */
  slept(): void {
    if (this.#failedAt === 0) return;
    const waitedMs = performance.now() - this.#failedAt;
    this.#failedAt = 0;
    this.#limitMs = waitedMs < SPARED_MS ? LONG_LOOK_MS : Math.max(SHORTEST_LOOK_MS, this.#limitMs / 4);
  }

  #noteAnswer(tookMs: number, wasTaken: boolean): void {
    this.#inARow = wasTaken ? this.#inARow + 1 : 0;
    if (!wasTaken) this.#usualMs += (Math.min(tookMs, KEEP_CPU_MS) - this.#usualMs) / 16;
    const isSooner = this.#inARow % SOONER_CALLS !== 0;
    this.#keepMs = isSooner ? Math.min(this.#usualMs + MARGIN_MS, KEEP_CPU_MS) : KEEP_CPU_MS;
  }

  /** @param tookMs until the look before the last, or 0 */
  #succeed(tookMs: number): true {
    this.#limitMs = Math.min(LONG_LOOK_MS, Math.max(USUAL_LOOK_MS, 2 * tookMs));
    return true;
  }
}
