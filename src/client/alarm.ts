/** A timer that goes off at the earliest of the times it is set by, and at the latest after one tick. */
import { performance } from 'node:perf_hooks';

export class Alarm {
  readonly #tickMs: number;
  readonly #onDue: () => void;
  #timer: NodeJS.Timeout | undefined;
  #due = 0;

  constructor(tickMs: number, onDue: () => void) {
    this.#tickMs = tickMs;
    this.#onDue = onDue;
  }

  get isSet(): boolean {
    return this.#timer !== undefined;
  }

  /** @param time performance.now() of the latest moment to go off at */
  setBy(time: number, keepsProcessAlive: boolean): void {
    const now = performance.now();
    const due = Math.min(time, now + this.#tickMs);
    if (this.#timer !== undefined) {
      if (this.#due <= due + 1) return;
      clearTimeout(this.#timer);
    }
    this.#due = due;
    this.#timer = setTimeout(this.#goOff, Math.max(0, due - now));
    if (!keepsProcessAlive) this.#timer.unref();
  }

  /** Lets the process end before it goes off. */
  unref(): void {
    this.#timer?.unref();
  }

  readonly #goOff = (): void => {
    this.#timer = undefined;
    this.#onDue();
  };
}
