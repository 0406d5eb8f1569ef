/**
 * A thread that is ended from outside goes on for a moment in which calls of Node-API that might run JavaScript fail, and so
 * do the exceptions that would say so. What the addon is asked for then must be done all the same: a copy that was left out
 * would be committed. Seen to fail when arguments are converted by such a call (napi_coerce_to_bool).
 */
import { Worker } from 'node:worker_threads';

import { expect, test } from 'vitest';

import { native } from '#dist/native.js';

const WORDS = 512;
const ENDS = 12;
/** Steps between two moments at which the thread notices that it was ended. */
const STEPS = 500;

/** A thread that takes a step again and again, with `native` and `target`. */
function programOf(setup: string, step: string): string {
  const body = `${setup} for (;;) {${step.repeat(STEPS)}}`;
  return `
    const { workerData: { target, url } } = require('node:worker_threads');
    import(url).then(({ native }) => new Function('native', 'target', ${JSON.stringify(body)})(native, target));
  `;
}

/** Copies a growing number, then says so in the word behind the target. */
const COPIES = programOf(
  `let count = 0;
  const source = new Int32Array(${WORDS});
  const [from, to] = [new Uint8Array(source.buffer), new Uint8Array(target.buffer)];`,
  `source[0] = source[${WORDS - 1}] = ++count;
  native.copyBytes(to, 0, from, 0, ${WORDS * 4}, false);
  target[${WORDS}] = count;`,
);

/** Sums up a growing number, then says which in front of the sum. */
const SUMS = programOf(
  `let count = 1;
  const source = new Int32Array(1);
  const bytes = new Uint8Array(source.buffer);`,
  `source[0] = count;
  target[1] = native.crc32c(bytes, 0, 4, 0, false);
  target[0] = count++;`,
);

/** Runs a program until the word that tells its progress has moved far, and ends it. */
async function endOf(program: string, target: Int32Array, progress: number): Promise<void> {
  const url = new URL('../../dist/native.js', import.meta.url).href;
  const thread = new Worker(program, { eval: true, workerData: { target, url } });
  while (Atomics.load(target, progress) < 20 * STEPS) await new Promise(setImmediate);
  await thread.terminate();
}

test('a copy is made whatever becomes of its thread', async () => {
  for (let end = 0; end < ENDS; end++) {
    const target = new Int32Array(new SharedArrayBuffer((WORDS + 2) * 4));
    await endOf(COPIES, target, WORDS);
    const said = target[WORDS];
    expect([said, said + 1]).toContain(target[0]);
    expect(target[WORDS - 1]).toBe(target[0]);
  }
});

test('a sum is right whatever becomes of its thread', async () => {
  for (let end = 0; end < ENDS; end++) {
    const target = new Int32Array(new SharedArrayBuffer(8));
    await endOf(SUMS, target, 0);
    const sumOf = (number: number): number => native.crc32c(new Uint8Array(Int32Array.of(number).buffer), 0, 4) | 0;
    expect([sumOf(target[0]), sumOf(target[0] + 1)]).toContain(target[1]);
  }
});
