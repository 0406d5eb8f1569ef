/**
 * Clients, workers, whole servers, the reaper, recoveries and starting servers that die in front of an access to shared
 * memory, to the kernel or to a file: of all of these, one in 23 here, the same ones in each run (`npm run
 * test:crash-points` goes through all, `--seed` chooses others). After each death others go on, the outcome is one that the
 * dead was not told otherwise of, an interrupted request is executed once with the answer that it would have had, and a full
 * audit finds nothing amiss and nothing leaked. Some deaths are by SIGKILL, of processes.
 * Seen to fail when: each of the mutations with a crash point in test/mutations/mutations.mjs is made.
 */
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { run } from '../fixtures/processes.js';

interface Report {
  readonly inPlace: number;
  readonly kills: number;
  readonly failures: readonly string[];
  readonly report: Readonly<Record<string, { readonly points: number; readonly deaths: number }>>;
}

const ROLES = ['client', 'reaper', 'server', 'worker thread', 'recovery', 'recovery of a recovery', 'start'];
test('whoever dies in front of whichever access: nothing is lost, nothing leaks, and the others go on', async () => {
  const options = {
    run: process.env['KVS_TEST_RUN'] ?? 'alone',
    every: '23',
    kills: '47',
    share: '6',
    seed: '1',
  };
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
  const program = fileURLToPath(new URL('main.mjs', import.meta.url));
  const { stdout, stderr } = await run(process.execPath, [program, '--writes', ...args]);
  const { failures, report, inPlace, kills } = JSON.parse(stdout.trim().split('\n').at(-1) ?? stderr) as Report;
  console.log('crash points:', inPlace, 'in place,', kills, 'by SIGKILL');
  expect(failures).toEqual([]);
  expect(Object.keys(report)).toEqual(expect.arrayContaining(ROLES));
  expect(inPlace).toBeGreaterThan(300);
  expect(kills).toBeGreaterThan(0);
}, 900_000);
