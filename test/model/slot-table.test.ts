/**
 * All interleavings of the shipped SlotTable: two clients that claim, submit, take, withdraw and abandon; two
 * workers that begin, put back and complete by hints that may be stale or double; a reaper and a recovery. Any one of
 * them may stop for ever in front of any access of a shared word.
 * A worker's begin() and its note of what it executes count as one step.
 * Seen to fail, also with the checks of single steps switched off, when: the next generation is dropped; withdraw()
 * is a plain store, or takes a slot that is executing; begin() ignores the state, or is a load and a store; complete(),
 * claim() are plain stores; abandon() frees the slot, or does nothing; withdraw() does nothing; release() keeps the
 * generation; the owner is not part of the claim.
 */
import './atomic-words.js';

import { expect, test } from 'vitest';

import { SlotTable } from '#dist/exchange/slot-table.js';
import { generationOf, ownerOf, SlotState, stateOf, withState } from '#dist/exchange/slot-word.js';
import { type Geometry, Slot } from '#dist/memory/layout.js';
import { viewsOf } from '#dist/memory/segment.js';
import { add, load, store } from '#dist/memory/words.js';

import { type Access, type Actor, explore, type Local, type Operation } from './explore.js';

const SLOT = 0;
const WORD = 0;
/** Words of the slot's record that the slot table does not touch: what was asked, what was answered, what was done. */
const REQUEST = 100;
const RESPONSE = 101;
const EFFECT = 102;
const FORGOTTEN = 103;
const INTERNAL = 99;

interface Ghost {
  executed: number[];
  outcome: string[];
  /** Word that each worker is executing, 0: none. What WorkerRecord tells the recovery. */
  record: number[];
  /** Whether a worker has done any of what it executes, by the same record. */
  hasProgressed: boolean[];
  putBacks: number;
}

const ctl = viewsOf(new SharedArrayBuffer(2048));
const { words } = ctl;
const table = new SlotTable(ctl, { slots: 1, slotsOffset: 0 } as Geometry);

function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** Requests are named 1, 2, …: client 0 has the odd ones, client 1 the even ones. */
const requestOf = (client: number, local: Local) => local['k'] * 2 + client + 1;

