/**
 * How many threads want a CPU, and how many CPUs there are. Both are the host's: that a process is kept to some of its
 * CPUs, and crowded there, is not noticed.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { availableParallelism, cpus } from 'node:os';

/** Some hide them. */
export const CPUS = cpus().length || availableParallelism();

/**
 * CPUs that the host has, whatever this thread may run on; 0: not known. In containers what says which are in use may be made
 * up to match a quota.
 * @param path of a file like /sys/devices/system/cpu/present
 */
export function presentCpus(path = '/sys/devices/system/cpu/present'): number {
  try {
    // 0-3,8
    const ranges = readFileSync(path, 'latin1').matchAll(/(\d+)(?:-(\d+))?/g);
    let count = 0;
    for (const [, first, last = first] of ranges) count += Number(last) - Number(first) + 1;
    return count;
  } catch {
    return 0;
  }
}

/** Threads that run, or could. */
export class RunQueue {
  readonly #text = Buffer.alloc(128);
  #file: number | undefined;

  /** @param path of a file like /proc/loadavg; one that cannot be read tells nothing */
  constructor(path = '/proc/loadavg') {
    try {
      this.#file = openSync(path, 'r');
    } catch {
      // Some hide /proc.
    }
  }

  /** Of all the host, this thread included; 0: not known. */
  get length(): number {
    if (this.#file === undefined) return 0;
    try {
      const bytes = readSync(this.#file, this.#text, 0, this.#text.length, 0);
      // 0.20 0.18 0.12 3/80 11206
      const running = /^(?:\S+ ){3}(\d+)\//.exec(this.#text.latin1Slice(0, bytes))?.[1];
      return Number(running ?? 0);
    } catch {
      this.close();
      return 0;
    }
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}
