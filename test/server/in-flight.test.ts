/**
 * A server that dies after any of its writes while it executes a request, and one that dies while it recovers from that:
 * the next one executes the request exactly once, with the answer that it would have had.
 * Seen to fail when: a record does not say what has taken effect, or says so before it has; the answer of INCR is written
 * after the commit; a request that had taken effect is executed again; a batch or a flush begins again at its start;
 * a request that had not begun is answered; the answer's chunks stay when it is executed again; one that is put back is
 * named by nobody for a moment; an answer is freed of which it is just no longer noted that it waits for the log.
 */
import { expect, test } from 'vitest';

import { MAX_REPLAYS, SlotState, stateOf, withState } from '#dist/exchange/slot-word.js';
import { PayloadArena } from '#dist/exchange/payload-arena.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { geometryOf } from '#dist/memory/layout.js';
import { NOT_BEGUN, Settlements } from '#dist/server/settlement.js';

import { BEFORE, CLIENT, createWorld, LARGE, REQUESTS } from '../fixtures/in-flight.js';
import { shapeOf } from '../fixtures/region.js';
import { auditStore } from '../fixtures/store/audit.js';
import { Mortal } from '../fixtures/store/mortal.js';

const geometry = geometryOf(shapeOf({ maxMemoryBytes: 2 ** 20 }));
const { sceneOf, serve, replaceThread, recover, contents, takeAnswer, writeLater } = createWorld(geometry);

test.each(REQUESTS)('$what is executed once, whatever write its server dies after', (request) => {
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

test.each(REQUESTS)('$what is executed once, whatever write its worker thread dies after', (request) => {
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

test.each(REQUESTS)('$what: a death in the recovery, too, changes nothing', (request) => {
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

test('a request whose answer finds no room is executed once, whatever write its worker thread dies after', () => {
  const scene = sceneOf({ operation: 'get', key: 'c', answer: BEFORE['c'] });
  const { ctl, data } = scene;
  const mortal = new Mortal(data, ctl);
  const [dataViews, ctlViews] = mortal.segments;
  // Answers that others do not take, for now.
  const others = 5;
  const arena = new PayloadArena(ctl, geometry, 1);
  const table = new SlotTable(ctl, geometry);
  let deaths = 0;
  for (let isOver = false; !isOver; deaths++) {
    scene.reset();
    expect(arena.claim(others, arena.chunkCount)).toBe(0);
    isOver = mortal.live(() => serve(ctlViews, dataViews), deaths);
    replaceThread(ctl, data);
    expect(table.submitted(0), `after ${deaths} writes`).not.toBe(0);
    arena.reclaim(others);
    serve(ctl, data);
    expect(takeAnswer(scene), `after ${deaths} writes`).toBe(BEFORE['c']);
  }
  expect(deaths).toBeGreaterThan(10);
});

test('an answer that the log has just let go stays its client’s', () => {
  const scene = sceneOf({ operation: 'get', key: 'c', answer: BEFORE['c'] });
  const { ctl, data } = scene;
  const table = new SlotTable(ctl, geometry);
  const executing = withState(scene.call.word, SlotState.executing);
  serve(ctl, data);
  // Whoever cleans up saw it in execution; it was answered, and is no longer noted as unsettled, when that looks again.
  expect(new Settlements(ctl, data, geometry).settle(0, executing, NOT_BEGUN)).toBe('overtaken');
  expect(table.word(0)).toBe(withState(executing, SlotState.done));
  expect(takeAnswer(scene)).toBe(BEFORE['c']);
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