function client(id: number, requests: number): Actor<Ghost> {
  const end = (local: Local, ghost: Ghost, outcome: string) => {
    ghost.outcome[requestOf(id, local)] = outcome;
    Object.assign(local, { pc: 0, k: local['k'] + 1, word: 0, seen: 0 });
  };
  const steps: Record<string, Operation<Ghost>> = {
    claim: {
      name: 'claim',
      run: (local) => void (local['word'] = table.claim(SLOT, id)),
      after: (local) => void (local.pc = local['word'] === 0 ? 0 : 1),
    },
    write: {
      name: 'write',
      run: (local) => store(words, REQUEST, requestOf(id, local)),
      after: (local) => void (local.pc = 2),
    },
    submit: {
      name: 'submit',
      run: (local) => void (local['word'] = table.submit(SLOT, local['word'])),
      after(local) {
        must(local['word'] !== 0, 'a slot was lost while its owner built');
        local.pc = 3;
      },
    },
    look: {
      name: 'look',
      run: (local) => void (local['seen'] = table.word(SLOT)),
      after(local) {
        must(generationOf(local['seen']) === generationOf(local['word']), 'a slot was taken from a client that waits');
        local.pc = local['seen'] === withState(local['word'], SlotState.done) ? 4 : 3;
        local['seen'] = 0;
      },
    },
    lookForHint: {
      name: 'look for the hint',
      run: (local) => void (local['seen'] = Number(table.isAnswered(SLOT, withState(local['word'], SlotState.done)))),
      after(local) {
        const isDone = words[table.base(SLOT) + Slot.word] === withState(local['word'], SlotState.done);
        must(local['seen'] === 0 || isDone, 'a hint was taken for an answer');
        local.pc = local['seen'] === 1 ? 4 : 3;
        local['seen'] = 0;
      },
    },
    timeout: {
      name: 'time out',
      run: (local) => void (local['seen'] = table.word(SLOT)),
      after(local) {
        const next: Record<number, number> = {
          [SlotState.submitted]: 7,
          [SlotState.executing]: 8,
          [SlotState.done]: 4,
        };
        local.pc = next[stateOf(local['seen'])] ?? -1;
        must(local.pc > 0, 'a slot that is waited for is neither submitted, executing nor done');
      },
    },
    read: {
      name: 'read',
      run: (local) => void (local['seen'] = load(words, RESPONSE)),
      after(local) {
        must([INTERNAL, requestOf(id, local)].includes(local['seen']), 'a response to another request');
        local.pc = 6;
      },
    },
    release: {
      name: 'release',
      run: (local) => void (local['freed'] = Number(table.release(SLOT, withState(local['word'], SlotState.done)))),
      after(local, ghost) {
        must(local['freed'] === 1, 'a done slot was freed by another');
        must(local['seen'] === INTERNAL || ghost.executed[requestOf(id, local)] === 1, 'answered, not executed');
        end(local, ghost, 'answered');
      },
    },
    withdraw: {
      name: 'withdraw',
      run: (local) => void (local['freed'] = Number(table.withdraw(SLOT, local['word']))),
      after: (local) => void (local.pc = local['freed'] === 1 ? 9 : 5),
    },
    tidy: {
      name: 'release withdrawn',
      run: (local) => void (local['freed'] = Number(table.release(SLOT, withState(local['word'], SlotState.building)))),
      after(local, ghost) {
        must(local['freed'] === 1, 'a withdrawn slot was freed by another');
        must(ghost.executed[requestOf(id, local)] === 0, 'withdrawn, but executed');
        end(local, ghost, 'not executed');
      },
    },
    abandon: {
      name: 'abandon',
      run: (local) => void (local['freed'] = Number(table.abandon(SLOT, local['seen']))),
      after: (local, ghost) => (local['freed'] === 1 ? end(local, ghost, 'unknown') : void (local.pc = 5)),
    },
  };
  const byPc: Record<number, Operation<Ghost>[]> = {
    0: [steps['claim']],
    1: [steps['write']],
    2: [steps['submit']],
    3: [steps['look'], steps['lookForHint'], steps['timeout']],
    4: [steps['read']],
    5: [steps['timeout']],
    6: [steps['release']],
    7: [steps['withdraw']],
    8: [steps['abandon']],
    9: [steps['tidy']],
  };
  return {
    name: `client ${id}`,
    start: { pc: 0, k: 0, word: 0, seen: 0, freed: 0 },
    mayDie: true,
    choices: (local) => (local['k'] >= requests ? [] : byPc[local.pc]),
  };
}

