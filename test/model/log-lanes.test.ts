/**
 * All interleavings of two workers that change keys and the thread that writes the log: the shipped HashMap with LogLane
 * and LogOrder on one side, LogFeed on the other, and the bell between them, without any time-out. Each may die in front
 * of every store that somebody looks at; then the shipped recovery of a worker runs beside the others and the worker goes
 * on, or the next thread finds out what the file has and goes on. And in every state the whole server may die: the next
 * one's files must have all that has taken effect.
 * No record is lost or written twice, each key's are in the order of their effect, no byte of a lane is read before it is
 * published or written before it was given back, and from every state there is a way to all being in the file: a lost
 * wake-up is a state in which everybody sleeps beside a record, or beside room.
 * After a death sleeps may end by their time-outs: who dies while it rings takes the ring with it.
 * `npm run test:explorations` has more of them, and larger ones.
 * Seen to fail by the faults of `npm run test:mutations -- --only log`.
 */
import './atomic-words.js';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { Status } from '#dist/errors.js';
import { recordBytes } from '#dist/log/record.js';
import { LogSleep } from '#dist/memory/log-layout.js';
import { native } from '#dist/native.js';
import { sleepOnLogBell } from '#dist/store/log-lane.js';

import { type Actor, atomically, Blocked, explore, type Local, type Operation } from './explore.js';
import { type Change, LogWords } from './log-words.js';

interface Ghost {
  /** What has taken effect, in order. */
  effects: number[];
  /** How many changes each worker has made. */
  done: number[];
  /** By worker: whether somebody has cleaned up after it. */
  recovered: number[];
}

interface Case {
  readonly what: string;
  readonly programs: readonly [readonly Change[], readonly Change[]];
  /** Of the first cell. */
  readonly position: number;
  /** Records in each lane that are in the file already: how near the lane's end is. */
  readonly earlier: number;
  /** 'never': there is no thread that writes the log, only the next server. */
  readonly sync: 'always' | 'no' | 'never';
  readonly mortals: readonly string[];
  readonly deaths: number;
  readonly hasStoreBuffers?: boolean;
}

const PUT_A: Change = { key: 0 };
const PUT_B: Change = { key: 1 };
const DEL_A: Change = { key: 0, removes: true };
/** In `npm run test:explorations`. */
const isThorough = process.env['KVS_THOROUGH'] !== undefined;
/** Of one call: nobody waits for another by looking again and again. */
const MAX_ACCESSES = isThorough ? 200 : 90;
const RECORD_BYTES = recordBytes(4, 8);

const log = new LogWords();
const { words, geometry } = log;
/** Whether a sleep may end by its time-out just now. */
let mayTimeOut = false;

beforeEach(() => {
  vi.spyOn(Date, 'now').mockReturnValue(0);
  // As the kernel does: a sleeper is woken only by a wake that comes after it has fallen asleep.
  vi.spyOn(native, 'futexWait').mockImplementation((_, index, expected) => {
    const wakes = log.wakesOf(index);
    const canTimeOut = mayTimeOut;
    const ticket = atomically(wakes, () => (words[index] === expected ? words[wakes] : -2));
    if (ticket === -2) return 1;
    atomically(wakes, () => {
      if (words[wakes] === ticket && !canTimeOut) throw new Blocked();
      return 0;
    });
    return 0;
  });
  vi.spyOn(native, 'futexWake').mockImplementation((_, index) => {
    const wakes = log.wakesOf(index);
    return atomically(wakes, () => ++words[wakes]);
  });
});
afterEach(() => vi.restoreAllMocks());

