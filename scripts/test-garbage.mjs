/**
 * Vandals against a server and its clients for as long as you like: `npm run test:garbage -- --duration 300 --seed 7`.
 * Prints the seed, which gives the same garbage again, a line per second and, at the end, how many words were written and
 * what failed (test/fixtures/service/garbage-run.mjs says what must hold).
 */
import { spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { readdirSync, rmSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';

const SLICE_MS = 1000;
const { values } = parseArgs({
  options: {
    duration: { type: 'string', default: '60' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
  },
});
const [seconds, seed] = [Number(values.duration), Number(values.seed)];
if (!(seconds > 0) || !Number.isInteger(seed)) {
  console.error('usage: npm run test:garbage -- [--duration <seconds>] [--seed <whole number>]');
  process.exit(2);
}
const name = `t-garbage-${process.pid}`;
const options = JSON.stringify({ name, seed, slices: Math.ceil((seconds * 1000) / SLICE_MS), sliceMs: SLICE_MS });
console.log(`seed: ${seed}`);
const program = path.join(import.meta.dirname, '../test/fixtures/service/garbage-run.mjs');
const child = spawn(process.execPath, [program, options], { stdio: 'inherit' });
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) process.on(signal, () => child.kill());
child.on('exit', (code) => {
  for (const file of readdirSync('/dev/shm')) if (file.startsWith(`kvs.${name}.`)) rmSync(`/dev/shm/${file}`);
  process.exitCode = code ?? 1;
});
