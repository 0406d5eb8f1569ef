/**
 * All interleavings of two workers that allocate, publish, replace, discard, recycle and free blocks of one size class
 * and one slab, and large blocks that a client may pin: the shipped Heap with Blocks, Slabs, Runs, FreeRuns and Limbo.
 * Each may die in front of every store; then the shipped recovery of a worker runs beside the other. And in front of every
 * store the whole server may die: each state of memory is given to the shipped HeapRebuild.
 * No block is had twice, nothing published or pinned is free, and in the end exactly what the map names is in use, and
 * every list, link and count says so.
 * What lies under a lock is not interleaved: that nobody touches it without that lock is checked at each access. The lock
 * itself is lock.test.ts. Not here: the compactor, and what a full heap does.
 * Seen to fail by the faults of `npm run test:mutations -- --only heap`.
 */
import './atomic-words.js';

import { expect, test } from 'vitest';

import { type Actor, explore, type Local, type Operation } from './explore.js';
import { type Block, HeapWords, LARGE, SMALL, WORKERS } from './heap-words.js';

interface Ghost {
  /** What the map names. */
  published: Block[];
  /** What each worker has in hand, by its notes. */
  held: Block[];
  pinned: Block;
  /** The dead worker that is being recovered, -1: none is. */
  recovering: number;
}

const NOTHING: Block = [0, 0];

interface Case {
  readonly what: string;
  readonly units: number;
  /** Blocks that are there in the beginning, and which of them are freed again. */
  readonly sizes: readonly number[];
  readonly frees: readonly number[];
  /** Of new blocks. */
  readonly asked: readonly number[];
  /** How many entries each worker makes, replaces or removes. */
  readonly calls: readonly [number, number];
  readonly deaths: number;
  readonly pins: boolean;
}

const publish = (ghost: Ghost, block: Block) =>
  (ghost.published = [...ghost.published, block].sort(([a], [b]) => a - b));
const withdraw = (ghost: Ghost, [granule]: Block) =>
  (ghost.published = ghost.published.filter(([other]) => other !== granule));

function checkNew(ghost: Ghost, worker: number, block: Block): void {
  const others = [...ghost.published, ...ghost.held.filter((_, index) => index !== worker), ghost.pinned];
  if (block[0] === 0) throw new Error('there is room, and none was found');
  const other = others.find((one) => HeapWords.overlap(block, one));
  if (other !== undefined) throw new Error(`worker ${worker} got ${block.join()}, and ${other.join()} is in use`);
}

/** What a worker does, as Store does it: from each state, what may come next. */
function workerOf(heapWords: HeapWords, worker: number, { asked, calls }: Case): Actor<Ghost> {
  const heapOf = () => heapWords.heapOf(worker);
  const hold = (local: Local, ghost: Ghost, block: Block, isOld: boolean) => {
    ghost.held[worker] = block;
    Object.assign(local, { held: block[0], isOld: Number(isOld), got: 0 });
  };
  const allocate = (bytes: number): Operation<Ghost> => ({
    name: `allocate ${bytes}`,
    run: (local) => void (local['got'] = heapOf().allocate(bytes)),
    after(local, ghost) {
      checkNew(ghost, worker, [local['got'], bytes]);
      local['calls']++;
      hold(local, ghost, [local['got'], bytes], false);
    },
  });
  const takeOut = (block: Block): Operation<Ghost> => ({
    name: `remove ${block[0]}`,
    // The commit, and the note that follows from its intent, are one step for whoever cleans up.
    run: () => heapWords.note(worker, block[0]),
    after(local, ghost) {
      withdraw(ghost, block);
      local['calls']++;
      hold(local, ghost, block, true);
    },
  });
  const replace = (block: Block): Operation<Ghost> => ({
    name: `replace ${block[0]}`,
    run: () => heapWords.note(worker, block[0]),
    after(local, ghost) {
      withdraw(ghost, block);
      publish(ghost, ghost.held[worker]);
      hold(local, ghost, block, true);
    },
  });
  const insert: Operation<Ghost> = {
    name: 'insert',
    run: () => heapWords.note(worker, 0),
    after(local, ghost) {
      publish(ghost, ghost.held[worker]);
      hold(local, ghost, NOTHING, false);
    },
  };
  const free: Operation<Ghost> = {
    name: 'free',
    run(local) {
      if (!heapOf().free(local['held'])) throw new Error(`${local['held']} could not be freed`);
    },
    after: (local, ghost) => hold(local, ghost, NOTHING, false),
  };
  const recycleAndRest: Operation<Ghost> = {
    name: 'recycle, rest',
    run(local) {
      const heap = heapOf();
      heap.recycle(local['held']);
      heap.releaseKept();
    },
    after: (local, ghost) => hold(local, ghost, NOTHING, false),
  };
  const recycleAndAllocate = (bytes: number): Operation<Ghost> => ({
    name: `recycle, allocate ${bytes}`,
    run(local) {
      const heap = heapOf();
      heap.recycle(local['held']);
      local['got'] = heap.allocate(bytes);
      heap.releaseKept();
    },
    after(local, ghost) {
      checkNew(ghost, worker, [local['got'], bytes]);
      local['calls']++;
      hold(local, ghost, [local['got'], bytes], false);
    },
  });
  const allocations = asked.map(allocate);
  const recyclings = asked.map(recycleAndAllocate);
  return {
    name: `worker ${worker}`,
    start: { pc: 0, calls: 0, held: 0, isOld: 0, got: 0 },
    mayDie: true,
    choices(local, { published, held }) {
      // Keys are alike: one worker takes the first, the other the last.
      const old = worker === 0 ? published[0] : published.at(-1);
      const mayCall = local['calls'] < calls[worker];
      if (local['held'] === 0) return mayCall ? [...allocations, ...(old === undefined ? [] : [takeOut(old)])] : [];
      // Only a small block is kept for the next one.
      const isSmall = held[worker][1] === SMALL;
      if (local['isOld'] === 1) return [free, recycleAndRest, ...(mayCall && isSmall ? recyclings : [])];
      const replaced = published.filter(([, bytes]) => bytes === held[worker][1]).at(worker === 0 ? 0 : -1);
      return [insert, free, ...(replaced === undefined ? [] : [replace(replaced)])];
    },
  };
}

