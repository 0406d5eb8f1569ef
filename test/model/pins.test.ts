/**
 * All interleavings of a client that takes a view with a worker that replaces, removes and moves what it shows and uses
 * freed blocks again, on a processor that lets loads overtake stores (x64): the shipped PinnedViews, Reader, HashMap and
 * Pins; the heap is three blocks. The client may die at any point; then the shipped reaping of its pins runs.
 * A view shows a value that its key had while it was taken, and shows it until it is released; in the end, whoever has
 * died, no block is kept back.
 * Seen to fail when: isPinned() looks without a fence before; pin() is a plain store; open() does not look again after it
 * has pinned, or looks before; the worker does not look at the pins; release() lets go before the bytes are taken away;
 * a pin does not set its client's bit; nobody clears the pins of the dead.
 */
import './atomic-words.js';

import { beforeAll, expect, test, vi } from 'vitest';

import { PinnedViews } from '#dist/client/pinned-views.js';
import { PINNERS_BYTES, PINS_PER_CLIENT } from '#dist/memory/heap-layout.js';
import { PinRow, Pins } from '#dist/memory/pins.js';
import { load } from '#dist/memory/words.js';
import { native } from '#dist/native.js';
import { Found, Reader } from '#dist/store/reader.js';

import { type Actor, explore, type Local, type Operation } from './explore.js';
import { A, B, granuleOf, StoreWords } from './store-words.js';

interface Ghost {
  /** What A was since the client looked for it; 0: missing. */
  seen: number[];
  /** Blocks out of the map: not yet looked for pins of, and kept back for pins. */
  retired: number[];
  limbo: number[];
}

const MAX_BLOCKS = 3;
const store = new StoreWords(PINNERS_BYTES + PINS_PER_CLIENT * 4);
const { geometry, shared } = store;
const pins = new Pins(shared, geometry);
const pinners = geometry.pinsOffset / 4;
const row = pinners + PINNERS_BYTES / 4;
/** The one client's bit, and the one pin that it takes at a time. */
const isConstant = (index: number) => index >= pinners && index !== pinners && index !== row;

const RETRY = -1;
const CHANGED = -2;

/** What the view shows is looked at in place of an ArrayBuffer; taking it away is a last look. */
let lookAgain = () => {};
beforeAll(() => {
  vi.spyOn(native, 'openView').mockImplementation(() => new ArrayBuffer(8));
  vi.spyOn(native, 'closeView').mockImplementation(() => {
    lookAgain();
    return true;
  });
});

function view(local: Local): void {
  const reader = new Reader(store.readerViews(), geometry);
  const views = new PinnedViews(1);
  const found = reader.find(A);
  if (found === Found.unstable) throw new Error('gave up');
  local['value'] = 0;
  if (found === Found.missing) return;
  lookAgain = () => {};
  const shown = views.open(reader, { pins: new PinRow(shared, geometry, 0), mapped: {} });
  local['value'] = RETRY;
  if (shown === undefined) return;
  const { start, end } = reader;
  const value = store.valueAt(start, end);
  lookAgain = () => {
    local['value'] = Object.is(store.valueAt(start, end), value) ? value : CHANGED;
  };
  shown.release();
}

function clientOf(count: number): Actor<Ghost> {
  const begin: Operation<Ghost> = {
    name: 'begin',
    run: () => {},
    after(local, ghost) {
      ghost.seen = [store.current(A)];
      local.pc++;
    },
  };
  const look: Operation<Ghost> = {
    name: 'view',
    run: view,
    after(local, ghost) {
      const { value } = local;
      if (value !== RETRY && !ghost.seen.includes(value)) throw new Error(`showed ${value}, was ${ghost.seen.join()}`);
      Object.assign(local, { value: 0, pc: local.pc + 1 });
      ghost.seen = [];
    },
  };
  const choices = ({ pc }: Local) => (pc === 2 * count ? [] : [pc % 2 === 0 ? begin : look]);
  return { name: 'client', start: { pc: 0, value: 0 }, choices, mayDie: true };
}

interface Case {
  readonly views: number;
  readonly writes: number;
  readonly blocks: number;
  /** Another key's entries take blocks, too. */
  readonly hasOther: boolean;
}

