/**
 * Hostile clients in all their modes, for some seconds; `npm run test:garbage` does the same for as long as one likes.
 * Seen to fail when: a worker uses a length before it is checked; nobody mends the header, the ring or slots of nobody's;
 * the answer's status is read back from the slot; direct reads give up because the header is overwritten; a client throws
 * a SyntaxError at an answer that was overwritten.
 */
import { expect, test } from 'vitest';

import { runFixture } from '../fixtures/processes.js';
import { regionName } from '../fixtures/region.js';
import { randomness } from '../fixtures/service.js';

interface Result {
  readonly words: number;
  readonly answers: number;
  readonly failures: readonly string[];
}

test('server, store and other clients survive vandals, and are as before when those have gone', async () => {
  const options = { name: regionName(), seed: randomness()(2 ** 30), slices: 3, sliceMs: 500 };
  console.log(`seed: ${options.seed}`);
  const { stdout, stderr } = await runFixture('service/garbage-run', [JSON.stringify(options)]);
  // What it ends without is told on stderr.
  expect(stdout, stderr).not.toBe('');
  const { failures, words, answers } = JSON.parse(stdout) as Result;
  expect(failures).toEqual([]);
  expect(words).toBeGreaterThan(1000);
  expect(answers).toBeGreaterThan(100);
});
