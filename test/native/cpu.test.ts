/**
 * Giving a CPU to others, and leaving it. Seen to fail when leaving does nothing, when the thread may not come back, and
 * when one that is kept to some CPUs is moved all the same.
 */
import { expect, test } from 'vitest';

import { presentCpus } from '#dist/server/run-queue.js';

import { runFixture } from '../fixtures/processes.js';

test('yieldCpu lets another thread of the same CPU run', async () => {
  // Without it they would take turns once in some milliseconds, never so many times in a row.
  const { stdout, stderr } = await runFixture('native/yielding', []);
  expect({ stdout, stderr }).toEqual({ stdout: '500\n', stderr: '' });
});

interface Left {
  readonly said: number;
  readonly moved: number;
  readonly before: readonly number[];
  readonly after: readonly number[];
}

test('leaveCpu moves the thread and leaves it free, unless somebody keeps it to some CPUs', async () => {
  const { stdout, stderr } = await runFixture('native/leaving', [String(presentCpus())]);
  expect(stderr).toBe('');
  const { calls, free, fewer, kept } = JSON.parse(stdout) as { calls: number } & Record<
    'free' | 'fewer' | 'kept',
    Left
  >;
  const mayMove = free.before.length > 1 && free.before.length === presentCpus();
  expect(free.said).toBe(mayMove ? calls : 0);
  expect(free.after).toEqual(free.before);
  // One of the host's CPUs is not among those it may run on.
  expect(fewer).toMatchObject({ said: 0, after: fewer.before });
  // The kernel may move it back at any time.
  if (mayMove) expect(free.moved).toBeGreaterThan(calls / 2);
  expect(kept).toEqual({ said: 0, moved: 0, before: kept.after, after: [expect.any(Number)] });
});
