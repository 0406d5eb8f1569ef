/**
 * A server that dies after any of its writes while it executes a request, and one that dies while it recovers from that:
 * the next one executes the request exactly once, with the answer that it would have had.
 * Seen to fail when: a record does not say what has taken effect, or says so before it has; the answer of INCR is written
 * after the commit; a request that had taken effect is executed again; a batch or a flush begins again at its start;
 * a request that had not begun is answered; the answer's chunks stay when it is executed again.
 */
import { createHistogram } from 'node:perf_hooks';

import { expect, test } from 'vitest';

import { itemBytes } from '#dist/codec/batch.js';
import { resolveCodec } from '#dist/codec/codec.js';
import { Call } from '#dist/client/call.js';
import { RequestWriter } from '#dist/client/request-writer.js';
import { hashWords } from '#dist/codec/hash.js';
import { BellRinger } from '#dist/exchange/bell-ringer.js';
import { AnswerQuota } from '#dist/exchange/answer-quota.js';
import { PayloadArena } from '#dist/exchange/payload-arena.js';
import { MAX_REPLAYS, SlotState, stateOf, withState } from '#dist/exchange/slot-word.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { TaskQueue } from '#dist/exchange/task-queue.js';
import { WorkerBells } from '#dist/exchange/worker-bells.js';
import type { OwnedRegion } from '#dist/memory/region.js';
import { geometryOf, Slot } from '#dist/memory/layout.js';
import { type SegmentViews, viewsOf } from '#dist/memory/segment.js';
import { BatchReader } from '#dist/operation/batch-reader.js';
import type { Operation } from '#dist/operation/operation.js';
import { ResponseView } from '#dist/operation/response-view.js';
import { Scratch } from '#dist/operation/scratch.js';
import { OPERATIONS } from '#dist/operation/table.js';
import { Conduct } from '#dist/server/conduct.js';
import { Executor } from '#dist/server/executor.js';
import { Parking } from '#dist/server/parking.js';
import { WorkerRecovery } from '#dist/server/recovery.js';
import { recoverRegion } from '#dist/server/warm-restart.js';
import { NO_PINS } from '#dist/store/limbo.js';
import { Store } from '#dist/store/store.js';

import { shapeOf } from '../fixtures/region.js';
import { auditStore } from '../fixtures/store/audit.js';
import { KeyStore } from '../fixtures/store/key-store.js';
import { Mortal } from '../fixtures/store/mortal.js';

const geometry = geometryOf(shapeOf({ maxMemoryBytes: 2 ** 20 }));
const CLIENT = 5;
const SERVED_BY = 0;
const codec = resolveCodec('utf8');

interface Request {
  readonly operation: string;
  readonly key?: string;
  readonly value?: string;
  readonly argument?: number;
  readonly items?: readonly { readonly key: string; readonly value: string }[];
  readonly answer: unknown;
}

/** What a store holds that requests meet. */
const BEFORE: Readonly<Record<string, string>> = { a: '1', b: 'two', c: 'x'.repeat(3000), d: '4' };

const LARGE = 'y'.repeat(5000);
const REQUESTS: readonly Request[] = [
  { operation: 'set', key: 'a', value: '7', answer: true },
  { operation: 'set', key: 'new', value: LARGE, answer: true },
  { operation: 'post', key: 'new', value: 'won', answer: true },
  { operation: 'post', key: 'a', value: 'lost', answer: false },
  { operation: 'del', key: 'b', answer: true },
  { operation: 'getdel', key: 'c', answer: BEFORE['c'] },
  { operation: 'incr', key: 'a', argument: 41, answer: 42 },
  { operation: 'incr', key: 'new', argument: 3, answer: 3 },
  { operation: 'cas', key: 'none', argument: 0, value: 'swapped', answer: true },
  { operation: 'get', key: 'c', answer: BEFORE['c'] },
  {
    operation: 'mset',
    items: ['a', 'new', 'b', 'large'].map((key) => ({ key, value: key === 'large' ? LARGE : `m ${key}` })),
    answer: 4,
  },
  { operation: 'mdel', items: ['none', 'a', 'none', 'c', 'd'].map((key) => ({ key, value: '' })), answer: 3 },
  { operation: 'flush', answer: true },
];

