/**
 * All interleavings of the shipped WorkerBells and TaskQueue: workers that drain the queue and fall asleep, without any
 * time-out, and clients that enqueue and announce. From every state there must be a way to all tasks being taken: a
 * lost wake-up is a state in which everybody sleeps beside a task.
 * Seen to fail when: announce() does nothing; sleep() does not look at the queue again, clears its awake bit or sets its
 * asleep bit only after that look, or reads its bell after it; a ring is left out, does not count, or does not wake.
 */
import './atomic-words.js';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { TaskQueue } from '#dist/exchange/task-queue.js';
import { WorkerBells } from '#dist/exchange/worker-bells.js';
import { CtlHeader, type Geometry } from '#dist/memory/layout.js';
import { viewsOf } from '#dist/memory/segment.js';
import { native } from '#dist/native.js';

import { type Actor, atomically, Blocked, explore, type Operation } from './explore.js';

interface Ghost {
  taken: number;
}

const CELLS = 4;
const ctl = viewsOf(new SharedArrayBuffer(CtlHeader.sizeBytes + 256));
const { words } = ctl;
/** How often each bell was waked: behind the cells, by worker. */
const WAKES = CtlHeader.sizeBytes / 4 + CELLS;
const queue = new TaskQueue(ctl, { queueOffset: CtlHeader.sizeBytes, queueCells: CELLS } as Geometry);
const bells = new WorkerBells(ctl);

beforeEach(() => {
  // As the kernel does: a sleeper is woken only by a wake that comes after it has fallen asleep.
  vi.spyOn(native, 'futexWait').mockImplementation((_, index, expected) => {
    const wakes = WAKES + index - CtlHeader.workerBells;
    const ticket = atomically(wakes, () => (words[index] === expected ? words[wakes] : -1));
    if (ticket < 0) return 1;
    atomically(wakes, () => {
      if (words[wakes] === ticket) throw new Blocked();
      return 0;
    });
    return 0;
  });
  vi.spyOn(native, 'futexWake').mockImplementation((_, index) => {
    const wakes = WAKES + index - CtlHeader.workerBells;
    return atomically(wakes, () => ++words[wakes]);
  });
});
afterEach(() => vi.restoreAllMocks());

/** As server/task-loop.ts, without spinning. */
function worker(id: number): Actor<Ghost> {
  const take: Operation<Ghost> = {
    name: 'take',
    isLoop: true,
    run: (local) => void (local['slot'] = queue.dequeue()),
    after(local, ghost) {
      if (local['slot'] >= 0) ghost.taken++;
      local.pc = local['slot'] >= 0 ? 1 : 2;
      local['slot'] = 0;
    },
  };
  const look: Operation<Ghost> = {
    name: 'look for more',
    run: (local) => void (local['slot'] = Number(bells.isAnyAsleep && !queue.isEmpty())),
    after(local) {
      local.pc = local['slot'] === 1 ? 3 : 0;
      local['slot'] = 0;
    },
  };
  const ringNext: Operation<Ghost> = {
    name: 'ring the next',
    isLoop: true,
    run: () => bells.ringOne(),
    after: (local) => void (local.pc = 0),
  };
  const sleep: Operation<Ghost> = {
    name: 'sleep',
    run: () => bells.sleep(id, queue, Infinity, () => false),
    after: (local) => void (local.pc = 0),
  };
  const byPc = [take, look, sleep, ringNext];
  return { name: `worker ${id}`, start: { pc: 0, slot: 0 }, choices: ({ pc }) => [byPc[pc]] };
}

function client(id: number, tasks: number): Actor<Ghost> {
  const enqueue: Operation<Ghost> = {
    name: 'enqueue',
    isLoop: true,
    run: () => void queue.enqueue(id),
    after: (local) => void (local.pc = 1),
  };
  const announce: Operation<Ghost> = {
    name: 'announce',
    run: () => bells.announce(),
    after: (local) => Object.assign(local, { pc: 0, done: local['done'] + 1 }) as unknown as void,
  };
  return {
    name: `client ${id}`,
    start: { pc: 0, done: 0 },
    choices: ({ pc, done }) => (done === tasks ? [] : [pc === 0 ? enqueue : announce]),
  };
}

test.each([
  { workers: 1, clients: 1, tasks: 3, queued: 0 },
  { workers: 1, clients: 2, tasks: 1, queued: 0 },
  { workers: 2, clients: 1, tasks: 1, queued: 1 },
])(
  'no wake-up is lost: $workers workers, $clients clients with $tasks tasks each, $queued in the queue',
  ({ workers, clients, tasks, queued }) => {
    const { states, atRest } = explore<Ghost>({
      words,
      setUp() {
        queue.reset();
        for (let task = 0; task < queued; task++) queue.enqueue(0);
        for (let id = 0; id < workers; id++) bells.wakeUp(id);
      },
      actors: [
        ...Array.from({ length: workers }, (_, id) => worker(id)),
        ...Array.from({ length: clients }, (_, id) => client(id, tasks)),
      ],
      ghost: { taken: 0 },
      isAtRest: (_, { taken }) => taken === queued + clients * tasks,
    });
    expect(states).toBeGreaterThan(100);
    expect(atRest).toBeGreaterThan(0);
  },
);
