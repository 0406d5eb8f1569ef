/** How long a server takes to load a million entries: from its log, from a snapshot; Redis beside it, from each of its own. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { KvsClient } from 'shm-kvs';

import { diskFolder } from '../machine/disk.mjs';
import { Unavailable } from '../peers/peer.mjs';
import { firstLineOf, startListener, stopProcess } from '../peers/processes.mjs';
import { startShmKvs } from '../peers/shm-kvs.mjs';
import { keyOf, Values } from '../workload/values.mjs';
import { median } from './context.mjs';

/** @import { LoadReport } from '../workload/load-probe.mjs' */
/** @import { Context, Section } from './context.mjs' */

const VALUE_BYTES = 64;
const BATCH = 1000;
const MAX_MEMORY = 2 ** 29;
const MANY_BYTES = 2 ** 40;
const LOOK_MS = 50;
const SHM = '/dev/shm';
/** What Redis says when all is loaded; it has other lines for each of its files. */
const LOADED = /DB loaded from (?:append only file|disk): ([\d.]+) seconds/;
const probe = fileURLToPath(new URL('../workload/load-probe.mjs', import.meta.url));

/** @param {Context} context */
async function run(context) {
  const { isQuick, results } = context;
  const count = isQuick ? 20_000 : 1_000_000;
  const runs = isQuick ? 2 : 7;
  const folder = diskFolder();
  try {
    const ours = await writeOwn(folder.path, count);
    const theirs = await writeRedis(folder.path, count, (reason) => context.say(`  Redis: skipped, ${reason}`));
    await context.quiet.wait('log-loading', isQuick ? 0 : 20_000);
    /** @type {Record<string, number[]>} */
    const rates = {};
    const note = (/** @type {string} */ what, /** @type {number} */ rate) => (rates[what] ??= []).push(rate);
    for (let i = 0; i < runs; i++) {
      for (const [what, dir] of Object.entries(ours)) note(what, await loadOwn(dir, what === 'log', count));
      for (const [what, load] of Object.entries(theirs)) note(what, await load());
    }
    const lines = ['| loading of entries of 64 B | per second, median | slowest | fastest |', '|---|---:|---:|---:|'];
    for (const [what, all] of Object.entries(rates)) {
      results.numbers[`loading.${what}PerS`] = median(all);
      const figures = [median(all), Math.min(...all), Math.max(...all)].map((n) => Math.round(n).toLocaleString('en'));
      lines.push(`| ${TITLES[what]} | ${figures.join(' | ')} |`);
      context.say(`  ${TITLES[what]}: ${figures[0]} per second (${figures[1]} to ${figures[2]})`);
    }
    results.tables.push({
      title: `Loading ${count.toLocaleString('en')} entries (files in the page cache)`,
      text: lines.join('\n'),
    });
  } finally {
    folder.remove();
  }
}

/** @type {Record<string, string>} */
const TITLES = {
  log: 'shm-kvs, from the log, one record each',
  snapshot: 'shm-kvs, from a snapshot',
  redisLog: 'Redis, from its append-only file, one command each',
  redisSnapshot: 'Redis, from its RDB file',
};

/** @param {string} folder @param {number} count @returns {Promise<Record<'log' | 'snapshot', string>>} */
async function writeOwn(folder, count) {
  const dirs = { log: join(folder, 'log'), snapshot: join(folder, 'snapshot') };
  const values = new Values('string', VALUE_BYTES);
  for (const [what, dir] of Object.entries(dirs)) {
    const options = { dir, snapshotIntervalMs: 0, snapshotLogBytes: MANY_BYTES, maxMemory: MAX_MEMORY };
    const server = await startShmKvs({ valueBytes: VALUE_BYTES, keyCount: count }, options);
    const client = await KvsClient.connect({ name: server.address, timeoutMs: 60_000 });
    for (let i = 0; i < count; i += BATCH) {
      const keys = Array.from({ length: BATCH }, (_, j) => keyOf(i + j));
      await client.mset(keys.map((key, j) => /** @type {[string, string]} */ ([key, String(values.make(key, i + j))])));
    }
    const asked = what === 'snapshot' ? await client.snapshot() : 0;
    while (((await client.stats()).log?.snapshotsServed ?? 0) < asked) await delay(LOOK_MS);
    while (((await client.stats()).log?.durableSequence ?? 0) < count) await delay(LOOK_MS);
    await client.close();
    // A stop would make a snapshot.
    for (const pid of server.pids) process.kill(pid, 'SIGKILL');
    removeRegion(server.address);
  }
  return dirs;
}

