/**
 * What it costs two processes of this machine to hand each other a word. Where its CPUs are virtual ones that changes
 * while the benchmark runs: they share a core now and not then, and everything that two threads do together takes longer.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { native } from '../../dist/native.js';
import { pingPong, stopEcho } from './ping-pong.mjs';

/** @import { ChildProcess } from 'node:child_process' */
/** @import { PingPongMode } from './ping-pong.mjs' */

const program = fileURLToPath(new URL('echo.mjs', import.meta.url));
const SEGMENT_BYTES = 4096;
/** Until both sides are compiled. */
const WARM_UP = 50_000;
const ROUND_TRIPS = 10_000;
/** What a look may take, about, where both processes have to share a CPU. */
const MAX_LOOK_MS = 50;

export class HandOver {
  /** @type {Int32Array} */
  #words;
  /** Sleeps while nothing is measured. @type {ChildProcess} */
  #echo;
  /** Whether the other process has gone. */
  #isLost = false;

  /** @param {Int32Array} words @param {ChildProcess} echo */
  constructor(words, echo) {
    this.#words = words;
    this.#echo = echo;
    this.roundTripUs('spin', WARM_UP, 1000);
  }

  /** @param {string} folder on tmpfs */
  static async start(folder) {
    const { fd, buffer } = native.createSegment('/dev/shm', SEGMENT_BYTES, 0o600);
    const path = `${folder}/hand-over`;
    native.linkSegment(fd, path);
    closeSync(fd);
    const echo = fork(program, [path, `${SEGMENT_BYTES}`]);
    process.on('exit', () => echo.kill());
    await once(echo, 'message');
    return new HandOver(new Int32Array(buffer), echo);
  }

  /** @returns {number} microseconds of a round trip now, both spinning; the median of some milliseconds; NaN: it cannot be had */
  look() {
    if (this.#isLost) return NaN;
    try {
      return this.roundTripUs('spin', ROUND_TRIPS, MAX_LOOK_MS);
    } catch {
      this.#isLost = true;
      return NaN;
    }
  }

  /**
   * @param {PingPongMode} mode
   * @param {number} count
   * @param {number} maxMs
   */
  roundTripUs(mode, count, maxMs = 10_000) {
    return pingPong(this.#words, mode, count, maxMs);
  }

  /** @returns {Promise<boolean>} whether it was there to the end */
  async stop() {
    if (!this.#isLost && this.#echo.exitCode === null && this.#echo.signalCode === null) {
      const ended = once(this.#echo, 'exit');
      stopEcho(this.#words);
      await ended;
      return true;
    }
    this.#echo.kill();
    return false;
  }
}
