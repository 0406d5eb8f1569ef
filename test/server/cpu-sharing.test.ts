/**
 * When a worker leaves its CPU to those it serves. Seen to fail when a few short turns are enough, when one long turn is, when
 * turns of long ago count, when it leaves though no CPU is idle or nobody knows, and when it asks again at once.
 */
import { beforeEach, expect, test, vi } from 'vitest';

import { native } from '../../src/native.js';
import { CpuSharing } from '../../src/server/cpu-sharing.js';
import { presentCpus } from '../../src/server/run-queue.js';

vi.mock('node:os', async (original) => ({ ...(await original<object>()), cpus: () => Array.from({ length: 2 }) }));

const leaveCpu = vi.spyOn(native, 'leaveCpu');
let now = 0;
let looks = 0;
beforeEach(() => {
  now = 1000;
  looks = 0;
  leaveCpu.mockReset().mockReturnValue(true);
});

/** A worker where so many threads want a CPU. */
function sharingOf(state: { length: number }): CpuSharing {
  return new CpuSharing({
    get length() {
      looks++;
      return state.length;
    },
  });
}

/** Others have the CPU for so long, so many times, with as much time in between. @returns how often the worker has left */
function turns(sharing: CpuSharing, tookMs: number, count: number): number {
  leaveCpu.mockClear();
  for (let i = 0; i < count; i++) {
    sharing.noteTaken(now, tookMs);
    now += 2 * tookMs;
  }
  return leaveCpu.mock.calls.length;
}

test('it leaves when others have had its CPU for 0.15 ms of the last two, in turns', () => {
  expect(turns(sharingOf({ length: 2 }), 0.01, 14)).toBe(0);
  expect(turns(sharingOf({ length: 2 }), 0.01, 16)).toBe(1);
  // However long it took, a single turn may be that of a thread that runs once.
  expect(turns(sharingOf({ length: 2 }), 1, 1)).toBe(0);
  expect(turns(sharingOf({ length: 2 }), 0.1, 2)).toBe(1);
});

test('turns of long ago do not count', () => {
  const sharing = sharingOf({ length: 2 });
  for (let i = 0; i < 20; i++) {
    expect(turns(sharing, 0.01, 10)).toBe(0);
    now += 2;
  }
});

test('it stays where no CPU is idle, or nobody knows, and does not ask for 4 ms', () => {
  for (const length of [3, 0]) {
    const state = { length };
    const sharing = sharingOf(state);
    const since = now;
    looks = 0;
    expect(turns(sharing, 0.05, 4)).toBe(0);
    expect(looks).toBe(1);
    state.length = 2;
    expect(turns(sharing, 0.05, Math.floor((since + 4 - now) / 0.1))).toBe(0);
    expect(turns(sharing, 0.05, 10)).toBe(1);
    now += 1000;
  }
});

test('the kernel is told how many CPUs are in use', () => {
  expect(turns(sharingOf({ length: 2 }), 0.1, 2)).toBe(1);
  expect(leaveCpu).toHaveBeenCalledWith(presentCpus());
});

test('it leaves once in a millisecond at most, and where it may not, asks once in a second', () => {
  const sharing = sharingOf({ length: 1 });
  expect(turns(sharing, 0.05, 100)).toBeLessThanOrEqual(10);
  expect(leaveCpu.mock.calls.length).toBeGreaterThanOrEqual(7);
  now += 10;
  leaveCpu.mockReturnValue(false);
  expect(turns(sharing, 0.05, 9000)).toBe(1);
});