/** @param {string} name */
function removeRegion(name) {
  const isIts = (/** @type {string} */ file) => file.startsWith(`kvs.${name}.`);
  for (const file of readdirSync(SHM).filter(isIts)) rmSync(join(SHM, file), { force: true });
}

let lastNumber = 0;

/** @param {string} dir @param {boolean} isLog @param {number} count @returns {Promise<number>} records or entries per second */
async function loadOwn(dir, isLog, count) {
  const name = `bench-loading-${process.pid}-${++lastNumber}`;
  const options = { name, dir, snapshotIntervalMs: 0, snapshotLogBytes: MANY_BYTES, maxMemory: MAX_MEMORY };
  const child = fork(probe, [JSON.stringify(options)]);
  const [report] = /** @type {[LoadReport]} */ (await once(child, 'message'));
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
  removeRegion(name);
  if (report.entries !== count || report.records !== (isLog ? count : 0)) {
    throw new Error(`${report.entries} entries from ${report.records} records were loaded, ${count} were written`);
  }
  return count / (report.ms / 1000);
}

/**
 * @param {string} folder @param {number} count @param {(reason: string) => void} skip
 * @returns {Promise<Record<string, () => Promise<number>>>} each loads once and says how many per second
 */
async function writeRedis(folder, count, skip) {
  /** @type {Record<string, () => Promise<number>>} */
  const loads = {};
  const ways = {
    redisLog: ['--save', '', '--appendonly', 'yes', '--auto-aof-rewrite-percentage', '0'],
    redisSnapshot: ['--save', '', '--appendonly', 'no'],
  };
  try {
    firstLineOf('redis-server', ['--version'], 'apt-get install redis-server');
    for (const [what, persistence] of Object.entries(ways)) {
      const dir = join(folder, what);
      mkdirSync(dir);
      const address = join(dir, 'redis.sock');
      const log = join(dir, 'redis.log');
      const args = ['--port', '0', '--unixsocket', address, '--dir', dir, '--logfile', log, ...persistence];
      const server = await startListener('redis-server', args, address);
      fillRedis(address, dir, count);
      if (what === 'redisSnapshot') firstLineOf('redis-cli', ['-s', address, 'save'], 'apt-get install redis-tools');
      await stopProcess(server);
      loads[what] = async () => {
        rmSync(log);
        const again = await startListener('redis-server', args, address);
        while (!LOADED.test(readFileSync(log, 'utf8'))) await delay(LOOK_MS);
        await stopProcess(again);
        const [, seconds] = LOADED.exec(readFileSync(log, 'utf8')) ?? [];
        return count / Number(seconds);
      };
    }
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    skip(error.message);
  }
  return loads;
}

/** The same keys and values, a command each. @param {string} address @param {string} dir @param {number} count */
function fillRedis(address, dir, count) {
  const file = join(dir, 'commands');
  const values = new Values('string', VALUE_BYTES);
  const commands = Array.from({ length: count }, (_, i) => {
    const key = keyOf(i);
    const value = String(values.make(key, i));
    return `*3\r\n$3\r\nSET\r\n$${key.length}\r\n${key}\r\n$${value.length}\r\n${value}\r\n`;
  });
  writeFileSync(file, commands.join(''), 'latin1');
  firstLineOf('sh', ['-c', `redis-cli -s '${address}' --pipe < '${file}'`], 'apt-get install redis-tools');
}

/** @type {Section} */
export const logLoading = { id: 'log-loading', title: 'loading a million entries from log and snapshot', run };
