/**
 * All interleavings of the shipped Reader with a writer that runs the shipped HashMap: puts, replaces and removes, each
 * free block used again at once, for the same key, for it as something that has expired, for one that collides with it in tag and hash, or for one of another
 * stripe. Every store of the writer and every load of the reader is one step.
 * A read must give what was true at some moment while it lasted, and must give it without ado if nothing was written
 * meanwhile. The same holds for what a cache knows once isCurrent() says so.
 * Seen to fail when: isStillThere() does not look at the bucket word, does not look at the incarnation, or looks at the
 * incarnation first; #lookAt() takes a mismatch for a missing key without looking again; the incarnation is loaded
 * after the key was compared; put() stores the incarnation after the bucket word; move() keeps the incarnation; two
 * stripes give out equal versions; the key is not compared; isCurrent() looks at bucket word or version only; what seems
 * to have expired is taken for missing without looking again.
 */
import './atomic-words.js';

import { expect, test } from 'vitest';

import { Found, Reader } from '#dist/store/reader.js';

import { type Actor, explore, type Local, type Operation } from './explore.js';
import { A, B, C, EXPIRED, type Key, StoreWords } from './store-words.js';

/** `seen`: what A was while the read lasts; 0: missing. */
interface Ghost {
  seen: number[];
  /** Nothing was stored since the read began. */
  isQuiet: boolean;
}

const RETRY = -1;
const store = new StoreWords();
const reader = new Reader(store.readerViews(), store.geometry);

/** As client/direct-reads.ts: finds, uses, and looks whether it is still there. */
function read(local: Local): void {
  local['bucketWord'] = 0;
  const found = reader.find(A);
  if (found === Found.unstable) throw new Error('gave up');
  local['value'] = found === Found.missing ? 0 : store.valueAt(reader.start, reader.end);
  if (found === Found.found && !reader.isStillThere()) local['value'] = RETRY;
  if (local['value'] <= 0) return;
  Object.assign(local, { bucketWord: reader.bucketWord, entryWord: reader.entryWord, version: reader.version });
}

function check(local: Local, { seen, isQuiet }: Ghost): void {
  const value = local['value'];
  if (value === RETRY && !isQuiet) return;
  if (!seen.includes(value)) throw new Error(`read ${value}, but it was ${seen.join(' or ')}`);
}

/** Reads once; with `isCached` reads, and later asks whether what it has read still holds. */
function readerOf(isCached: boolean): Actor<Ghost> {
  const begin: Operation<Ghost> = {
    name: 'begin',
    run: () => {},
    after(local, ghost) {
      Object.assign(ghost, { seen: [store.current(A)], isQuiet: true });
      local.pc++;
    },
  };
  const find: Operation<Ghost> = {
    name: 'read',
    run: read,
    after(local, ghost) {
      check(local, ghost);
      local.pc = isCached && local['bucketWord'] !== 0 ? 2 : 4;
    },
  };
  const isCurrent: Operation<Ghost> = {
    name: 'is it current?',
    run(local) {
      if (!reader.isCurrent(local['bucketWord'], local['entryWord'], local['version'])) local['value'] = RETRY;
    },
    after(local, ghost) {
      if (local['value'] !== RETRY) check(local, ghost);
      else if (ghost.isQuiet && ghost.seen[0] === local['value'])
        throw new Error('what is current was not taken for it');
      local.pc = 4;
    },
  };
  const byPc = [[begin], [find], [begin], [isCurrent], []];
  const start = { pc: 0, value: 0, bucketWord: 0, entryWord: 0, version: 0 };
  return { name: 'reader', start, choices: ({ pc }) => byPc[pc] };
}

interface Case {
  readonly reads: 'read' | 'cached';
  readonly keys: readonly Key[];
  readonly blocks: number;
  readonly writes: number;
  /** Writes that the other stripe has seen. */
  readonly earlier: number;
  /** A is moved, too. */
  readonly moves: boolean;
}

/** One worker: its state is what it has done so far. */
function writerOf({ keys, writes, moves }: Case): Actor<Ghost> {
  const known = new Map<number, Operation<Ghost>[]>();
  const operationsAfter = (history: number, done: number): Operation<Ghost>[] => {
    const operations: Operation<Ghost>[] = [];
    const add = (name: string, run: () => void) => {
      const next = history * 16 + operations.length + 1;
      operations.push({
        name,
        run: () => store.write(history, next, run),
        after: (local) => Object.assign(local, { history: next, done: done + 1 }) as unknown as void,
      });
    };
    const blocks = store.blocksAfter(history);
    for (const key of keys) {
      for (const [block, used] of blocks.entries()) {
        if (used !== undefined) continue;
        add(`put ${key.name} into block ${block}`, () => store.put(key, block, done + 2));
      }
      if (blocks.includes(key)) add(`remove ${key.name}`, () => store.remove(key));
    }
    for (const [block, used] of blocks.entries()) {
      if (moves && used === undefined) add(`move A to block ${block}`, () => store.move(A, block));
    }
    return operations;
  };
  return {
    name: 'writer',
    start: { pc: 0, history: 0, done: 0 },
    choices({ history, done }) {
      if (done === writes) return [];
      let operations = known.get(history);
      if (operations === undefined) known.set(history, (operations = operationsAfter(history, done)));
      return operations;
    },
  };
}

test.each<Case>([
  { reads: 'cached', keys: [A, B], blocks: 3, writes: 3, earlier: 0, moves: false },
  { reads: 'read', keys: [B], blocks: 2, writes: 4, earlier: 0, moves: true },
  { reads: 'read', keys: [A, C], blocks: 2, writes: 4, earlier: 2, moves: false },
  { reads: 'cached', keys: [A, C], blocks: 2, writes: 4, earlier: 0, moves: false },
  { reads: 'read', keys: [EXPIRED, A], blocks: 3, writes: 2, earlier: 0, moves: false },
])('a $reads value is what the key had meanwhile: $blocks blocks, $writes writes, $earlier earlier ones', (each) => {
  const { reads, blocks, writes, earlier } = each;
  store.reset(blocks, earlier);
  const { states, atRest } = explore<Ghost>({
    words: store.words,
    setUp: () => store.publish(),
    actors: [writerOf(each), readerOf(reads === 'cached')],
    ghost: { seen: [], isQuiet: true },
    observe({ kind }, ghost) {
      if (kind !== 'store') return;
      ghost.isQuiet = false;
      const value = store.current(A);
      if (!ghost.seen.includes(value)) ghost.seen.push(value);
    },
    isAtRest: (_, __, [writer, read]) => writer.local['done'] === writes && read.local.pc === 4,
  });
  expect(states).toBeGreaterThan(10_000);
  expect(atRest).toBeGreaterThan(0);
});