/** The bytes of both segments before the request is executed; it stands in slot 0. */
interface Scene {
  readonly ctl: SegmentViews;
  readonly data: SegmentViews;
  readonly call: Call;
  reset(): void;
}

const hash = (key: Buffer): number => {
  const { words, bytes } = viewsOf(new SharedArrayBuffer(64));
  bytes.set(key);
  return hashWords(words, 0, key.length, 0, 0);
};
const keysOf = (data: SegmentViews, worker: number): KeyStore => new KeyStore(data, geometry, worker, hash);

function sceneOf(request: Request): Scene {
  const [ctl, data] = [geometry.ctlBytes, geometry.dataBytes].map((bytes) => viewsOf(new SharedArrayBuffer(bytes)));
  Store.format(data, geometry);
  new TaskQueue(ctl, geometry).reset();
  const keys = keysOf(data, SERVED_BY);
  for (const [key, value] of Object.entries(BEFORE)) keys.set(Buffer.from(key), Buffer.from(value));
  keys.store.rest();
  const operation = OPERATIONS.find((one) => one?.name === request.operation) as Operation;
  const call = new Call(operation, codec, Infinity);
  call.key = request.key ?? '';
  call.value = request.value ?? '';
  call.items = request.items;
  call.itemUnits = (request.items ?? []).reduce((sum, { key, value }) => sum + itemBytes(key.length, value.length), 0);
  call.argument = request.argument ?? 0;
  const table = new SlotTable(ctl, geometry);
  call.slot = 0;
  call.word = table.claim(0, CLIENT);
  new RequestWriter(ctl, new PayloadArena(ctl, geometry, CLIENT, 'requests'), geometry.arenaChunks).write(
    call,
    table.base(0),
  );
  call.word = table.submit(0, call.word);
  new TaskQueue(ctl, geometry).enqueue(0);
  const snapshots = [ctl, data].map(({ bytes }) => Buffer.from(bytes));
  return {
    ctl,
    data,
    call,
    reset: () => [ctl, data].forEach(({ bytes }, index) => bytes.set(snapshots[index])),
  };
}

/** Executes all that is in the queue, as a worker of the server does. */
function serve(ctl: SegmentViews, data: SegmentViews): void {
  const queue = new TaskQueue(ctl, geometry);
  const store = new Store(data, geometry, SERVED_BY, NO_PINS);
  const executor = new Executor({
    ctl,
    data,
    geometry,
    worker: SERVED_BY,
    queue,
    workerBells: new WorkerBells(ctl),
    bells: bellsOf(ctl),
    parked: Parking.allocate(geometry.slots),
    conduct: Conduct.allocate(),
    answers: AnswerQuota.allocate(),
    maxAnswerChunks: geometry.arenaChunks,
    latency: createHistogram(),
    serve: (request) => ({
      store,
      maxValueBytes: geometry.maxValueBytes,
      batch: new BatchReader(request),
      scratch: new Scratch(8192),
      statistics: () => expect.fail(),
    }),
    onFailure: (operation, error) => expect.fail(`${operation}: ${String(error)}`),
  });
  for (let slot = queue.dequeue(); slot >= 0; slot = queue.dequeue()) executor.run(slot);
  executor.rest();
}

const bellsOf = (ctl: SegmentViews) => new BellRinger(ctl, geometry.clientsOffset, () => '/nowhere');

