/**
 * Where the time of an operation goes: samples client and worker with Linux perf while they work, and sums the samples
 * by module: shares, and CPU time per operation. Prints Markdown.
 *
 *   npm run bench:profile -- [case ...] [--seconds 5] [--keys 100000] [--dir folder]
 *
 * With a folder, for a server that keeps a log there.
 */
import { fork, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { categoryOf } from './categories.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
/** Names of compiled functions, for perf. */
const NODE_FLAGS = ['--perf-basic-prof-only-functions'];
/** Samples a second of a busy CPU. */
const FREQUENCY = 1999;
const ALL = ['get-blocking', 'set-blocking', 'set-awaited', 'set-in-flight', 'mget-64', 'mset-64'];
/** Shares below this are summed up. */
const MIN_PERCENT = 1.5;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    seconds: { type: 'string', default: '5' },
    keys: { type: 'string', default: '100000' },
    dir: { type: 'string' },
  },
});
const unknown = positionals.find((id) => !ALL.includes(id));
if (unknown !== undefined) throw new Error(`no such case: ${unknown}; there are ${ALL.join(', ')}`);
if (spawnSync('perf', ['--version']).status !== 0) {
  console.log('perf is not installed: nothing to do (package linux-perf or linux-tools)');
  process.exit(0);
}
for (const id of positionals.length > 0 ? positionals : ALL) await profile(id);

/** @param {string} id */
async function profile(id) {
  const folder = mkdtempSync(path.join(tmpdir(), 'kvs-profile-'));
  const name = `profile-${process.pid}`;
  const server = fork(path.join(HERE, '../serve.mjs'), ['shm-kvs', JSON.stringify({ name, dir: values.dir })], {
    execArgv: NODE_FLAGS,
  });
  await once(server, 'message');
  const load = fork(path.join(HERE, 'load.mjs'), [name, id, values.keys], { execArgv: NODE_FLAGS });
  try {
    await once(load, 'message');
    const data = path.join(folder, 'perf.data');
    const pids = `${load.pid},${server.pid}`;
    const clock = ['-e', 'cpu-clock', '-F', String(FREQUENCY)];
    const perf = spawn('perf', ['record', '-q', ...clock, '-o', data, '-p', pids, '--', 'sleep', values.seconds], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    await once(perf, 'exit');
    const rate = once(load, 'message');
    load.send('end');
    print(id, data, load.pid ?? 0, Number((await rate)[0]));
    await once(load, 'exit');
  } finally {
    load.kill();
    const stopped = once(server, 'exit');
    server.kill();
    await stopped;
    rmSync(folder, { recursive: true });
    for (const pid of [load.pid, server.pid]) rmSync(path.join(tmpdir(), `perf-${pid}.map`), { force: true });
  }
}

/** @returns {Map<string, number>} samples by category */
function counts() {
  return new Map();
}

/**
 * @param {string} id @param {string} data @param {number} client pid, and id of its main thread @param {number} rate of
 *   operations, per second
 */
function print(id, data, client, rate) {
  const fields = ['script', '-i', data, '-F', 'pid,ip,sym,dso'];
  const { stdout } = spawnSync('perf', fields, { encoding: 'utf8', maxBuffer: 2 ** 30 });
  const sides = { client: counts(), server: counts() };
  for (const line of stdout.split('\n')) {
    const match = /^\s*(\d+)\s+[\da-f]+\s+(.*)$/.exec(line);
    if (match === null) continue;
    const side = sides[Number(match[1]) === client ? 'client' : 'server'];
    const category = categoryOf(match[2]);
    side.set(category, (side.get(category) ?? 0) + 1);
  }
  console.log(`\n### ${id}, ${Math.round(rate / 1000)} k/s\n`);
  for (const [side, samples] of Object.entries(sides)) {
    const total = [...samples.values()].reduce((sum, count) => sum + count, 0);
    const microseconds = (/** @type {number} */ count) =>
      ((count * 1e6) / FREQUENCY / (rate * Number(values.seconds))).toFixed(2);
    console.log(`${side}, CPU for an operation: ${microseconds(total)} µs\n\n| µs | share | in |\n|---:|---:|---|`);
    const row = (/** @type {number} */ count, /** @type {string} */ name) =>
      console.log(`| ${microseconds(count)} | ${((100 * count) / total).toFixed(1)} % | ${name} |`);
    let others = 0;
    for (const [category, count] of [...samples].sort((a, b) => b[1] - a[1])) {
      if ((100 * count) / total < MIN_PERCENT) others += count;
      else row(count, category);
    }
    row(others, `others, below ${MIN_PERCENT} % each`);
    console.log();
  }
}
