/** Two processes that hand a number to and fro through shared words, each on a cache line of its own. */
import { native } from '../../dist/native.js';

/** Written by the asker: how to wait. Then the asker's number, and the echo's. */
const MODE = 0;
const PING = 64;
const PONG = 128;
const MODES = /** @type {const} */ ({ rest: 0, futex: 0, paced: 0, spin: 1, stop: 2 });
/** How both wait: in a loop, asleep, asleep and the asker pauses before it asks. @typedef {'spin' | 'futex' | 'paced'} PingPongMode */

/** Round trips that are timed together where one is too short. */
const BATCH = 50;
const WAIT_MS = 1000;
const PAUSE_MS = 2;
/** What futexWait returns then. */
const TIMED_OUT = 2;
const SPINS_PER_LOOK = 1_000_000;
const GIVE_UP_MS = 10_000;

/**
 * @param {Int32Array} words
 * @param {PingPongMode} mode
 * @param {number} count of round trips
 * @param {number} maxMs after which it stops, however many there were
 * @returns {number} median microseconds of one; of batches, where one is too short to time
 * @throws {Error} when the other process is gone
 */
export function pingPong(words, mode, count, maxMs) {
  /** @type {number[]} */
  const times = [];
  try {
    ask(words, mode);
    timeBatches(words, mode, count, maxMs, times);
  } finally {
    Atomics.store(words, MODE, MODES.rest);
  }
  times.sort((a, b) => a - b);
  return times[times.length >> 1];
}

/**
 * @param {Int32Array} words
 * @param {PingPongMode} mode
 * @param {number} count
 * @param {number} maxMs
 * @param {number[]} times
 */
function timeBatches(words, mode, count, maxMs, times) {
  const batch = mode === 'spin' ? BATCH : 1;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const giveUpAt = performance.now() + maxMs;
  for (let left = count; left > 0; left -= batch) {
    if (mode === 'paced') Atomics.wait(pause, 0, 0, PAUSE_MS);
    const startedAt = performance.now();
    for (let i = 0; i < batch; i++) {
      const number = (Atomics.load(words, PING) + 1) | 0;
      Atomics.store(words, PING, number);
      if (mode === 'spin') spinUntil(words, PONG, number);
      else sleepUntil(words, PING, PONG, number);
    }
    const endedAt = performance.now();
    times.push(((endedAt - startedAt) * 1000) / batch);
    if (endedAt > giveUpAt) break;
  }
}

/** Ends the other process. @param {Int32Array} words */
export function stopEcho(words) {
  ask(words, 'stop');
}

/** Wakes the echo, which waits in that way from then on. @param {Int32Array} words @param {PingPongMode | 'stop'} mode */
function ask(words, mode) {
  Atomics.store(words, MODE, MODES[mode]);
  const number = (Atomics.add(words, PING, 1) + 1) | 0;
  native.futexWake(words, PING, 1);
  // It may spin already, and wakes nobody then.
  spinUntil(words, PONG, number);
}

/** The other process. Returns when it is told to stop, or the asker is gone. @param {Int32Array} words */
export function echo(words) {
  const asker = process.ppid;
  for (let seen = 0, looks = 1, isLast = false; !isLast; looks++) {
    const isSpinning = Atomics.load(words, MODE) === MODES.spin;
    const isLate = isSpinning
      ? looks % SPINS_PER_LOOK === 0
      : native.futexWait(words, PING, seen, WAIT_MS) === TIMED_OUT;
    if (isLate && process.ppid !== asker) return;
    const number = Atomics.load(words, PING);
    if (number === seen) continue;
    seen = number;
    isLast = Atomics.load(words, MODE) === MODES.stop;
    Atomics.store(words, PONG, number);
    if (!isSpinning) native.futexWake(words, PONG, 1);
  }
}

/**
 * @param {Int32Array} words
 * @param {number} index
 * @param {number} number
 */
function spinUntil(words, index, number) {
  for (let spins = 1; Atomics.load(words, index) !== number; spins++) {
    if (spins % SPINS_PER_LOOK === 0) checkPatience(spins);
  }
}

const gone = () => new Error(`the other process has not answered for ${GIVE_UP_MS / 1000} s`);

let impatientAt = 0;

/** @param {number} spins so far */
function checkPatience(spins) {
  if (spins === SPINS_PER_LOOK) impatientAt = performance.now() + GIVE_UP_MS;
  if (performance.now() > impatientAt) throw gone();
}

/**
 * Wakes the other process and sleeps until it has answered.
 * @param {Int32Array} words
 * @param {number} ping
 * @param {number} pong
 * @param {number} number
 */
function sleepUntil(words, ping, pong, number) {
  native.futexWake(words, ping, 1);
  let waits = 0;
  for (let found = Atomics.load(words, pong); found !== number; found = Atomics.load(words, pong)) {
    if (native.futexWait(words, pong, found, WAIT_MS) === TIMED_OUT && ++waits * WAIT_MS >= GIVE_UP_MS) throw gone();
  }
}