/** As server/executor.ts: looks, reads what must come before, begins, executes, answers. */
function worker(id: number): Actor<Ghost> {
  const rest = (local: Local, ghost: Ghost) => {
    ghost.record[id] = 0;
    ghost.hasProgressed[id] = false;
    Object.assign(local, { pc: 0, word: 0, seen: 0, peek: 0 });
  };
  const hint: Operation<Ghost> = {
    name: 'hint',
    run: (local) => void (local['word'] = table.submitted(SLOT)),
    after: (local) => void (local.pc = local['word'] === 0 ? 0 : 1),
  };
  const peek: Operation<Ghost> = {
    name: 'peek',
    run: (local) => void (local['peek'] = load(words, REQUEST)),
    after: (local) => void (local.pc = 2),
  };
  const begin: Operation<Ghost> = {
    name: 'begin',
    run: (local) => void (local['word'] = table.begin(SLOT, local['word'])),
    after(local, ghost) {
      if (local['word'] === 0) return rest(local, ghost);
      ghost.record[id] = local['word'];
      local.pc = 3;
    },
  };
  const read: Operation<Ghost> = {
    name: 'read',
    run: (local) => void (local['seen'] = load(words, REQUEST)),
    after(local) {
      must(local['seen'] === local['peek'], 'the request began is not the one that was looked at');
      local.pc = 4;
    },
  };
  const putBack: Operation<Ghost> = {
    name: 'put back',
    run: (local) => void (local['freed'] = Number(table.putBack(SLOT, local['word']))),
    after(local, ghost) {
      ghost.putBacks++;
      local.pc = local['freed'] === 1 ? 8 : 6;
    },
  };
  // It stays named until it is sure to be begun again.
  const forget: Operation<Ghost> = {
    name: 'forget',
    run: () => store(words, FORGOTTEN, 1),
    after: rest,
  };
  const execute: Operation<Ghost> = {
    name: 'execute',
    run: (local) => void add(words, EFFECT + local['seen'], 1),
    after(local, ghost) {
      must(++ghost.executed[local['seen']] === 1, 'executed twice');
      must(ghost.outcome[local['seen']] !== 'not executed', 'executed after a cancel that succeeded');
      ghost.hasProgressed[id] = true;
      local.pc = 5;
    },
  };
  const answer: Operation<Ghost> = {
    name: 'answer',
    run: (local) => store(words, RESPONSE, local['seen']),
    after: (local) => void (local.pc = 6),
  };
  const complete: Operation<Ghost> = {
    name: 'complete',
    run: (local) => void (local['freed'] = Number(table.complete(SLOT, local['word']))),
    after: (local, ghost) => (local['freed'] === 1 ? rest(local, ghost) : void (local.pc = 7)),
  };
  const free: Operation<Ghost> = {
    name: 'free',
    run: (local) => void (local['freed'] = Number(table.release(SLOT, table.word(SLOT)))),
    after(local, ghost) {
      must(local['freed'] === 1, 'an abandoned slot was freed by another');
      rest(local, ghost);
    },
  };
  const byPc = [[hint], [peek], [begin], [read], [execute], [answer], [complete], [free], [forget]];
  return {
    name: `worker ${id}`,
    start: { pc: 0, word: 0, seen: 0, peek: 0, freed: 0 },
    mayDie: true,
    choices: ({ pc }, ghost) => (pc === 3 && ghost.putBacks === 0 ? [read, putBack] : byPc[pc]),
  };
}

/** As server/reaper.ts, for a client whose lease says that it is dead. */
function reaper(clients: number): Actor<Ghost> {
  const reclaim = (id: number): Operation<Ghost> => ({
    name: `reclaim of client ${id}`,
    run() {
      const word = table.word(SLOT);
      if (ownerOf(word) !== id) return;
      const state = stateOf(word);
      if (state === SlotState.executing) table.abandon(SLOT, word);
      else if (state === SlotState.submitted) table.withdraw(SLOT, word);
      else if (state === SlotState.building || state === SlotState.done) table.release(SLOT, word);
    },
  });
  const all = Array.from({ length: clients }, (_, id) => reclaim(id));
  return {
    name: 'reaper',
    start: { pc: 0 },
    choices: (_, __, isDead) => all.filter((_op, id) => isDead(`client ${id}`)),
  };
}