/** Writes, and after each looks for pins of what it took out of the map; at last frees what was kept back. */
function workerOf({ writes, hasOther }: Case): Actor<Ghost> {
  const known = new Map<string, Operation<Ghost>[]>();
  const retire: Operation<Ghost> = {
    name: 'retire',
    run(local) {
      local['isPinned'] = Number(pins.isPinned(granuleOf(local['old'])));
    },
    after(local, ghost) {
      if (local['isPinned'] === 1) ghost.limbo.push(local['old']);
      ghost.retired = [];
      Object.assign(local, { old: -1, isPinned: 0 });
    },
  };
  const reclaim: Operation<Ghost> = {
    name: 'reclaim',
    run(local) {
      const pinned = new Set<number>();
      pins.collect(pinned);
      local['pinned'] = 0;
      for (let block = 0; block < MAX_BLOCKS; block++) if (pinned.has(granuleOf(block))) local['pinned'] |= 1 << block;
    },
    after(local, ghost) {
      ghost.limbo = ghost.limbo.filter((block) => (local['pinned'] & (1 << block)) !== 0);
      local['pinned'] = 0;
    },
  };
  const writesAfter = (history: number, done: number, kept: readonly number[]): Operation<Ghost>[] => {
    const operations: Operation<Ghost>[] = [];
    const blocks = store.blocksAfter(history);
    const add = (name: string, old: number, run: () => void) => {
      const next = history * 16 + operations.length + 1;
      operations.push({
        name,
        run: () => store.write(history, next, run),
        after(local, ghost) {
          Object.assign(local, { history: next, done: done + 1, old });
          if (old >= 0) ghost.retired = [old];
        },
      });
    };
    for (const [block, used] of blocks.entries()) {
      if (used !== undefined || kept.includes(block)) continue;
      add(`put A into ${block}`, blocks.indexOf(A), () => store.put(A, block, done + 2));
      if (hasOther) add(`put B into ${block}`, blocks.indexOf(B), () => store.put(B, block, done + 2));
      if (blocks.includes(A)) add(`move A to ${block}`, blocks.indexOf(A), () => store.move(A, block));
    }
    if (blocks.includes(A)) add('remove A', blocks.indexOf(A), () => store.remove(A));
    return operations;
  };
  return {
    name: 'worker',
    start: { pc: 0, history: 0, done: 0, old: -1, isPinned: 0, pinned: 0 },
    choices({ history, done, old }, { limbo }) {
      if (old >= 0) return [retire];
      const more = limbo.length > 0 ? [reclaim] : [];
      if (done === writes) return more;
      const key = `${history} ${limbo.join()}`;
      let operations = known.get(key);
      if (operations === undefined) known.set(key, (operations = writesAfter(history, done, limbo)));
      return [...more, ...operations];
    },
  };
}

const reaper: Actor<Ghost> = {
  name: 'reaper',
  start: { pc: 0 },
  choices(local, _, isDead) {
    if (!isDead('client') || local.pc === 1) return [];
    return [{ name: 'clear', run: () => pins.clear(0), after: (cleared) => void (cleared.pc = 1) }];
  },
};

test.each<Case>([
  { views: 1, writes: 2, blocks: 2, hasOther: true },
  { views: 2, writes: 2, blocks: 2, hasOther: false },
  { views: 1, writes: 3, blocks: 2, hasOther: false },
])('$views views beside $writes writes show what their key had, until they are released', (each) => {
  const { views, writes, blocks } = each;
  store.reset(blocks, 0);
  const { states, atRest } = explore<Ghost>({
    words: store.words,
    hasStoreBuffers: true,
    isConstant,
    setUp: () => store.publish(),
    actors: [workerOf(each), clientOf(views), reaper],
    ghost: { seen: [], retired: [], limbo: [] },
    maxDeaths: 1,
    observe({ kind }, ghost) {
      if (kind !== 'store' || ghost.seen.length === 0) return;
      const value = store.current(A);
      if (!ghost.seen.includes(value)) ghost.seen.push(value);
    },
    isAtRest: (words, { retired, limbo }, [worker, client]) =>
      worker.local['done'] === writes &&
      retired.length + limbo.length === 0 &&
      (client.isDead || client.local.pc === 2 * views) &&
      load(words, row) === 0 &&
      load(words, pinners) === 0,
  });
  expect(states).toBeGreaterThan(10_000);
  expect(atRest).toBeGreaterThan(0);
});
