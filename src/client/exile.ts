/**
 * How long a client stays away that was expelled before it connects again, under another index: each time in a row twice
 * as long as before. It may be innocent: whoever can write into shared memory can act in its name (ADR 14).
 */
import { performance } from 'node:perf_hooks';

import type { Session } from './session.js';

const FIRST_MS = 1000;
const MAX_MS = 30_000;
/** After so long without, it counts as the first time again. */
const CALM_MS = 60_000;

export class Exile {
  #session: Session | undefined;
  #pauseMs = 0;
  #endsAt = 0;

  /** Whether a session was expelled, and its client is to stay away for now. */
  isOn(session: Session, now = performance.now()): boolean {
    if (!session.isExpelled) return false;
    if (session !== this.#session) {
      this.#session = session;
      const isRepeated = this.#pauseMs > 0 && now - this.#endsAt < CALM_MS;
      this.#pauseMs = isRepeated ? Math.min(MAX_MS, 2 * this.#pauseMs) : FIRST_MS;
      this.#endsAt = now + this.#pauseMs;
    }
    return now < this.#endsAt;
  }
}
