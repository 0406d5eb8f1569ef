/**
 * All interleavings of two clients whose requests need the same chunks of the arena, a worker that answers them in chunks
 * too, and the reaping of the dead, with the shipped PayloadArena, SlotTable and Reaper. Clients may die at any point.
 * A chunk is nobody else's while its use is not over, whoever executes finds the whole request, and in the end no chunk
 * and no slot is lost. The claims of a slot and of a request's chunks are the client's (client/session.ts); the rest is
 * the worker's (server/executor.ts).
 * Seen to fail when: one of the mutations of test/mutations/mutations.mjs is made.
 */
import './atomic-words.js';

import { beforeAll, expect, test, vi } from 'vitest';

import { PayloadArena } from '#dist/exchange/payload-arena.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { slotOfUse, SlotState, stateOf, useOf, withState } from '#dist/exchange/slot-word.js';
import { ClientRecord, CtlHeader, type Geometry, MAX_CLIENTS, Slot } from '#dist/memory/layout.js';
import type { OwnedRegion } from '#dist/memory/region.js';
import { viewsOf } from '#dist/memory/segment.js';
import { load, store } from '#dist/memory/words.js';
import { native } from '#dist/native.js';
import type { Conduct } from '#dist/server/conduct.js';
import { Reaper } from '#dist/server/reaper.js';

import { type Access, type Actor, explore, type Local, type Operation } from './explore.js';

/** What is counted against clients is of no matter here, and in memory that is not explored. */
const conduct = { forget: () => {} } as unknown as Conduct;
const SLOTS = 2;
const CHUNKS = 4;
const clientsOffset = CtlHeader.sizeBytes;
const slotsOffset = clientsOffset + MAX_CLIENTS * ClientRecord.sizeBytes;
const chunkOwnersOffset = slotsOffset + SLOTS * Slot.sizeBytes;
const pinsOffset = chunkOwnersOffset + CHUNKS * 4;
const geometry = {
  clientsOffset,
  slots: SLOTS,
  slotsOffset,
  chunkOwnersOffset,
  arenaChunks: CHUNKS,
  pinsOffset,
} as Geometry;
const ctl = viewsOf(new SharedArrayBuffer(pinsOffset + 128 + MAX_CLIENTS * 256));
const { words } = ctl;
const OWNERS = chunkOwnersOffset / 4;
const table = new SlotTable(ctl, geometry);
const recordOf = (client: number) => (clientsOffset + client * ClientRecord.sizeBytes) / 4;

interface Ghost {
  /** By actor, the use that it holds chunks of. */
  holds: Record<string, number>;
}

function must(condition: boolean, what: string): void {
  if (!condition) throw new Error(what);
}

/** Where a client or worker looks first is its own: a new one each time looks at the same place. */
const arenaOf = (seed: number, payload?: 'requests' | 'responses') => new PayloadArena(ctl, geometry, seed, payload);

let dead: readonly string[] = [];

beforeAll(() => {
  // The reaper of these scenarios reaps whom they say is dead.
  vi.spyOn(native, 'tryLockByte').mockImplementation(() => true);
  vi.spyOn(native, 'unlockByte').mockImplementation(() => {});
});