/** As server/recovery.ts, for a worker whose thread has ended. */
function recovery(workers: number): Actor<Ghost> {
  const operationsOf = (id: number): Operation<Ghost>[] => [
    {
      name: `look for worker ${id}`,
      run: (local) => void (local['seen'] = table.word(SLOT)),
      after(local, ghost) {
        if (local['seen'] === ghost.record[id]) Object.assign(local, { pc: 1, word: local['seen'] });
        else if (local['seen'] === withState(ghost.record[id], SlotState.abandoned)) local.pc = 3;
        else ghost.record[id] = 0;
      },
    },
    { name: 'answer', run: () => store(words, RESPONSE, INTERNAL), after: (local) => void (local.pc = 2) },
    {
      name: 'complete',
      run: (local) => void (local['seen'] = Number(table.complete(SLOT, local['word']))),
      after(local, ghost) {
        local.pc = local['seen'] === 1 ? 0 : 3;
        if (local.pc === 0) ghost.record[id] = 0;
      },
    },
    {
      name: 'free',
      run: (local) => void (local['seen'] = Number(table.release(SLOT, table.word(SLOT)))),
      after(local, ghost) {
        must(local['seen'] === 1, 'the slot of a dead worker was freed by another');
        local.pc = 0;
        ghost.record[id] = 0;
      },
    },
  ];
  const all = Array.from({ length: workers }, (_, id) => operationsOf(id));
  return {
    name: 'recovery',
    start: { pc: 0, word: 0, seen: 0 },
    choices(local, ghost, isDead) {
      // What two name only one of them has begun: the living one will say, or the record of the other dead one does.
      const isContested = (id: number) =>
        !ghost.hasProgressed[id] &&
        ghost.record.some(
          (word, other) =>
            other !== id && word === ghost.record[id] && (!isDead(`worker ${other}`) || ghost.hasProgressed[other]),
        );
      const dead = all.findIndex((_, id) => isDead(`worker ${id}`) && ghost.record[id] !== 0 && !isContested(id));
      return dead < 0 ? [] : [all[dead][local.pc]];
    },
  };
}

const { free, building, submitted, executing, done, abandoned } = SlotState;
const LEGAL = new Set(
  [
    [free, building],
    [building, submitted],
    [building, free],
    [submitted, executing],
    [submitted, building],
    [submitted, free],
    [executing, submitted],
    [executing, done],
    [executing, abandoned],
    [done, free],
    [abandoned, free],
  ].map(([from, to]) => `${from}→${to}`),
);

function observe({ index, before, value }: Access, ghost: Ghost, actor: string): void {
  if (index === WORD && before !== value) {
    must(LEGAL.has(`${stateOf(before)}→${stateOf(value)}`), `illegal step of the slot's word`);
    must(generationOf(value) === generationOf(before) + Number(stateOf(value) === free), 'wrong generation');
  }
  if (index === RESPONSE && actor.startsWith('worker') && value !== 0) {
    const record = ghost.record[Number(actor.slice(-1))];
    const isMine = words[WORD] === record || words[WORD] === withState(record, abandoned);
    must(isMine, 'a response was written or read by a worker that does not execute');
  }
}

function check(clients: number, requests: number, workers: number, maxDeaths: number) {
  const count = clients * requests + 2;
  const actors = [
    ...Array.from({ length: clients }, (_, id) => client(id, requests)),
    ...Array.from({ length: workers }, (_, id) => worker(id)),
    reaper(clients),
    recovery(workers),
  ];
  return explore<Ghost>({
    words,
    setUp: () => {},
    actors,
    ghost: {
      executed: Array.from({ length: count }, () => 0),
      outcome: Array.from({ length: count }, () => ''),
      record: Array.from({ length: workers }, () => 0),
      hasProgressed: Array.from({ length: workers }, () => false),
      putBacks: 0,
    },
    maxDeaths,
    observe,
    isAtRest: (memory, ghost, snapshots) =>
      stateOf(memory[WORD]) === free &&
      ghost.record.every((word) => word === 0) &&
      snapshots.every(
        (snapshot, i) => snapshot.isDead || (!snapshot.isBusy && (i >= clients || snapshot.local['k'] === requests)),
      ),
  });
}

test.each([
  { clients: 1, requests: 2, workers: 2, maxDeaths: 1 },
  { clients: 2, requests: 1, workers: 1, maxDeaths: 3 },
  { clients: 2, requests: 1, workers: 2, maxDeaths: 1 },
])(
  'nothing is executed twice, after a cancel or for another, and no slot is lost: $clients clients, $requests requests each, $workers workers, up to $maxDeaths deaths',
  ({ clients, requests, workers, maxDeaths }) => {
    const { states, atRest } = check(clients, requests, workers, maxDeaths);
    expect(states).toBeGreaterThan(5000);
    expect(atRest).toBeGreaterThan(0);
  },
);
