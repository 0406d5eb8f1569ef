/** The disk under a log: a folder on one, and what a durable append costs there without anything else. */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** @import { Runner } from '../sections/measure.mjs' */

/** What it is called in results. */
export const BARE = 'bare append and fdatasync';
const TMPFS = 0x01021994;
const project = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url));

/** A new folder on a file system that is not memory, and what removes it. */
export function diskFolder() {
  const parent = [tmpdir(), project].find((path) => statfsSync(path).type !== TMPFS);
  if (parent === undefined) throw new Error('there is no disk to write to: all folders are tmpfs');
  const path = mkdtempSync(join(parent, 'kvs-bench-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/**
 * One process that appends to a file and calls fdatasync, again and again.
 * @param {string} folder
 * @param {{ bytes: number, ms: number }} options
 * @returns {Runner & { close: () => void }}
 */
export function bareAppends(folder, { bytes, ms }) {
  const fd = openSync(join(folder, 'bare'), 'w');
  const record = Buffer.alloc(bytes, 'r');
  return {
    peer: BARE,
    pids: [],
    async round() {
      const times = [];
      const cpu = process.cpuUsage();
      const startedAt = performance.now();
      let now = startedAt;
      while (now - startedAt < ms) {
        writeSync(fd, record);
        fdatasyncSync(fd);
        const after = performance.now();
        times.push(after - now);
        now = after;
      }
      const ops = times.length;
      const { user, system } = process.cpuUsage(cpu);
      const timesMs = [Float32Array.from(times)];
      return {
        opsPerS: (ops / (now - startedAt)) * 1000,
        ops,
        cpuMicrosPerOp: (user + system) / ops,
        wrong: 0,
        timesMs,
      };
    },
    close: () => closeSync(fd),
  };
}