/** A worker, or the one that takes its place. */
function workerOf(
  worker: number,
  program: readonly Change[],
  mortals: readonly string[],
  isNext: boolean,
): Actor<Ghost> {
  const name = `worker ${worker}${isNext ? ' again' : ''}`;
  const lane = () => log.lane(worker);
  const begin: Operation<Ghost> = {
    name: 'begin',
    run: () => {},
    after: (local, ghost) => void Object.assign(local, { pc: 0, done: ghost.done[worker] }),
  };
  const admit = (canTimeOut: boolean): Operation<Ghost> => ({
    name: 'admit',
    run(local) {
      mayTimeOut = canTimeOut;
      local['isAdmitted'] = Number(lane().admit(RECORD_BYTES, true) === Status.ok);
    },
    after: (local) => void Object.assign(local, { pc: local['isAdmitted'], isAdmitted: 0 }),
  });
  const changes = program.map((change, index): Operation<Ghost> => ({
    name: `change ${index}`,
    run: () => log.change(worker, index, change),
    after(local, ghost) {
      local.pc = 2;
      // Also what found nothing to remove.
      ghost.done[worker] = index + 1;
    },
  }));
  const announce: Operation<Ghost> = {
    name: 'announce',
    run: () => lane().announce(),
    after: (local) => void Object.assign(local, { pc: 0, done: local['done'] + 1 }),
  };
  return {
    name,
    start: { pc: isNext ? -1 : 0, done: 0, isAdmitted: 0 },
    mayDie: mortals.includes(name),
    choices({ pc, done }, { recovered }, isDead) {
      if (pc < 0) return recovered[worker] === 1 ? [begin] : [];
      if (done === program.length) return [];
      return [pc === 0 ? admit(isAnyDead(mortals, isDead)) : pc === 1 ? changes[done] : announce];
    },
  };
}

const isAnyDead = (mortals: readonly string[], isDead: (name: string) => boolean) => mortals.some(isDead);

/** The server's main thread, when a worker thread has died: as that one. */
function recoveryOf(worker: number): Actor<Ghost> {
  const repair: Operation<Ghost> = {
    name: 'repair',
    run: () => log.recover(worker),
    after(local, ghost) {
      ghost.recovered[worker] = 1;
      local.pc = 1;
    },
  };
  return {
    name: `recovery ${worker}`,
    start: { pc: 0 },
    choices: ({ pc }, _, isDead) => (pc === 0 && isDead(`worker ${worker}`) ? [repair] : []),
  };
}

const Pc = { catchUp: 0, work: 1, gather: 2, sleep: 3 };

/** As server/log-keeper.ts, with a disk that always works; or the thread that takes its place (server/log-thread.ts). */
function logThread({ sync, mortals }: Case, isNext: boolean): Actor<Ghost> {
  const name = isNext ? 'log again' : 'log';
  const feedAt = (local: Local) => {
    const feed = log.newFeed();
    feed.position = local['position'];
    return feed;
  };
  const catchUp: Operation<Ghost> = {
    name: 'catch up',
    run(local) {
      const feed = log.newFeed();
      local['sequence'] = log.catchUp(feed);
      local['position'] = feed.position;
    },
    after: (local) => void (local.pc = Pc.work),
  };
  const work: Operation<Ghost> = {
    name: 'work',
    run(local) {
      const feed = feedAt(local);
      const records = log.write(feed);
      local['position'] = feed.position;
      local['records'] = records;
      if (records > 0) feed.release(local['sequence'] + records);
    },
    after(local) {
      const hasMoved = local['records'] > 0;
      local['sequence'] += local['records'];
      if (sync === 'always') local.pc = Pc.sleep;
      else if (!hasMoved) local.pc = local['hasMoved'] === 1 ? Pc.gather : Pc.sleep;
      local['hasMoved'] = sync === 'no' && hasMoved ? 1 : 0;
      local['records'] = 0;
    },
  };
  const sleep = (depth: number, canTimeOut: boolean): Operation<Ghost> => ({
    name: `sleep ${depth}`,
    run(local) {
      mayTimeOut = canTimeOut;
      sleepOnLogBell(words, geometry, depth, Infinity, () => depth === LogSleep.idle && !feedAt(local).isEmpty);
    },
    after: (local) => void (local.pc = Pc.work),
  });
  return {
    name,
    start: { pc: isNext ? Pc.catchUp : Pc.work, position: isNext ? 0 : -1, sequence: 0, records: 0, hasMoved: 0 },
    mayDie: mortals.includes(name),
    choices({ pc }, _, isDead) {
      if (isNext && !isDead('log')) return [];
      if (pc === Pc.catchUp) return [catchUp];
      if (pc === Pc.work) return [work];
      return [pc === Pc.gather ? sleep(LogSleep.gathering, true) : sleep(LogSleep.idle, isAnyDead(mortals, isDead))];
    },
  };
}

