/**
 * A mutex between the server's worker threads, in one shared word:
 *   0 free | worker + 1 held | CONTENDED set: somebody sleeps on the word.
 * Only the server's threads write it. If a holder dies, the word still names it: server/recovery.ts sets right what it
 * guarded and then releases it. Algorithm: Drepper, "Futexes Are Tricky" (2011), mutex 2.
 */
import { performance } from 'node:perf_hooks';

import { native } from '../native.js';
import { cas, exchange, load } from './words.js';

const CONTENDED = 0x100;
const HOLDER_MASK = 0xff;
const SPINS = 200;
const SLICE_MS = 50;
/**
 * A critical section lasts microseconds, or milliseconds for the largest values; this long, counted while this thread
 * runs (a whole process may be stopped for hours), means it is stuck.
 */
const GIVE_UP_MS = 30_000;
const TIMED_OUT = 2;
const INTERRUPTED = 3;

/** Told who holds a lock that this thread has waited for for a while. */
let whileWaiting: ((holder: number) => void) | undefined;

/**
 * Runs `work`; when that waits for a lock, `onWait` is told every 50 ms which worker holds it, if one still does. For the
 * thread that cleans up after those that have died: it must not wait for one of them.
 */
export function lockingBeside<T>(onWait: (holder: number) => void, work: () => T): T {
  const outer = whileWaiting;
  whileWaiting = onWait;
  try {
    return work();
  } finally {
    whileWaiting = outer;
  }
}

/** @throws Error when the lock could not be taken within 30 s of waiting */
export function lock(words: Int32Array, index: number, worker: number): void {
  const mine = worker + 1;
  if (cas(words, index, 0, mine)) return;
  for (let spin = 0; spin < SPINS; spin++) {
    if (load(words, index) === 0 && cas(words, index, 0, mine)) return;
  }
  lockSlowly(words, index, mine);
}

function lockSlowly(words: Int32Array, index: number, mine: number): void {
  let waitedMs = 0;
  let slicesTold = 0;
  while (waitedMs < GIVE_UP_MS) {
    const word = load(words, index);
    if (word === 0) {
      // Others may sleep on the word too: keep it marked.
      if (cas(words, index, 0, mine | CONTENDED)) return;
    } else if ((word & CONTENDED) !== 0 || cas(words, index, word, word | CONTENDED)) {
      const startedAt = performance.now();
      const result = native.futexWait(words, index, word | CONTENDED, SLICE_MS);
      if (result === TIMED_OUT) waitedMs += SLICE_MS;
      // By a profiler, say, each time.
      else if (result === INTERRUPTED) waitedMs += Math.min(performance.now() - startedAt, SLICE_MS);
      const slices = Math.floor(waitedMs / SLICE_MS);
      const holder = holderOf(words, index);
      if (slices > slicesTold && holder >= 0) whileWaiting?.(holder);
      slicesTold = slices;
    }
  }
  throw new Error(`lock word ${index} is held by worker ${holderOf(words, index)} for more than ${GIVE_UP_MS} ms`);
}

export function unlock(words: Int32Array, index: number): void {
  if ((exchange(words, index, 0) & CONTENDED) !== 0) native.futexWake(words, index, 1);
}

/** @returns the worker that holds the lock, -1: nobody */
export const holderOf = (words: Int32Array, index: number): number => (load(words, index) & HOLDER_MASK) - 1;