/** What the living server does about the thread that serve() stands for. */
function replaceThread(ctl: SegmentViews, data: SegmentViews): void {
  const queue = new TaskQueue(ctl, geometry);
  new WorkerRecovery(ctl, data, geometry, queue, bellsOf(ctl), new WorkerBells(ctl)).recover(SERVED_BY);
  // As the sweeper does for what it finds in no ring.
  if (queue.isEmpty() && new SlotTable(ctl, geometry).submitted(0) !== 0) queue.enqueue(0);
}

const recover = (ctl: SegmentViews, data: SegmentViews) =>
  recoverRegion({ ctl, data, geometry } as OwnedRegion, new TaskQueue(ctl, geometry));

/** Of every key that any request is about. */
function contents(data: SegmentViews): Record<string, string | undefined> {
  const keys = keysOf(data, 1);
  const names = ['a', 'b', 'c', 'd', 'new', 'none', 'large'];
  return Object.fromEntries(names.map((name) => [name, keys.get(Buffer.from(name))?.toString()]));
}

/** Takes the answer as the client does, and expects nothing to be left behind. */
function takeAnswer({ ctl, data, call }: Scene): unknown {
  const table = new SlotTable(ctl, geometry);
  const arena = new PayloadArena(ctl, geometry, CLIENT);
  expect(table.word(0)).toBe(withState(call.word, SlotState.done));
  const answer = call.operation.decode(new ResponseView(ctl, table, arena).read(0, table.word(0)), codec);
  const chunks = (call.extent < 0 ? 0 : call.extentChunks) + ctl.words[table.base(0) + Slot.responseChunks];
  expect(arena.used()).toBe(chunks);
  auditStore(data, geometry);
  return answer;
}

/** Whoever writes after the death, before the request is executed again, is not undone by it. */
function writeLater({ ctl, data, call }: Scene, before: Record<string, string | undefined>): Record<string, string> {
  const now = contents(data);
  const flushed = ctl.words[new SlotTable(ctl, geometry).base(0) + Slot.replayDone] - 1;
  const changed = Object.keys(now).filter((key) => {
    // A flush goes on in the bucket that it was emptying.
    const isBehind = call.operation.name !== 'flush' || (hash(Buffer.from(key)) & (geometry.buckets - 1)) < flushed;
    return now[key] !== before[key] && isBehind;
  });
  const keys = keysOf(data, 1);
  for (const key of changed) keys.set(Buffer.from(key), Buffer.from('later'));
  keys.store.rest();
  return Object.fromEntries(changed.map((key) => [key, 'later']));
}

test.each(REQUESTS)('$operation $key is executed once, whatever write its server dies after', (request) => {
  const scene = sceneOf(request);
  const { ctl, data } = scene;
  const before = contents(data);
  serve(ctl, data);
  const after = contents(data);
  expect(takeAnswer(scene)).toEqual(request.answer);
  const mortal = new Mortal(data, ctl);
  const [dataViews, ctlViews] = mortal.segments;
  let outcomes = '';
  for (let lastWrite = 0; ; lastWrite += lastWrite < 400 ? 1 : 7) {
    scene.reset();
    if (mortal.live(() => serve(ctlViews, dataViews), lastWrite)) break;
    const { answered, replayed, refused } = recover(ctl, data);
    expect(refused).toBe(0);
    outcomes += answered > 0 ? 'a' : replayed > 0 ? 'r' : '.';
    auditStore(data, geometry);
    const later = writeLater(scene, before);
    serve(ctl, data);
    expect(takeAnswer(scene), `after ${lastWrite} writes`).toEqual(request.answer);
    expect(contents(data), `after ${lastWrite} writes`).toEqual({ ...after, ...later });
  }
  // Not begun, to be executed, done (of one key), finished.
  expect(outcomes).toMatch(/^\.*r+a*\.*$/);
});

