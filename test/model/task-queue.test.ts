/**
 * All interleavings of the shipped TaskQueue: producers and consumers on a ring of a few cells whose positions wrap
 * around, any of which may stop for ever in front of any access. Each commit is checked in the instant in which it
 * happens against a plain list: first in, first out, never a false "full" or "empty"; and whoever goes on comes to an
 * end, however many others have stopped.
 * Seen to fail when: there is no check for full, it is off by one either way, or trusts a head seen long ago; an
 * enqueue ignores the cell's cycle, stores its cell, moves the tail before it has written, or does not help a tail
 * that was left behind; the help moves the tail by two; a dequeue stores the head; the cycles are compared without
 * wrapping at 32 bits.
 */
import './atomic-words.js';

import { expect, test } from 'vitest';

import { TaskQueue } from '#dist/exchange/task-queue.js';
import { CtlHeader, type Geometry } from '#dist/memory/layout.js';
import { viewsOf } from '#dist/memory/segment.js';
import { store } from '#dist/memory/words.js';

import { type Access, type Actor, explore, type Operation } from './explore.js';

interface Ghost {
  /** What the ring must hold now. */
  items: number[];
  /** What each actor's dequeue has taken and not yet returned. */
  taken: Record<string, number>;
}

const HEADER_WORDS = CtlHeader.sizeBytes / 4;
const ctl = viewsOf(new SharedArrayBuffer(CtlHeader.sizeBytes + 64));
const { words } = ctl;

function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** An actor that enqueues the slots of its program, and dequeues for each -1 of it. */
function actor(
  name: string,
  program: readonly number[],
  queue: TaskQueue,
  cells: number,
  headSeen: number,
): Actor<Ghost> {
  const enqueue: Operation<Ghost> = {
    name: 'enqueue',
    // But for the head: a further round of a call is explored with the one that was seen before the call, an older one.
    isLoop: true,
    // Every actor has seen the head at another time.
    run(local) {
      queue.headSeen = local['headSeen'] ?? 0;
      local['result'] = Number(queue.enqueue(program[local.pc]));
      local['headSeen'] = queue.headSeen;
    },
    after(local, ghost) {
      must(local['result'] === 1 || ghost.items.length === cells, 'full, but it is not');
      Object.assign(local, { pc: local.pc + 1, result: 0 });
    },
  };
  const dequeue: Operation<Ghost> = {
    name: 'dequeue',
    isLoop: true,
    run: (local) => void (local['result'] = queue.dequeue()),
    after(local, ghost) {
      const taken = ghost.taken[name] ?? -1;
      delete ghost.taken[name];
      must(local['result'] === taken, `took ${taken}, returned ${local['result']}`);
      must(taken >= 0 || ghost.items.length === 0, 'empty, but it is not');
      Object.assign(local, { pc: local.pc + 1, result: 0 });
    },
  };
  return {
    name,
    start: { pc: 0, result: 0, headSeen },
    mayDie: true,
    choices: ({ pc }) => (pc >= program.length ? [] : [program[pc] < 0 ? dequeue : enqueue]),
  };
}

interface Scenario {
  readonly name: string;
  readonly cells: number;
  /** Items in the ring at the start. */
  readonly filled: number;
  readonly programs: readonly (readonly number[])[];
}

const D = -1;
const SCENARIOS: Scenario[] = [
  {
    name: 'two producers and a consumer',
    cells: 2,
    filled: 0,
    programs: [
      [0, 1],
      [1, 0],
      [D, D],
    ],
  },
  { name: 'one who does both among others', cells: 2, filled: 0, programs: [[0, D, 1], [1, D], [D]] },
  {
    name: 'producers on a full ring',
    cells: 2,
    filled: 2,
    programs: [
      [0, 0],
      [1, 1],
      [D, D],
    ],
  },
  { name: 'a ring of one cell less than full', cells: 4, filled: 3, programs: [[0, 1], [2], [D, D]] },
  { name: 'consumers alone', cells: 4, filled: 4, programs: [[D, D], [D, D], [D]] },
  {
    name: 'three who enqueue and dequeue',
    cells: 2,
    filled: 1,
    programs: [
      [0, D],
      [1, D],
      [0, D],
    ],
  },
  {
    name: 'one who sleeps while the others go round the ring',
    cells: 2,
    filled: 0,
    programs: [[0], [1, 0, D, 1], [D]],
  },
];

/** Where the ring starts: its positions cross 2^32, or turn negative, within a few steps. */
const STARTS = { '2^32': 0, '2^31': 2 ** 31 };
const CASES = SCENARIOS.flatMap((scenario) =>
  Object.entries(STARTS).map(([at, position]) => [scenario.name, at, position, scenario] as const),
);

test.each(CASES)('%s, at %s: the order is kept, nothing is lost, and nobody is held up', (_, __, wrap, scenario) => {
  const { cells, filled, programs } = scenario;
  const queue = new TaskQueue(ctl, { queueOffset: CtlHeader.sizeBytes, queueCells: cells } as Geometry);
  const cellOf = (position: number) => HEADER_WORDS + (position & (cells - 1));
  const initial = Array.from({ length: filled }, (_, i) => i % cells);

  const first = (wrap - cells) | 0;

  function setUp() {
    queue.headSeen = first;
    for (let cell = 0; cell < cells; cell++) store(words, HEADER_WORDS + cell, first - cells);
    store(words, CtlHeader.queueHead, first);
    store(words, CtlHeader.queueTail, first);
    for (const slot of initial) must(queue.enqueue(slot), 'the ring is smaller than it should be');
  }

  function observe({ kind, index, before, value }: Access, ghost: Ghost, name: string) {
    if (before === value) return;
    if (index >= HEADER_WORDS) {
      must(kind === 'cas', 'a cell was overwritten');
      ghost.items.push(value & (cells - 1));
      must(ghost.items.length <= cells, 'an item was overwritten');
    } else if (index === CtlHeader.queueHead) {
      must(value === ((before + 1) | 0), 'the head jumped');
      const item = ghost.items.shift();
      if (item === undefined) throw new Error('something was taken from an empty ring');
      must(item === (words[cellOf(before)] & (cells - 1)), 'the ring is out of order');
      ghost.taken[name] = item;
    } else {
      must(index === CtlHeader.queueTail && value === ((before + 1) | 0), 'the tail jumped');
    }
  }

  const { states, atRest } = explore<Ghost>({
    words,
    setUp,
    actors: programs.map((program, i) => actor(`actor ${i}`, program, queue, cells, first)),
    ghost: { items: initial, taken: {} },
    maxDeaths: programs.length - 1,
    observe,
    isAtRest: (_memory, _ghost, snapshots) =>
      snapshots.every(({ isDead, isBusy, local }, i) => isDead || (!isBusy && local.pc === programs[i].length)),
  });
  expect(states).toBeGreaterThan(500);
  expect(atRest).toBeGreaterThan(0);
});
