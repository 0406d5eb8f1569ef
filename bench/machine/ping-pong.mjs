/** Two processes that hand a number to and fro through shared words, each on a cache line of its own. */
import { native } from '../../dist/native.js';

/** Written by the asker: what to do. Then the asker's number, and the echo's. */
const MODE = 0;
const PING = 64;
const PONG = 128;
const MODES = /** @type {const} */ ({ spin: 1, futex: 2, paced: 2, stop: 3 });
/** @typedef {keyof typeof MODES} PingPongMode */
export const STOP = 'stop';

const BATCH = 500;
const WAIT_MS = 1000;
const PAUSE_MS = 2;

/**
 * @param {Int32Array} words
 * @param {PingPongMode} mode
 * @param {number} count of round trips
 * @returns {number} median microseconds of one; of batches, where one is too short to time
 */
export function pingPong(words, mode, count) {
  Atomics.store(words, MODE, MODES[mode]);
  const batch = mode === 'spin' ? BATCH : 1;
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const times = [];
  for (let left = count; left > 0; left -= batch) {
    if (mode === 'paced') Atomics.wait(pause, 0, 0, PAUSE_MS);
    const startedAt = performance.now();
    for (let i = 0; i < batch; i++) {
      const number = (Atomics.load(words, PING) + 1) | 0;
      Atomics.store(words, PING, number);
      if (mode === 'stop') break;
      if (mode === 'spin') spinUntil(words, PONG, number);
      else sleepUntil(words, PING, PONG, number);
    }
    times.push(((performance.now() - startedAt) * 1000) / batch);
  }
  // An echo that sleeps must see the next mode.
  native.futexWake(words, PING, 1);
  times.sort((a, b) => a - b);
  return times[times.length >> 1];
}

/** The other process. Returns when it is told to stop. @param {Int32Array} words */
export function echo(words) {
  for (let seen = 0; ;) {
    const mode = Atomics.load(words, MODE);
    if (mode === MODES.stop) return;
    if (mode === 0 || mode === MODES.futex) native.futexWait(words, PING, seen, mode === 0 ? 1 : 50);
    const number = Atomics.load(words, PING);
    if (number === seen) continue;
    seen = number;
    Atomics.store(words, PONG, number);
    if (mode === MODES.futex) native.futexWake(words, PONG, 1);
  }
}

/**
 * @param {Int32Array} words
 * @param {number} index
 * @param {number} number
 */
function spinUntil(words, index, number) {
  while (Atomics.load(words, index) !== number) void 0;
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
  for (let found = Atomics.load(words, pong); found !== number; found = Atomics.load(words, pong)) {
    native.futexWait(words, pong, found, WAIT_MS);
  }
}
