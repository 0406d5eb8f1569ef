/**
 * All interleavings of three workers that take and release the shipped lock, without any time-out: it is never had by
 * two, and from every state there is a way to all having had it: a lost wake-up is a state in which everybody sleeps.
 * It looks twice before it goes to sleep; all further looks at a lock that is held follow at once: one that comes later
 * meets the same, or what it does next fails and it looks again.
 * A worker that dies while it is being woken takes the wake-up with it; then the others' sleep ends by its time-out, which
 * is not here.
 * Seen to fail by `npm run test:mutations`.
 */
import './atomic-words.js';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { lock, unlock } from '#dist/memory/lock.js';
import { native } from '#dist/native.js';

import { type Actor, atomically, Blocked, explore } from './explore.js';

interface Ghost {
  holder: number;
}

const LOCK = 0;
/** Looks that are steps: one finds it held, one may find it free. */
const SPINS = 2;
/** A bit per sleeper. */
const SLEEPERS = 32;
const words = new Int32Array(new SharedArrayBuffer(256));
/** Who runs just now. */
let current = 0;

beforeEach(() => {
  // As the kernel does: who sleeps is woken by a wake that comes later, and one wake wakes one.
  vi.spyOn(native, 'futexWait').mockImplementation((_, index, expected) => {
    const mine = 1 << current;
    const isAsleep = atomically(SLEEPERS, () => {
      if (words[index] !== expected) return 0;
      words[SLEEPERS] |= mine;
      return 1;
    });
    if (isAsleep === 0) return 1;
    atomically(SLEEPERS, () => {
      if ((words[SLEEPERS] & mine) !== 0) throw new Blocked();
      return 0;
    });
    return 0;
  });
  vi.spyOn(native, 'futexWake').mockImplementation(() =>
    atomically(SLEEPERS, () => {
      words[SLEEPERS] &= words[SLEEPERS] - 1;
      return 1;
    }),
  );
});
afterEach(() => vi.restoreAllMocks());

function worker(id: number, rounds: number): Actor<Ghost> {
  const as = (run: () => void) => () => {
    current = id;
    run();
  };
  return {
    name: `worker ${id}`,
    start: { pc: 0 },
    choices({ pc }) {
      if (pc === 2 * rounds) return [];
      if (pc % 2 === 1) {
        const run = as(() => unlock(words, LOCK));
        return [{ name: 'unlock', run, after: (local) => void local.pc++ }];
      }
      return [
        {
          name: 'lock',
          run: as(() => lock(words, LOCK, id)),
          after(local, ghost) {
            if (ghost.holder >= 0) throw new Error(`worker ${id} has the lock beside worker ${ghost.holder}`);
            ghost.holder = id;
            local.pc++;
          },
        },
      ];
    },
  };
}

test.each([[[1, 1, 1]], [[3, 3]], [[2, 1, 1]]])(
  'nobody has the lock beside another, or sleeps for ever: %j',
  (rounds) => {
    const { states, atRest } = explore<Ghost>({
      words,
      setUp: () => words.fill(0),
      isHidden: (kind, index, _, made) => kind === 'load' && index === LOCK && words[LOCK] !== 0 && made > SPINS,
      actors: rounds.map((each, id) => worker(id, each)),
      ghost: { holder: -1 },
      // The store that releases it comes before anybody is woken.
      observe({ kind, value }, ghost) {
        if (kind === 'exchange' && value === 0) ghost.holder = -1;
      },
      isAtRest: (_, ghost, snapshots) =>
        ghost.holder < 0 && snapshots.every(({ local }, id) => local.pc === 2 * rounds[id]),
    });
    expect(states).toBeGreaterThan(50);
    expect(atRest).toBeGreaterThan(0);
  },
);
