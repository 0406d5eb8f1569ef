/**
 * A share of `npm run test:fuzz`: the inputs that are kept, and some thousand more from them.
 * Seen to fail when: a worker does not check the length of a request in its slot or its extent, or of an item of a batch;
 * a direct read does not bound a value; a client takes the length of an answer as it comes.
 */
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { run } from '../fixtures/processes.js';

const program = fileURLToPath(new URL('main.mjs', import.meta.url));

test.each([
  ['requests', 2000],
  ['batches', 5000],
  ['values', 5000],
  ['answers', 5000],
  ['reader', 1000],
  ['audit', 50],
  ['header', 1000],
])('%s of garbage: the inputs that are kept and %i more', async (name, executions) => {
  const args = [program, '--only', name, '--executions', `${executions}`, '--seed', '1'];
  const { code, stdout, stderr } = await run(process.execPath, args);
  expect(`${stdout}${stderr}`).not.toContain('FAILED');
  expect(code).toBe(0);
  const report = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as { executions: number; failures: number };
  expect(report.executions).toBeGreaterThanOrEqual(executions);
  expect(report.failures).toBe(0);
});
