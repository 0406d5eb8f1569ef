/**
 * Hostile clients in all their modes, for some seconds; `npm run test:garbage` does the same for as long as one likes.
 * Run for longer, seen to fail when nobody frees slots that were overwritten in the name of a client that has left.
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