test.each(REQUESTS)('$operation $key is executed once, whatever write its worker thread dies after', (request) => {
  const scene = sceneOf(request);
  const { ctl, data } = scene;
  const before = contents(data);
  serve(ctl, data);
  const after = contents(data);
  const mortal = new Mortal(data, ctl);
  const [dataViews, ctlViews] = mortal.segments;
  for (let lastWrite = 0; ; lastWrite += lastWrite < 100 ? 1 : 29) {
    scene.reset();
    if (mortal.live(() => serve(ctlViews, dataViews), lastWrite)) break;
    replaceThread(ctl, data);
    auditStore(data, geometry);
    const later = writeLater(scene, before);
    serve(ctl, data);
    expect(takeAnswer(scene), `after ${lastWrite} writes`).toEqual(request.answer);
    expect(contents(data), `after ${lastWrite} writes`).toEqual({ ...after, ...later });
  }
});

test.each(REQUESTS)('$operation $key: a death in the recovery, too, changes nothing', (request) => {
  const scene = sceneOf(request);
  const { ctl, data } = scene;
  serve(ctl, data);
  const after = contents(data);
  const mortal = new Mortal(data, ctl);
  const [dataViews, ctlViews] = mortal.segments;
  for (let lastWrite = 3; ; lastWrite += lastWrite < 100 ? 13 : 301) {
    scene.reset();
    if (mortal.live(() => serve(ctlViews, dataViews), lastWrite)) break;
    const dead = [ctl, data].map(({ bytes }) => Buffer.from(bytes));
    for (let recoveryWrite = 0; ; recoveryWrite += 1 + (recoveryWrite >> 1)) {
      [ctl, data].forEach(({ bytes }, index) => bytes.set(dead[index]));
      const isOver = mortal.live(() => void recover(ctlViews, dataViews), recoveryWrite);
      if (isOver) break;
      recover(ctl, data);
      serve(ctl, data);
      expect(takeAnswer(scene), `after ${lastWrite} and ${recoveryWrite} writes`).toEqual(request.answer);
      expect(contents(data), `after ${lastWrite} and ${recoveryWrite} writes`).toEqual(after);
    }
  }
});

test('a request over which one server after another dies is refused in the end', () => {
  const scene = sceneOf({ operation: 'set', key: 'a', value: '7', answer: true });
  const { ctl, data } = scene;
  const mortal = new Mortal(data, ctl);
  const [dataViews, ctlViews] = mortal.segments;
  // In the middle of the execution.
  const lastWrite = 12;
  for (let death = 0; death < MAX_REPLAYS; death++) {
    expect(mortal.live(() => serve(ctlViews, dataViews), lastWrite)).toBe(false);
    expect(recover(ctl, data)).toMatchObject({ replayed: 1, refused: 0 });
  }
  expect(mortal.live(() => serve(ctlViews, dataViews), lastWrite)).toBe(false);
  expect(recover(ctl, data)).toMatchObject({ replayed: 0, refused: 1 });
  expect(() => takeAnswer(scene)).toThrow(expect.objectContaining({ code: 'ERR_KVS_INTERNAL', executed: 'unknown' }));
});

test('what was abandoned is freed, what was being built or is done is left to its client', () => {
  const scene = sceneOf({ operation: 'set', key: 'new', value: LARGE, answer: true });
  const { ctl, data } = scene;
  const table = new SlotTable(ctl, geometry);
  const arena = new PayloadArena(ctl, geometry, CLIENT, 'requests');
  const building = table.claim(1, CLIENT);
  expect(arena.claim(1, 2)).toBeGreaterThanOrEqual(0);
  const executing = table.begin(0);
  table.abandon(0, executing);
  const done = table.begin(2, table.submit(2, table.claim(2, CLIENT)));
  expect(table.complete(2, done)).toBe(true);
  expect(recover(ctl, data)).toMatchObject({ replayed: 0, answered: 0, refused: 0 });
  expect(stateOf(table.word(0))).toBe(SlotState.free);
  expect(table.word(1)).toBe(building);
  expect(stateOf(table.word(2))).toBe(SlotState.done);
  expect(arena.used()).toBe(2);
});