function run(each: Case) {
  const { programs, position, earlier, mortals, deaths, hasStoreBuffers = false } = each;
  log.reset(position, earlier, programs);
  const start = words.slice();
  const first = log.directly(() => log.newFeed().position);
  const thread = logThread(each, false);
  thread.start['position'] = first;
  const workers = programs.map((program, worker) => workerOf(worker, program, mortals, false));
  const mortalWorkers = [0, 1].filter((worker) => mortals.includes(`worker ${worker}`));
  const actors = [
    ...workers,
    ...(each.sync === 'never' ? [] : [thread]),
    ...mortalWorkers.flatMap((worker) => [recoveryOf(worker), workerOf(worker, programs[worker], mortals, true)]),
    ...(mortals.includes('log') ? [logThread(each, true)] : []),
  ];
  const indexOf = (name: string) => actors.findIndex((actor) => actor.name === name);
  const workerOfName = (name: string) => (name.startsWith('log') ? undefined : Number(name.split(' ')[1]));
  return explore<Ghost>({
    words,
    setUp: () => words.set(start),
    actors,
    ghost: { effects: [], done: [0, 0], recovered: [0, 0] },
    maxDeaths: deaths,
    hasStoreBuffers,
    isConstant: (index) => log.isConstant(index),
    isBlocked: (kind, index) => log.isBlocked(kind, index),
    isHidden(kind, index, name, made) {
      if (made > MAX_ACCESSES) throw new Error(`${name} goes round and round`);
      return log.isHidden(kind, index, workerOfName(name));
    },
    observe(access, ghost, name) {
      const effect = log.effectOf(access);
      if (effect === undefined) return;
      ghost.effects.push(effect);
      ghost.done[workerOfName(name)!]++;
    },
    isAtRest(_, { effects }, snapshots) {
      log.checkFile(effects);
      log.checkRestart(effects);
      const isDone = programs.every((program, worker) => {
        const { isDead, local } = snapshots[worker];
        const living = isDead ? snapshots[indexOf(`worker ${worker} again`)].local : local;
        return living.pc >= 0 && living['done'] === program.length;
      });
      return isDone && (each.sync === 'never' || log.inFile === effects.length);
    },
  });
}

const one = { position: 0, earlier: 0, sync: 'always', mortals: [], deaths: 0 } as const;

const CASES: Case[] = [
  {
    ...one,
    what: 'workers alone',
    programs: [
      [PUT_A, PUT_B],
      [PUT_B, PUT_A],
    ],
    sync: 'never',
    position: -8,
  },
  { ...one, what: 'workers alone', programs: [[PUT_A], [PUT_B]], sync: 'never', mortals: ['worker 0'], deaths: 1 },
  { ...one, what: 'a thread that gathers', programs: [[PUT_A, DEL_A], []], sync: 'no' },
  // The lane is full, and the order at the end of its positions.
  { ...one, what: 'no room', programs: [[PUT_A, PUT_B], []], earlier: 3, position: -8 },
  { ...one, what: 'stores that wait', programs: [[PUT_A, PUT_B], []], hasStoreBuffers: true },
  { ...one, what: 'a worker that dies', programs: [[PUT_A, DEL_A], []], mortals: ['worker 0'], deaths: 1 },
  { ...one, what: 'a thread that dies', programs: [[PUT_A], []], mortals: ['log'], deaths: 1 },
];

/** Those of `npm run test:explorations`. */
const LARGE_CASES: Case[] = [
  { ...one, what: 'one key', programs: [[PUT_A], [PUT_A]] },
  { ...one, what: 'two keys', programs: [[PUT_A], [PUT_B]] },
  { ...one, what: 'a removal between', programs: [[PUT_A, DEL_A], [PUT_A]] },
  // The last round that a cell can tell from others, too.
  { ...one, what: 'ends of lanes', programs: [[PUT_A, PUT_B], [PUT_B]], earlier: 3, position: 32_760 },
  { ...one, what: 'a thread that gathers', programs: [[PUT_A], [PUT_B]], sync: 'no' },
  { ...one, what: 'no room', programs: [[PUT_A, PUT_B, PUT_A], []], earlier: 3 },
  { ...one, what: 'a worker that dies', programs: [[PUT_A], [PUT_A]], mortals: ['worker 0'], deaths: 1 },
  { ...one, what: 'a thread that dies', programs: [[PUT_A], [PUT_A]], mortals: ['log'], deaths: 1 },
  { ...one, what: 'who dies', programs: [[PUT_A], []], mortals: ['worker 0', 'log'], deaths: 2 },
];

test.each(isThorough ? [...CASES, ...LARGE_CASES] : CASES)(
  '$what, $deaths deaths: no record is lost, written twice, or left behind by those who sleep',
  (each) => {
    const { states, atRest } = run(each);
    expect(states).toBeGreaterThan(1000);
    expect(atRest).toBeGreaterThan(0);
  },
);
