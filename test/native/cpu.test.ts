/**
 * Giving a CPU to others, and leaving it. Seen to fail when leaving does nothing, when the thread may not come back, and
 * when one that is kept to some CPUs is moved all the same.
 */
import { cpus } from 'node:os';

import { expect, test } from 'vitest';

import { runFixture } from '../fixtures/processes.js';

test('yieldCpu lets another thread of the same CPU run', async () => {
  const { stdout, stderr } = await runFixture('native/yielding', []);
  expect(stderr).toBe('');
  const { turns, yields } = JSON.parse(stdout) as { turns: number; yields: number };
  // Without it they would take turns once in some milliseconds, and these calls take far less.
  expect(turns).toBeGreaterThan(yields / 2);
});

interface Left {
  readonly said: number;
  readonly moved: number;
  readonly before: string;
  readonly after: string;
}

test('leaveCpu moves the thread and leaves it free, unless somebody keeps it to some CPUs', async () => {
  const { stdout, stderr } = await runFixture('native/leaving', []);
  expect(stderr).toBe('');
  const { calls, free, kept } = JSON.parse(stdout) as { calls: number; free: Left; kept: Left };
  const mayMove = cpus().length > 1 && free.before === `0-${cpus().length - 1}`;
  expect(free.said).toBe(mayMove ? calls : 0);
  expect(free.after).toBe(free.before);
  // The kernel may move it back at any time.
  if (mayMove) expect(free.moved).toBeGreaterThan(calls / 2);
  expect(kept).toEqual({ said: 0, moved: 0, before: kept.before, after: kept.before });
});
