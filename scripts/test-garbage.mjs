/**
 * Vandals against a server and its clients for as long as you like: `npm run test:garbage -- --duration 300 --seed 7`.
 * Prints the seed, which gives the same garbage again, a line per second and, at the end, how many words were written and
 * what failed (test/fixtures/service/garbage-run.mjs says what must hold). --report writes that for
 * `npm run bench -- --only reliability`.
 */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { writeReport } from './reliability-report.mjs';

const SLICE_MS = 1000;
const { values } = parseArgs({
  options: {
    duration: { type: 'string', default: '60' },
    report: { type: 'boolean', default: false },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
  },
});
const [seconds, seed] = [Number(values.duration), Number(values.seed)];
if (!(seconds > 0) || !Number.isInteger(seed)) {
  console.error('usage: npm run test:garbage -- [--duration <seconds>] [--seed <whole number>] [--report]');
  process.exit(2);
}
const name = `t-garbage-${process.pid}`;
const options = JSON.stringify({ name, seed, slices: Math.ceil((seconds * 1000) / SLICE_MS), sliceMs: SLICE_MS });
console.log(`seed: ${seed}`);
const program = path.join(import.meta.dirname, '../test/fixtures/service/garbage-run.mjs');
const child = spawn(process.execPath, [program, options], { stdio: ['inherit', 'pipe', 'inherit'] });
let said = '';
child.stdout.setEncoding('utf8').on('data', (/** @type {string} */ text) => {
  said += text;
  process.stdout.write(text);
});
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.on(signal, () => child.kill());
child.on('close', (code) => {
  for (const file of readdirSync('/dev/shm')) if (file.startsWith(`kvs.${name}.`)) rmSync(`/dev/shm/${file}`);
  process.exitCode = code ?? 1;
  const last = said.trim().split('\n').at(-1) ?? '';
  if (!values.report || !last.startsWith('{')) return;
  const { failures, errors, events, ...figures } =
    /** @type {{ failures: string[], errors: Record<string, number>, events: Record<string, number> }} */ (
      JSON.parse(last)
    );
  const refused = Object.values(errors).reduce((sum, count) => sum + count, 0);
  const expelled = events['client-expelled'] ?? 0;
  writeReport('garbage', { seconds, ...figures, refused, expelled, failures: failures.length });
});