/** @param chunks of its request @param isServed whether it asks, or gives back at once what it has claimed */
function client(id: number, chunks: number, isServed: boolean): Actor<Ghost> {
  const name = `client ${id}`;
  const slot = id % SLOTS;
  const use = (local: Local) => useOf(slot, local['word']);
  const step = (
    label: string,
    run: (local: Local) => void,
    after: (local: Local, ghost: Ghost) => void,
  ): Operation<Ghost> => ({ name: label, run, after });
  const claim = step(
    'claim a slot',
    (local) => void (local['word'] = table.claim(slot, id)),
    (local) => void (local.pc = local['word'] === 0 ? 0 : 1),
  );
  const request = step(
    'claim chunks',
    (local) => void (local['first'] = arenaOf(id, 'requests').claim(use(local), chunks)),
    (local, ghost) => {
      local.pc = local['first'] < 0 ? 9 : isServed ? 2 : 8;
      if (local.pc !== 9) ghost.holds[name] = use(local);
    },
  );
  const submit = step(
    'submit',
    (local) => {
      store(words, table.base(slot) + Slot.extent, local['first'] + 1);
      store(words, table.base(slot) + Slot.extentChunks, chunks);
      local['word'] = table.submit(slot, local['word']);
    },
    (local) => void (local.pc = 3),
  );
  const look = step(
    'look',
    (local) => void (local['seen'] = table.word(slot)),
    (local) => {
      local.pc = stateOf(local['seen']) === SlotState.done ? 4 : 3;
      local['seen'] = 0;
    },
  );
  const cancel = step(
    'cancel',
    (local) => void (local['seen'] = Number(table.withdraw(slot, local['word']))),
    (local, ghost) => {
      local.pc = local['seen'] === 1 ? 8 : 3;
      if (local.pc === 8) local['word'] = withState(local['word'], SlotState.building);
      local['seen'] = 0;
      if (local.pc === 8) ghost.holds[name] = use(local);
    },
  );
  const takeBack = step(
    'free chunks of what nobody executes',
    (local) => arenaOf(id).release(use(local), local['first'], chunks),
    (local) => void (local.pc = 10),
  );
  const leave = step(
    'release what is not asked for',
    (local) => void table.release(slot, local['word']),
    (local, ghost) => end(local, ghost),
  );
  const freeRequest = step(
    'free chunks of the request',
    (local) => arenaOf(id).release(use(local), local['first'], chunks),
    (local) => void (local.pc = 5),
  );
  const freeAnswer = step(
    'free chunks of the answer',
    (local) => {
      const extent = load(words, table.base(slot) + Slot.responseExtent);
      if (extent !== 0) arenaOf(id).release(use(local), extent - 1, 1);
    },
    (local) => void (local.pc = 6),
  );
  const release = step(
    'release',
    (local) => void (local['seen'] = Number(table.release(slot, withState(local['word'], SlotState.done)))),
    (local, ghost) => {
      must(local['seen'] === 1, 'a done slot was freed by another');
      end(local, ghost);
    },
  );
  const giveUp = step(
    'release, without room',
    (local) => void table.release(slot, local['word']),
    (local, ghost) => end(local, ghost),
  );
  const end = (local: Local, ghost: Ghost) => {
    delete ghost.holds[name];
    Object.assign(local, { pc: 7, word: 0, first: 0, seen: 0 });
  };
  const byPc = [
    [claim],
    [request],
    [submit],
    [look, cancel],
    [freeRequest],
    [freeAnswer],
    [release],
    [],
    [takeBack],
    [giveUp],
    [leave],
  ];
  return { name, start: { pc: 0, word: 0, first: 0, seen: 0 }, mayDie: true, choices: ({ pc }) => byPc[pc] };
}

function worker(): Actor<Ghost> {
  const name = 'worker';
  const executing = (local: Local) => useOf(local['slot'], local['word']);
  const begin = (slot: number): Operation<Ghost> => ({
    name: `begin ${slot}`,
    run: (local) => void (local['word'] = table.begin(slot)),
    after: (local) => void Object.assign(local, local['word'] === 0 ? {} : { pc: 1, slot }),
  });
  const read: Operation<Ghost> = {
    name: 'read',
    run(local) {
      const base = table.base(local['slot']);
      const first = load(words, base + Slot.extent) - 1;
      local['seen'] = Number(arenaOf(0).isOwned(executing(local), first, load(words, base + Slot.extentChunks)));
    },
    after(local, ghost) {
      must(local['seen'] === 1, 'the request in execution has lost its chunks');
      ghost.holds[name] = executing(local);
      Object.assign(local, { pc: 2, seen: 0 });
    },
  };
  const claim: Operation<Ghost> = {
    name: 'claim chunks of an answer',
    run(local) {
      const first = arenaOf(MAX_CLIENTS, 'responses').claim(executing(local), 1);
      store(words, table.base(local['slot']) + Slot.responseExtent, first + 1);
      local['seen'] = first;
    },
    after(local) {
      must(local['seen'] >= 0, 'there is no room for an answer');
      Object.assign(local, { pc: 3, seen: 0 });
    },
  };
  const complete: Operation<Ghost> = {
    name: 'complete',
    run: (local) => void (local['seen'] = Number(table.complete(local['slot'], local['word']))),
    after(local, ghost) {
      if (local['seen'] === 1) rest(local, ghost);
      else local.pc = 4;
    },
  };
  const reclaim: Operation<Ghost> = {
    name: 'reclaim',
    run: (local) => void arenaOf(0).reclaim(executing(local)),
    after: (local) => void (local.pc = 5),
  };
  const release: Operation<Ghost> = {
    name: 'release',
    run: (local) =>
      void (local['seen'] = Number(table.release(local['slot'], withState(local['word'], SlotState.abandoned)))),
    after(local, ghost) {
      must(local['seen'] === 1, 'an abandoned slot was freed by another');
      rest(local, ghost);
    },
  };
  const rest = (local: Local, ghost: Ghost) => {
    delete ghost.holds[name];
    Object.assign(local, { pc: 0, slot: 0, word: 0, seen: 0 });
  };
  const byPc = [[begin(0), begin(1)], [read], [claim], [complete], [reclaim], [release]];
  return { name, start: { pc: 0, slot: 0, word: 0, seen: 0 }, choices: ({ pc }) => byPc[pc] };
}

