/**
 * A large value that finds no room: its call waits for as long as a copy would take, and only then is the value copied.
 * On a clock that each look moves. Seen to fail when: it does not wait, or for ever, or for text; room of answered calls is
 * not given back, or their answers are taken on the way; one that came later goes first.
 */
import { performance } from 'node:perf_hooks';

import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { Connection } from '../../src/client/connection.js';
import { Call } from '../../src/client/call.js';
import { Pipeline } from '../../src/client/pipeline.js';
import type { Session } from '../../src/client/session.js';
import { resolveCodec } from '../../src/codec/codec.js';
import { set } from '../../src/operation/set.js';

vi.mock('node:os', async (original) => ({ ...(await original<object>()), availableParallelism: () => 2 }));

const TICK_MS = 0.001;
const MIB = 2 ** 20;
let now = 0;
beforeEach(() => {
  now = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => (now += TICK_MS));
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** A client with room for so many calls at once, of which one is answered `answerMs` after the one before. */
function clientWith({ room = 2, answerMs = Infinity, isOutOfSlots = false }) {
  const started: Call[] = [];
  let [held, doneAt, answered] = [0, now + answerMs, 0];
  const taken: Call[] = [];
  const session = {
    isReady: true,
    isGone: false,
    start(call: Call) {
      if (held === room) return 'blocked';
      held++;
      call.state = 'submitted';
      started.push(call);
      return 'started';
    },
    isDone: (call: Call) => started.indexOf(call) < answered,
    isAnswered() {
      now += TICK_MS;
      if (now < doneAt) return false;
      doneAt += answerMs;
      answered++;
      return true;
    },
    staging: {
      get lacksRoom() {
        return !isOutOfSlots && held === room;
      },
      freeRequest(call: Call) {
        if (call.extent === -2) return;
        expect(session.isDone(call)).toBe(true);
        call.extent = -2;
        held--;
      },
    },
    take: (call: Call) => taken.push(call),
    tidy: () => false,
    tasksTaken: () => 0,
    starvation: { begin: () => 0, end: () => {} },
  };
  const connection = { session, ready: () => session as unknown as Session, options: { name: 'fake' } };
  const pipeline = new Pipeline(connection as unknown as Connection);
  const issue = (value: string | Uint8Array): Call => {
    const call = new Call<unknown>(set, resolveCodec('buffer'), 60_000);
    call.value = value;
    pipeline.issue(call);
    return call;
  };
  return { pipeline, issue, started, taken };
}

test('while room comes in time nothing is copied, and no answer is taken in between', () => {
  const { pipeline, issue, started, taken } = clientWith({ answerMs: 0.1 });
  const values = Array.from({ length: 20 }, () => new Uint8Array(MIB));
  const calls = values.map((value) => issue(value));
  expect(started.map((call) => calls.indexOf(call))).toEqual(calls.map((_, index) => index));
  expect(calls.every((call, index) => call.value === values[index])).toBe(true);
  expect(pipeline.queuedCount).toBe(0);
  expect(taken).toEqual([]);
});

test('where none comes it is copied after as long as that takes, and waits in its turn', () => {
  const { pipeline, issue, started } = clientWith({});
  issue(new Uint8Array(10));
  issue(new Uint8Array(10));
  for (const [bytes, ms] of [
    [64 * 1024, 0.016],
    [MIB, 0.26],
    [16 * MIB, 1],
  ] as const) {
    const value = new Uint8Array(bytes).fill(7);
    const before = now;
    const call = issue(value);
    expect(now - before).toBeGreaterThan(ms);
    expect(now - before).toBeLessThan(ms + 0.15);
    value.fill(0);
    expect(call.value).not.toBe(value);
    expect(Buffer.from(call.value as Uint8Array).equals(Buffer.alloc(bytes, 7))).toBe(true);
  }
  expect([started.length, pipeline.queuedCount]).toEqual([2, 3]);
});

test.each([
  ['text', 'x'.repeat(MIB)],
  ['what is small', new Uint8Array(60_000)],
])('%s is queued at once', (_what, value) => {
  const { pipeline, issue } = clientWith({ answerMs: 0.001 });
  issue(value);
  issue(value);
  const before = now;
  issue(value);
  expect(now - before).toBeLessThan(10 * TICK_MS);
  expect(pipeline.queuedCount).toBe(1);
});

test('those that were queued before come first', () => {
  const { issue, started } = clientWith({ answerMs: 0.15 });
  const calls = [10, 10, 10, MIB, MIB].map((bytes) => issue(new Uint8Array(bytes)));
  expect(started.map((call) => calls.indexOf(call))).toEqual([0, 1, 2, 3, 4]);
});

test('where slots are short there is nothing to wait for: they come back as answers are taken', () => {
  const { pipeline, issue } = clientWith({ answerMs: 0.001, isOutOfSlots: true });
  for (let i = 0; i < 3; i++) issue(new Uint8Array(10));
  const before = now;
  issue(new Uint8Array(MIB));
  expect(now - before).toBeLessThan(10 * TICK_MS);
  expect(pipeline.queuedCount).toBe(2);
});
