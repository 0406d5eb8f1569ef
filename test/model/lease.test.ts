/**
 * All interleavings of processes that take a client's lease, use it and give it back, of which some die at any point, with
 * the shipped claimLease(), releaseLease() and Reaper; the kernel's locks are words that a death frees a moment later.
 * No two living processes have one index; nobody's record is cleared while it lives; in the end no index is lost.
 * Seen to fail when: one of the mutations of test/mutations/mutations.mjs is made.
 */
import './atomic-words.js';

import { beforeAll, expect, test, vi } from 'vitest';

import { claimLease, clientBase, releaseLease } from '#dist/memory/client-lease.js';
import { CLIENT_LEASE_BYTE, ClientRecord, CtlHeader, type Geometry, MAX_CLIENTS } from '#dist/memory/layout.js';
import type { OwnedRegion } from '#dist/memory/region.js';
import { viewsOf } from '#dist/memory/segment.js';
import { native } from '#dist/native.js';
import type { Conduct } from '#dist/server/conduct.js';
import { Reaper } from '#dist/server/reaper.js';

import { type Access, type Actor, atomically, explore, type Operation } from './explore.js';

interface Ghost {
  /** By index: the processes that have claimed it and not begun to give it back. */
  holders: string[][];
}

/** What is counted against clients is of no matter here, and in memory that is not explored. */
const conduct = { forget: () => {} } as unknown as Conduct;
const clientsOffset = CtlHeader.sizeBytes;
const pinsOffset = clientsOffset + MAX_CLIENTS * ClientRecord.sizeBytes;
const geometry = {
  clientsOffset,
  pinsOffset,
  slots: 0,
  slotsOffset: 0,
  arenaChunks: 0,
  chunkOwnersOffset: 0,
} as Geometry;
const ctl = viewsOf(new SharedArrayBuffer(pinsOffset + 128 + MAX_CLIENTS * 256));
const { words } = ctl;
/** The kernel's locks, by index: 0 or the descriptor of the process that has it. In the header, which nobody uses here. */
const LOCKS = 8;
const INDICES = 3;
const lockOf = (byte: number): number => LOCKS + byte - CLIENT_LEASE_BYTE;
const regionOf = (process: number): OwnedRegion => ({ ctl, geometry, ctlFd: process }) as OwnedRegion;

function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

beforeAll(() => {
  vi.spyOn(native, 'tryLockByte').mockImplementation(
    (fd, byte) =>
      atomically(lockOf(byte), () => {
        if (words[lockOf(byte)] !== 0) return 0;
        words[lockOf(byte)] = fd;
        return 1;
      }) === 1,
  );
  vi.spyOn(native, 'unlockByte').mockImplementation((fd, byte) => {
    atomically(lockOf(byte), () => {
      if (words[lockOf(byte)] === fd) words[lockOf(byte)] = 0;
      return 0;
    });
  });
});

/** A process that takes a lease, and gives it back, `rounds` times. */
function holder(name: string, process: number, rounds: number): Actor<Ghost> {
  const claim: Operation<Ghost> = {
    name: 'claim',
    run: (local) => void (local['index'] = claimLease(regionOf(process))),
    after(local, ghost) {
      local.pc = 1;
      ghost.holders[local['index']].push(name);
    },
  };
  const begin: Operation<Ghost> = {
    name: 'begin to give back',
    run: () => {},
    after(local, ghost) {
      local.pc = 2;
      ghost.holders[local['index']] = ghost.holders[local['index']].filter((other) => other !== name);
    },
  };
  const release: Operation<Ghost> = {
    name: 'release',
    run: (local) => releaseLease(regionOf(process), local['index']),
    after: (local) => void Object.assign(local, { pc: 0, index: -1, rounds: local['rounds'] - 1 }),
  };
  return {
    name,
    start: { pc: 0, index: -1, rounds },
    mayDie: true,
    choices: ({ pc, rounds: left }) => (left === 0 ? [] : [[claim, begin, release][pc]]),
  };
}

/** Frees the locks of the dead. */
function kernel(names: readonly string[]): Actor<Ghost> {
  const free = (process: number, index: number): Operation<Ghost> => ({
    name: `free lock ${index} of ${process}`,
    run: () =>
      void atomically(LOCKS + index, () => {
        if (words[LOCKS + index] === process) words[LOCKS + index] = 0;
        return 0;
      }),
  });
  return {
    name: 'kernel',
    start: { pc: 0 },
    choices: (_, __, isDead) =>
      names.flatMap((name, i) =>
        isDead(name) ? Array.from({ length: INDICES }, (_unused, index) => free(i + 1, index)) : [],
      ),
  };
}

const SERVER = 100;

function reaper(): Actor<Ghost> {
  const reap = (index: number): Operation<Ghost> => ({
    name: `reap ${index}`,
    run: () => void new Reaper(regionOf(SERVER), conduct, () => {}).reap([index]),
  });
  const all = Array.from({ length: INDICES }, (_, index) => reap(index));
  return { name: 'reaper', start: { pc: 0 }, choices: () => all };
}

const recordOf = (index: number) => clientBase({ geometry }, index);

/** What a process that holds an index is entitled to. */
function observe(
  { index, before, value }: Access,
  ghost: Ghost,
  actor: string,
  living: (name: string) => boolean,
): void {
  if (before === value) return;
  for (let client = 0; client < INDICES; client++) {
    const isRecord = index >= recordOf(client) && index < recordOf(client) + ClientRecord.sizeBytes / 4;
    const others = ghost.holders[client].filter((name) => name !== actor && living(name));
    if (isRecord && others.length > 0) throw new Error(`${actor} writes to the record of ${others.join(' ')}`);
  }
}

test.each([{ names: ['one', 'two'], rounds: [1, 1], maxDeaths: 2 }])(
  'no lease is had twice, taken from the living or lost: $names, $rounds rounds, up to $maxDeaths deaths',
  ({ names, rounds, maxDeaths }) => {
    let dead: readonly string[] = [];
    const { states, atRest } = explore<Ghost>({
      words,
      setUp: () => {},
      actors: [...names.map((name, i) => holder(name, i + 1, rounds[i])), kernel(names), reaper()].map((actor) => ({
        ...actor,
        choices(local, ghost, isDead) {
          dead = names.filter(isDead);
          for (const holders of ghost.holders) {
            must(holders.filter((name) => !isDead(name)).length < 2, `one index is had by ${holders.join(' and ')}`);
          }
          return actor.choices(local, ghost, isDead);
        },
      })),
      ghost: { holders: Array.from({ length: INDICES + 1 }, () => []) },
      maxDeaths,
      isConstant: (index) => index >= pinsOffset / 4 || index >= recordOf(INDICES),
      observe: (access, ghost, actor) => observe(access, ghost, actor, (name) => !dead.includes(name)),
      isAtRest: (memory, _ghost, snapshots) =>
        snapshots.every(
          ({ isBusy, isDead, local }, i) => isDead || (!isBusy && (i >= names.length || local['rounds'] === 0)),
        ) &&
        Array.from({ length: INDICES }, (_, index) => index).every(
          (index) => memory[recordOf(index) + ClientRecord.inUse] === 0 && memory[LOCKS + index] === 0,
        ),
    });
    expect(states).toBeGreaterThan(1000);
    expect(atRest).toBeGreaterThan(0);
  },
);