/** The server's main thread, when a worker thread has died: as that one. */
function recoveryOf(heapWords: HeapWords, worker: number): Actor<Ghost> {
  const begin: Operation<Ghost> = {
    name: 'begin',
    run: () => {},
    after(local, ghost) {
      ghost.recovering = worker;
      // Its block is free as soon as its lock is, in the middle of what follows.
      ghost.held[worker] = NOTHING;
      local.pc = 1;
    },
  };
  const repair: Operation<Ghost> = {
    name: 'repair',
    run: () => heapWords.heapOf(worker).repair(worker),
    after: (local) => void (local.pc = 2),
  };
  const free: Operation<Ghost> = {
    name: 'free what it had',
    run: () => heapWords.heapOf(worker).freeNoted(),
    after(local, ghost) {
      ghost.recovering = -1;
      local.pc = 3;
    },
  };
  return {
    name: `recovery ${worker}`,
    start: { pc: 0 },
    choices({ pc }, { recovering }, isDead) {
      if (pc === 0) return isDead(`worker ${worker}`) && recovering < 0 ? [begin] : [];
      return pc === 3 ? [] : [pc === 1 ? repair : free];
    },
  };
}

/** Pins a large block once, as long as it likes. */
function clientOf(heapWords: HeapWords): Actor<Ghost> {
  const pin = (block: Block): Operation<Ghost> => ({
    name: `pin ${block[0]}`,
    run: () => heapWords.pin(block[0]),
    after(local, ghost) {
      ghost.pinned = block;
      local.pc = 1;
    },
  });
  const unpin: Operation<Ghost> = {
    name: 'unpin',
    run: () => heapWords.pin(0),
    after(local, ghost) {
      ghost.pinned = NOTHING;
      local.pc = 2;
    },
  };
  return {
    name: 'client',
    start: { pc: 0 },
    choices({ pc }, { published }) {
      const large = published.find(([, bytes]) => bytes === LARGE);
      if (pc === 0) return large === undefined ? [] : [pin(large)];
      return pc === 1 ? [unpin] : [];
    },
  };
}

const NINE = Array.from({ length: 9 }, () => SMALL);
/** One in each of two slabs. */
const APART = { sizes: NINE, frees: [0, 1, 2, 3, 4, 5, 6] };
const one = { frees: [], asked: [SMALL], deaths: 1, pins: false } as const;

test.each<Case>([
  { ...one, what: 'a slab that becomes full', units: 40, sizes: NINE.slice(2), calls: [2, 1], deaths: 0 },
  { ...one, what: 'a slab that becomes full', units: 40, sizes: NINE.slice(2), calls: [1, 1] },
  { ...one, what: 'slabs that become empty', ...APART, units: 64, asked: [LARGE], calls: [1, 1] },
  { ...one, what: 'large blocks', units: 48, sizes: [LARGE, LARGE], asked: [LARGE], calls: [2, 1], deaths: 0 },
  { ...one, what: 'large blocks', units: 48, sizes: [LARGE, LARGE], asked: [LARGE], calls: [1, 1] },
  {
    ...one,
    what: 'views of large blocks',
    units: 48,
    sizes: [LARGE, LARGE],
    asked: [LARGE],
    calls: [1, 1],
    pins: true,
  },
])('$what, $calls calls, up to $deaths deaths: no block is had twice or lost', (each) => {
  const { units, sizes, frees, deaths, pins } = each;
  const heapWords = new HeapWords(units);
  const published = heapWords.prepare(sizes, frees);
  const start = heapWords.words.slice();
  const workers = [0, 1];
  const { states, atRest } = explore<Ghost>({
    words: heapWords.words,
    setUp: () => heapWords.words.set(start),
    isConstant: (index) => heapWords.isConstant(index),
    isBlocked: (kind, index) => heapWords.isBlocked(kind, index),
    // The last letter of an actor's name is the worker that it acts as.
    isHidden: (kind, index, actor) => heapWords.isHidden(kind, index, Number(actor.at(-1))),
    actors: [
      ...workers.map((worker) => workerOf(heapWords, worker, each)),
      ...(deaths > 0 ? workers.map((worker) => recoveryOf(heapWords, worker)) : []),
      ...(pins ? [clientOf(heapWords)] : []),
    ],
    ghost: { published, held: [NOTHING, NOTHING], pinned: NOTHING, recovering: -1 },
    maxDeaths: deaths,
    isAtRest(_, ghost, snapshots) {
      heapWords.checkPublished(ghost.published);
      heapWords.checkRestart(ghost.published);
      const isDone = workers.every((worker) => {
        const { local, isDead } = snapshots[worker];
        if (isDead) return snapshots[WORKERS + worker].local.pc === 3;
        return local['held'] === 0 && local['calls'] === each.calls[worker];
      });
      if (!isDone || ghost.pinned[0] !== 0 || snapshots.some(({ isBusy }) => isBusy)) return false;
      heapWords.checkRest(ghost.published);
      return true;
    },
  });
  expect(states).toBeGreaterThan(1000);
  expect(atRest).toBeGreaterThan(0);
});