/** As the server's rounds: reaps the dead, and looks for chunks whose use is over. */
function house(clients: number): Actor<Ghost> {
  const region = { ctl, geometry, ctlFd: 0 } as OwnedRegion;
  const reap = (id: number): Operation<Ghost> => ({
    name: `reap ${id}`,
    run: () => void new Reaper(region, conduct, () => {}).reap([id]),
    after: (local) => void (local[`reaped${id}`] = 1),
  });
  const sweep: Operation<Ghost> = {
    name: 'sweep',
    run: () => void new Reaper(region, conduct, () => {}).sweepChunks(),
  };
  const all = Array.from({ length: clients }, (_, id) => reap(id));
  return {
    name: 'house',
    start: { pc: 0, reaped0: 0, reaped1: 0 },
    choices: (local, _, isDead) => {
      dead = all.map((_op, id) => `client ${id}`).filter(isDead);
      return [
        ...all.filter((_op, id) => isDead(`client ${id}`) && local[`reaped${id}`] === 0),
        ...(dead.length > 0 ? [sweep] : []),
      ];
    },
  };
}

function observe({ index, before, value }: Access, ghost: Ghost, actor: string): void {
  if (index < OWNERS || index >= OWNERS + CHUNKS || before === 0 || before === value) return;
  for (const [holder, use] of Object.entries(ghost.holds)) {
    if (holder === actor || dead.includes(holder) || (before & ~0x40000000) !== use) continue;
    // A worker gives back what its own answer was in; a client, what it was told is done.
    const isDone = stateOf(words[table.base(slotOfUse(use))]) === SlotState.done;
    must(isDone, `${actor} takes a chunk from ${holder}, who is not done with it`);
  }
}

test.each([
  { requests: [2, 2], isServed: false, maxDeaths: 1 },
  { requests: [2, 1], isServed: false, maxDeaths: 2 },
  { requests: [1], isServed: true, maxDeaths: 1 },
])(
  'no chunk is had twice, taken from who needs it, or lost: requests of $requests chunks, served: $isServed, up to $maxDeaths deaths',
  ({ requests, isServed, maxDeaths }) => {
    const { states, atRest } = explore<Ghost>({
      words,
      setUp() {
        for (const id of requests.keys()) store(words, recordOf(id) + ClientRecord.inUse, 1);
      },
      actors: [
        ...requests.map((chunks, id) => client(id, chunks, isServed)),
        ...(isServed ? [worker()] : []),
        house(requests.length),
      ],
      ghost: { holds: {} },
      maxDeaths,
      isConstant: (index) => index >= pinsOffset / 4 || index < clientsOffset / 4,
      observe,
      isAtRest: (memory, _ghost, snapshots) =>
        memory.subarray(OWNERS, OWNERS + CHUNKS).every((owner) => owner === 0) &&
        Array.from({ length: SLOTS }, (_, slot) => stateOf(memory[table.base(slot)])).every(
          (state) => state === SlotState.free,
        ) &&
        snapshots.every(
          ({ isBusy, isDead, local }, i) => isDead || (!isBusy && (i >= requests.length || local.pc === 7)),
        ),
    });
    expect(states).toBeGreaterThan(500);
    expect(atRest).toBeGreaterThan(0);
  },
);
