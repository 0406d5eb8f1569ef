/**
 * The benchmark: shm-kvs beside what one would use instead, in one run. See --help; results go to bench/RESULTS.md.
 *
 *   npm run bench [-- --quick --only values-64b,limits]
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { machineFacts } from './machine/facts.mjs';
import { HandOver } from './machine/hand-over.mjs';
import { Quiet } from './machine/quiet.mjs';
import { readOptions } from './options.mjs';
import { peers } from './peers/all.mjs';
import { chartOf } from './report/chart.mjs';
import { markdownOf } from './report/markdown.mjs';
import { judge } from './report/targets.mjs';
import { cache } from './sections/cache.mjs';
import { churn } from './sections/churn.mjs';
import { durability } from './sections/durability.mjs';
import { eviction } from './sections/eviction.mjs';
import { idle } from './sections/idle.mjs';
import { limits } from './sections/limits.mjs';
import { logLoading } from './sections/log-loading.mjs';
import { lookup } from './sections/lookup.mjs';
import { memory } from './sections/memory.mjs';
import { mixes } from './sections/mixes.mjs';
import { reliability } from './sections/reliability.mjs';
import { restart } from './sections/restart.mjs';
import { scaling } from './sections/scaling.mjs';
import { snapshot } from './sections/snapshot.mjs';
import { start } from './sections/start.mjs';
import { ttl } from './sections/ttl.mjs';
import { valueSections } from './sections/values.mjs';

/** @import { Context, Results, Section } from './sections/context.mjs' */
/** @import { Options } from './options.mjs' */

/** @type {Section[]} */
const sections = [
  limits,
  ...valueSections,
  mixes,
  cache,
  lookup,
  scaling,
  memory,
  idle,
  start,
  restart,
  ttl,
  durability,
  logLoading,
  snapshot,
  reliability,
  churn,
  eviction,
];

const options = readOptions(process.argv.slice(2), {
  sections: sections.map(({ id }) => id),
  peers: peers.map(({ id }) => id),
});
if (options.isList) {
  for (const { id, title } of sections) console.log(`${id.padEnd(16)} ${title}`);
  console.log('');
  for (const { id, note } of peers) console.log(`${id.padEnd(20)} ${note}`);
} else {
  process.exitCode = await bench(options);
}

/** @param {Options} chosen @returns {Promise<number>} exit code: 1 when a value was wrong or a section failed */
async function bench({ isQuick, isFull, isSection, isPeer, json, out }) {
  const startedAt = performance.now();
  const folder = mkdtempSync('/dev/shm/kvs-bench-');
  const remove = () => rmSync(folder, { recursive: true, force: true });
  process.on('exit', remove);
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(130));
  const quiet = new Quiet();
  /** @type {Results} */
  const results = {
    facts: machineFacts(),
    command: ['npm run bench', ...process.argv.slice(2)].join(' ').replace('bench -', 'bench -- -'),
    minutes: 0,
    isQuick,
    peers: [],
    skipped: [],
    warnings: quiet.warnings,
    cells: [],
    handOvers: {},
    sections: [],
    numbers: {},
    tables: [],
  };
  let hasFailed = false;
  const say = (/** @type {string} */ text) => console.log(text);
  const chosen = peers.filter(({ id }) => id === 'shm-kvs' || isPeer(id));
  const handOver = await HandOver.start(folder);
  /** @type {Context} */
  const context = { isQuick, folder, peers: chosen, quiet, handOver, results, say };
  for (const section of sections.filter(({ id }) => isSection(id))) {
    const { id, title } = section;
    const sectionStartedAt = performance.now();
    const before = handOver.look();
    say(`${id}: ${title}`);
    try {
      await section.run(context);
    } catch (error) {
      // One section's failure must not lose what the others found.
      hasFailed = true;
      console.error(error);
      results.warnings.push(`${id}: failed, ${error instanceof Error ? error.message : String(error)}`);
    }
    const seconds = (performance.now() - sectionStartedAt) / 1000;
    const after = handOver.look();
    results.sections.push({ id, title, seconds, handOverUs: [before, after] });
    say(`  ${seconds.toFixed(0)} s; bare round trip ${before.toFixed(2)} µs before, ${after.toFixed(2)} after\n`);
  }
  if (!(await handOver.stop())) results.warnings.push('bare round trip: its other process was lost on the way');
  results.minutes = (performance.now() - startedAt) / 60_000;
  conclude(results, { json, folder: out ?? (isFull ? fileURLToPath(new URL('.', import.meta.url)) : undefined) });
  return hasFailed || results.cells.some((cell) => cell.wrong > 0) ? 1 : 0;
}

/**
 * @param {Results} results
 * @param {{ json: string | undefined, folder: string | undefined }} files
 */
function conclude(results, { json, folder }) {
  const raw = `${JSON.stringify({ ...results, targets: judge(results) }, undefined, 2)}\n`;
  if (json !== undefined) {
    mkdirSync(dirname(json), { recursive: true });
    writeFileSync(json, raw);
  }
  if (folder !== undefined) {
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'results.json'), raw);
    writeFileSync(join(folder, 'results.svg'), chartOf(results));
    writeFileSync(join(folder, 'RESULTS.md'), markdownOf(results, 'results.svg'));
    console.log(`written: ${join(folder, 'RESULTS.md')}, results.json, results.svg`);
  }
  for (const { target, required, measured, isReached } of judge(results)) {
    if (isReached === undefined) continue;
    console.log(`${isReached ? 'reached' : 'missed '}  ${target}: ${measured} (${required})`);
  }
  for (const { peer, reason } of results.skipped) console.log(`left out: ${peer}: ${reason}`);
  for (const warning of results.warnings) console.log(`mind: ${warning}`);
}
