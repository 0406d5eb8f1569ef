/**
 * The history of one process, in a file that survives its SIGKILL: what is about to be done is written before it is done,
 * and its outcome afterwards. What has no outcome may have happened at any time since, or not. One line of JSON each:
 *   ["i", number, time, session, name, [[key, ...arguments], ...]]
 *   ["r", number, time, "ok" | "no" | "unknown", [result, ...]]     null: undefined
 *   ["f", time, what should not have been]
 * Times are nanoseconds of CLOCK_MONOTONIC, which all processes of a host share, since `start`.
 */
import { openSync, writeSync } from 'node:fs';

/** @typedef {'ok' | 'no' | 'unknown'} Outcome */

/** @param {string} start */
export const since = (start) => Number(process.hrtime.bigint() - BigInt(start));

export class Recorder {
  #file;
  #start;
  #last = 0;

  /** @param {string} path @param {string} start nanoseconds, as text */
  constructor(path, start) {
    this.#file = openSync(path, 'ax', 0o600);
    this.#start = start;
  }

  /** @param {number} session @param {string} name @param {readonly (readonly unknown[])[]} items @returns {number} */
  begin(session, name, items) {
    const number = ++this.#last;
    this.#write(['i', number, since(this.#start), session, name, items]);
    return number;
  }

  /** @param {number} number @param {Outcome} outcome @param {readonly unknown[]} [results] */
  end(number, outcome, results = []) {
    this.#write(['r', number, since(this.#start), outcome, results]);
  }

  /** @param {string} what */
  fault(what) {
    this.#write(['f', since(this.#start), what]);
  }

  /** @param {unknown[]} record */
  #write(record) {
    writeSync(this.#file, `${JSON.stringify(record)}\n`);
  }
}
