/**
 * While a worker copies a large answer others sleep no longer: they are rung for what is queued behind it.
 * Seen to fail when: nobody is told of the room that the answer gets; every answer in the arena counts as large.
 */
import { expect, test } from 'vitest';

import { TaskQueue } from '#dist/exchange/task-queue.js';
import { CtlHeader, geometryOf } from '#dist/memory/layout.js';

import { createWorld } from '../fixtures/in-flight.js';
import { shapeOf } from '../fixtures/region.js';

const geometry = geometryOf(shapeOf({ maxMemoryBytes: 2 ** 20, workers: 2 }));
const { keysOf, sceneOf, serve } = createWorld(geometry);
const OTHER = 0b10;

test.each([
  [geometry.maxValueBytes, 0],
  [20_000, OTHER],
])('behind an answer of %d bytes, of the workers that sleep %d stay asleep', (bytes, asleep) => {
  const { ctl, data } = sceneOf({ operation: 'get', key: 'a', answer: undefined });
  expect(keysOf(data, 1).set(Buffer.from('a'), Buffer.alloc(bytes, 'v'))).toBe(true);
  ctl.words[CtlHeader.asleep] = OTHER;
  // A hint of a slot without a request.
  new TaskQueue(ctl, geometry).enqueue(1);
  serve(ctl, data);
  expect(ctl.words[CtlHeader.asleep]).toBe(asleep);
});
