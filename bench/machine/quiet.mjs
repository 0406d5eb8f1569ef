/** Is anyone else at work on this machine? Waits, for a bounded time, until hardly anyone is. */
import { setTimeout as delay } from 'node:timers/promises';

import { cpuMicrosOf, machineBusyMicros } from './cpu.mjs';

const LOOK_MS = 500;
/** Of one CPU. */
const QUIET_SHARE = 0.1;

export class Quiet {
  /** @type {string[]} */
  warnings = [];
  #foreignMicros = 0;
  #watchedMs = 0;

  /**
   * @param {string} what is about to be measured
   * @param {number} maxWaitMs
   */
  async wait(what, maxWaitMs) {
    const giveUpAt = Date.now() + maxWaitMs;
    for (;;) {
      const before = machineBusyMicros();
      await delay(LOOK_MS);
      const share = (machineBusyMicros() - before) / 1000 / LOOK_MS;
      if (share <= QUIET_SHARE) return;
      if (Date.now() < giveUpAt) continue;
      this.warnings.push(`${what}: the machine was not quiet before it began (${percent(share)} of a CPU in use)`);
      return;
    }
  }

  /**
   * Notes how much CPU other processes use while `work` runs.
   * @template T
   * @param {number[]} pids the measured processes
   * @param {() => Promise<T>} work
   * @returns {Promise<T>}
   */
  async watch(pids, work) {
    const own = [process.pid, ...pids.filter((pid) => pid !== process.pid)];
    const before = machineBusyMicros() - cpuMicrosOf(own);
    const startedAt = performance.now();
    const result = await work();
    this.#foreignMicros += machineBusyMicros() - cpuMicrosOf(own) - before;
    this.#watchedMs += performance.now() - startedAt;
    return result;
  }

  /** Ends a stretch of watching. @param {string} what was measured */
  conclude(what) {
    const share = this.#watchedMs === 0 ? 0 : this.#foreignMicros / 1000 / this.#watchedMs;
    if (share > QUIET_SHARE) this.warnings.push(`${what}: others used ${percent(share)} of a CPU meanwhile`);
    this.#foreignMicros = 0;
    this.#watchedMs = 0;
  }
}

/** @param {number} share */
const percent = (share) => `${(share * 100).toFixed(0)} %`;
