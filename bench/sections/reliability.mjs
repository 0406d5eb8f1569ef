/**
 * Times after deaths, measured here, and the counts of the runs that prove the rest, as those have written them
 * (scripts/reliability-report.mjs).
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { ownerOf, SlotState, stateOf } from '../../dist/exchange/slot-word.js';
import { SlotTable } from '../../dist/exchange/slot-table.js';
import { attachRegion } from '../../dist/memory/region.js';
import { readReport } from '../../scripts/reliability-report.mjs';
import { stopProcess } from '../peers/processes.mjs';
import { median } from './context.mjs';
import { connected, restartTimes, startServer } from './restart.mjs';

/** @import { Context, Section } from './context.mjs' */

const doomed = fileURLToPath(new URL('../workload/doomed.mjs', import.meta.url));
const SLOTS = 16;
const PATIENCE_MS = 60_000;

const count = (/** @type {number} */ n) => Math.round(n).toLocaleString('en');
const p50AndMax = (/** @type {number} */ p50, /** @type {number} */ max) =>
  `p50 ${p50.toFixed(0)} ms, max ${max.toFixed(0)} ms`;

/** @param {Context} context */
async function run(context) {
  const { isQuick, results } = context;
  await context.quiet.wait('reliability', isQuick ? 0 : 20_000);
  const kills = isQuick ? 5 : 50;
  const lines = ['| | | by |', '|---|---|---|'];
  const add = (/** @type {string} */ what, /** @type {string} */ figure, /** @type {string} */ by) => {
    lines.push(`| ${what} | ${figure} | ${by} |`);
    context.say(`  ${what}: ${figure}`);
  };
  for (const isBusy of [true, false]) {
    const times = await reapTimes(kills, isBusy);
    const state = isBusy ? 'at work' : 'idle';
    results.numbers[`reliability.${isBusy ? 'busy' : 'idle'}ReapMs`] = median(times);
    results.numbers[`reliability.${isBusy ? 'busy' : 'idle'}ReapMaxMs`] = Math.max(...times);
    add(
      `a client's death to its ${SLOTS} slots and chunks being free, the server ${state}`,
      p50AndMax(median(times), Math.max(...times)),
      `${kills} kills, here`,
    );
  }
  const restarted = await restartFigures(context);
  add(
    `a server's death to the first answer of the next, ${count(restarted.entries)} entries`,
    p50AndMax(restarted.p50, restarted.max),
    'SIGKILL; the next is started as soon as it has ended, here',
  );
  for (const [name, command, rows] of RUNS) {
    const report = readReport(name);
    if (report === undefined) {
      add(name, 'not run', `\`${command} --report\``);
      continue;
    }
    const of = (/** @type {string[]} */ ...names) => names.map((one) => count(report.figure(one))).join(', ');
    for (const [what, figures] of rows(of)) add(what, figures, `${report.date}, ${report.commit}`);
  }
  results.tables.push({ title: 'Reliability', text: lines.join('\n') });
}

/** From the restart section, if that was run. @param {Context} context */
async function restartFigures({ isQuick, results: { numbers } }) {
  const entries = isQuick ? 100_000 : 1_000_000;
  let p50 = numbers[`restart.${entries}FromDeathMs`];
  let max = numbers[`restart.${entries}FromDeathMaxMs`];
  if (p50 === undefined || max === undefined) {
    const { fromDeath } = await restartTimes(entries, isQuick ? 3 : 10);
    [p50, max] = [median(fromDeath), Math.max(...fromDeath)];
  }
  numbers['reliability.restartFromDeathMs'] = p50;
  numbers['reliability.restartFromDeathMaxMs'] = max;
  return { entries, p50, max };
}

/** @param {number} kills @param {boolean} isBusy whether another client asks all the time @returns {Promise<number[]>} */
async function reapTimes(kills, isBusy) {
  const name = `bench-reliability-${process.pid}`;
  const server = startServer(name);
  /** @type {number[]} */
  const times = [];
  const client = await connected(name);
  const region = attachRegion(name, '/dev/shm');
  const table = new SlotTable(region.ctl, region.geometry);
  const over = new AbortController();
  const ask = async () => {
    while (!over.signal.aborted) await client.ping();
  };
  const asking = isBusy ? ask() : undefined;
  try {
    for (let i = 0; i < kills; i++) {
      const child = fork(doomed, [name, `${SLOTS}`]);
      const [index] = /** @type {number[]} */ (await once(child, 'message'));
      if (heldBy(table, index) !== SLOTS)
        throw new Error(`the client holds ${heldBy(table, index)} slots, not ${SLOTS}`);
      // At no certain moment between two looks of the server.
      const giveUpAt = performance.now() + PATIENCE_MS;
      await delay((i * 37) % 100);
      child.kill('SIGKILL');
      const killedAt = performance.now();
      while (heldBy(table, index) > 0) {
        if (performance.now() > giveUpAt) throw new Error('the slots of a dead client do not come free');
        await delay(1);
      }
      times.push(performance.now() - killedAt);
    }
  } finally {
    over.abort();
    await asking;
    closeSync(region.ctlFd);
    await client.close();
    await stopProcess(server);
  }
  return times;
}

/** @param {SlotTable} table @param {number} client */
function heldBy(table, client) {
  let held = 0;
  for (let slot = 0; slot < table.count; slot++) {
    const word = table.word(slot);
    if (stateOf(word) === SlotState.building && ownerOf(word) === client) held++;
  }
  return held;
}

/**
 * The figures of one run, as rows.
 * @typedef {(of: (...names: string[]) => string) => [string, string][]} Rows
 */

/** @type {readonly (readonly [string, string, Rows])[]} */
const RUNS = [
  [
    'crash-points',
    'npm run test:crash-points -- --writes',
    (of) => [
      ['crash points passed: deaths in place, by SIGKILL', of('inPlace', 'kills')],
      ['of these with anything lost, left over or wrong', of('failures')],
    ],
  ],
  [
    'explorations',
    'npm run test:explorations --',
    (of) => [
      ['all interleavings explored: scenarios, states, steps between them', of('scenarios', 'states', 'steps')],
      ['of these wrong', of('failures')],
    ],
  ],
  [
    'mutations',
    'npm run test:mutations --',
    (of) => [['faults put in on purpose, and those noticed', of('mutations', 'caught')]],
  ],
  [
    'storm',
    'npm run test:soak -- --duration 10m',
    (of) => [
      ['storms: minutes, operations', of('minutes', 'operations')],
      [
        'clients killed, servers killed, of these surely in the middle of a request',
        of('clientKills', 'serverKills', 'killsAtWork'),
      ],
      ['violations, acknowledged writes lost, leaks, faults', of('violations', 'lost', 'leaks', 'faults')],
    ],
  ],
  [
    'garbage',
    'npm run test:garbage -- --duration 120',
    (of) => [
      ['words of garbage written, right answers to others meanwhile', of('words', 'answers')],
      ['server failures, wrong answers, values lost', of('failures')],
    ],
  ],
  [
    'fuzz',
    'npm run test:fuzz -- --seconds 60',
    (of) => [
      ['fuzzed decoders: executions, blocks reached, blocks known', of('executions', 'blocks', 'knownBlocks')],
      ['of these failures', of('failures')],
    ],
  ],
];

/** @type {Section} */
export const reliability = { id: 'reliability', title: 'times after deaths, and the counts of proofs', run };
