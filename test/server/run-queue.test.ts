/** What the kernel says of threads and CPUs, and what it may not say. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import path from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { presentCpus, RunQueue } from '../../src/server/run-queue.js';

test('how many threads run is read anew at each look; where it cannot be read it is 0', () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'run-queue-'));
  onTestFinished(() => {
    rmSync(dir, { recursive: true });
  });
  const file = path.join(dir, 'loadavg');
  const lengthOf = (text: string): number => {
    writeFileSync(file, text);
    return queue.length;
  };
  writeFileSync(file, '');
  const queue = new RunQueue(file);
  expect(lengthOf('0.20 0.18 0.12 3/80 11206\n')).toBe(3);
  expect(lengthOf('12.20 10.18 9.12 17/1280 4711206\n')).toBe(17);
  expect(lengthOf('not to be read')).toBe(0);
  expect(lengthOf('')).toBe(0);
  queue.close();
  expect(lengthOf('0.20 0.18 0.12 3/80 11206\n')).toBe(0);
  expect(new RunQueue(path.join(dir, 'none')).length).toBe(0);
  // It can be opened, and not be read.
  expect(new RunQueue(dir).length).toBe(0);
  const real = new RunQueue();
  // This thread runs.
  expect(real.length).toBeGreaterThanOrEqual(1);
  real.close();
});

test('CPUs in use are counted, also where there are gaps; what cannot be read is 0', () => {
  const dir = mkdtempSync(path.join(tmpdir(), 'online-'));
  onTestFinished(() => {
    rmSync(dir, { recursive: true });
  });
  const file = path.join(dir, 'online');
  const countOf = (text: string): number => {
    writeFileSync(file, text);
    return presentCpus(file);
  };
  expect(countOf('0\n')).toBe(1);
  expect(countOf('0-3\n')).toBe(4);
  expect(countOf('0-1,4,8-11\n')).toBe(7);
  expect(countOf('')).toBe(0);
  expect(countOf('none')).toBe(0);
  expect(presentCpus(path.join(dir, 'missing'))).toBe(0);
  expect(presentCpus()).toBeGreaterThanOrEqual(availableParallelism());
});
