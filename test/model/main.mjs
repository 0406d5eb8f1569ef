/**
 * Runs all explorations, also those that are too long for `npm test`, and says how many states and steps they have: `npm run test:explorations [-- --report]`.
 * With --report the sums are written for `npm run bench -- --only reliability`.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { writeReport } from '../../scripts/reliability-report.mjs';

const { values } = parseArgs({
  allowPositionals: true,
  options: { report: { type: 'boolean', default: false } },
});
const folder = mkdtempSync(path.join(tmpdir(), 'kvs-explored-'));
process.once('exit', () => rmSync(folder, { recursive: true }));
const file = path.join(folder, 'explored.jsonl');
const vitest = path.join(import.meta.dirname, '../../node_modules/vitest/vitest.mjs');
const folders = [import.meta.dirname, 'test/log/power-loss.test.ts'];
const { status } = spawnSync(process.execPath, [vitest, 'run', ...folders], {
  env: { ...process.env, KVS_EXPLORED: file, KVS_THOROUGH: '1' },
  stdio: 'inherit',
});
if (status !== 0) process.exit(1);
const explored = readFileSync(file, 'utf8')
  .trim()
  .split('\n')
  .map((line) => /** @type {{ states: number, steps: number }} */ (JSON.parse(line)));
const report = {
  scenarios: explored.length,
  states: explored.reduce((sum, { states }) => sum + states, 0),
  steps: explored.reduce((sum, { steps }) => sum + steps, 0),
  failures: 0,
};
console.log(JSON.stringify(report));
if (values.report) writeReport('explorations', report);
