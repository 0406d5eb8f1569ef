/** Measures several crews side by side: in every round each of them once, A B C A B C. */
import { mkdirSync } from 'node:fs';
import { createHistogram } from 'node:perf_hooks';

import { Crew } from '../workload/crew.mjs';
import { Unavailable } from '../peers/peer.mjs';
import { median, rowOf } from './context.mjs';

/** @import { RecordableHistogram } from 'node:perf_hooks' */
/** @import { Kind, Load, Peer } from '../peers/peer.mjs' */
/** @import { Round } from '../workload/crew.mjs' */
/** @import { Workload } from '../workload/plan.mjs' */
/** @import { Cell, Context } from './context.mjs' */

/** Whatever can be measured in rounds. @typedef {{ peer: string, pids: number[], round(): Promise<Round> }} Runner */
/** @typedef {{ section: string, work: string, rounds: number }} Heading */
/** @typedef {{ ms: number, timedMs: number, clients?: number }} Times */

/**
 * Starts the peers that can be had, each with so many clients, and fills them with keys.
 * @param {Context} context
 * @param {readonly Peer[]} peers
 * @param {{ kind: Kind, load: Load, clients: number }} options
 */
export async function startCrews(context, peers, { kind, load, clients }) {
  /** @type {Crew[]} */
  const crews = [];
  for (const peer of peers) {
    const crew = await startCrew(context, peer, kind, load);
    if (crew === undefined) continue;
    crews.push(crew);
    context.say(`  ${peer.id}: filling`);
    await crew.hire(clients);
    await crew.fill(0, load.keyCount);
  }
  return crews;
}

let lastFolder = 0;

/**
 * @param {Context} context
 * @param {Peer} peer
 * @param {Kind} kind
 * @param {Load} load
 */
export async function startCrew(context, peer, kind, load) {
  const { results } = context;
  const folder = `${context.folder}/${++lastFolder}`;
  mkdirSync(folder);
  try {
    const started = await peer.start(folder, load);
    if (!results.peers.some((known) => known.peer === peer.id)) {
      results.peers.push({ peer: peer.id, version: started.version, note: peer.note });
    }
    return new Crew(peer, started, kind, load);
  } catch (error) {
    if (!(error instanceof Unavailable)) throw error;
    if (!results.skipped.some((known) => known.peer === peer.id)) {
      results.skipped.push({ peer: peer.id, reason: error.message });
      context.say(`  ${peer.id}: skipped, ${error.message}`);
    }
    return undefined;
  }
}

/** @param {Crew[]} crews */
export async function stopCrews(crews) {
  for (const crew of crews) {
    await crew.dismiss();
    await crew.started.stop();
  }
}

/**
 * Warms up and wraps those crews that can do the work.
 * @param {Crew[]} crews
 * @param {Workload} workload
 * @param {Times} times
 * @returns {Promise<Runner[]>}
 */
export async function runnersOf(crews, workload, times) {
  /** @type {Runner[]} */
  const runners = [];
  for (const crew of crews) {
    if (!crew.modes.has(workload.mode)) continue;
    await crew.prepare(workload, times);
    const pids = [...crew.pids, ...crew.started.pids];
    runners.push({ peer: crew.peer.id, pids, round: async () => crew.run(workload, times) });
  }
  return runners;
}

/**
 * @param {Context} context
 * @param {Runner[]} runners
 * @param {Heading} heading
 * @returns {Promise<Cell[]>}
 */
export async function compare(context, runners, { section, work, rounds }) {
  /** @type {Map<Runner, Round[]>} */
  const done = new Map(runners.map((runner) => [runner, []]));
  const histograms = new Map(runners.map((runner) => [runner, newHistogram()]));
  const handOvers = [context.handOver.look()];
  for (let i = 0; i < rounds; i++) {
    for (const runner of runners) {
      const round = await context.quiet.watch(runner.pids, async () => runner.round());
      for (const times of round.timesMs) note(times, histograms.get(runner));
      round.timesMs = [];
      done.get(runner)?.push(round);
    }
    handOvers.push(context.handOver.look());
  }
  context.results.handOvers[rowOf(section, work)] = handOvers;
  const cells = runners.map((runner) =>
    cellOf({ section, work, peer: runner.peer }, done.get(runner) ?? [], histograms.get(runner)),
  );
  for (const cell of cells) context.say(lineOf(cell));
  context.results.cells.push(...cells);
  return cells;
}

const newHistogram = () => createHistogram({ lowest: 1, highest: 60_000_000_000, figures: 3 });

/**
 * @param {Float32Array} timesMs
 * @param {RecordableHistogram | undefined} histogram
 */
function note(timesMs, histogram) {
  for (const ms of timesMs) histogram?.record(Math.max(1, Math.round(ms * 1e6)));
}

/**
 * @param {{ section: string, work: string, peer: string }} head
 * @param {Round[]} rounds
 * @param {RecordableHistogram | undefined} histogram
 * @returns {Cell}
 */
function cellOf(head, rounds, histogram) {
  const rates = rounds.map((round) => round.opsPerS);
  const percentileUs = (/** @type {number} */ p) => (histogram?.percentile(p) ?? 0) / 1000;
  return {
    ...head,
    opsPerS: median(rates),
    lowOpsPerS: Math.min(...rates),
    highOpsPerS: Math.max(...rates),
    rounds: rounds.length,
    p50Us: percentileUs(50),
    p99Us: percentileUs(99),
    p999Us: percentileUs(99.9),
    cpuMicrosPerOp: median(rounds.map((round) => round.cpuMicrosPerOp)),
    ops: rounds.reduce((sum, round) => sum + round.ops, 0),
    wrong: rounds.reduce((sum, round) => sum + round.wrong, 0),
  };
}

/** @param {Cell} cell */
function lineOf({ work, peer, opsPerS, p50Us, p99Us, cpuMicrosPerOp, wrong }) {
  const rate = `${Math.round(opsPerS).toLocaleString('en')}/s`.padStart(13);
  const times =
    p50Us > 0 ? `p50 ${p50Us.toFixed(1)} µs, p99 ${p99Us.toFixed(1)} µs, CPU ${cpuMicrosPerOp.toFixed(2)} µs` : '';
  return `  ${work.padEnd(24)} ${peer.padEnd(18)} ${rate}  ${times}${wrong > 0 ? `  ${wrong} WRONG` : ''}`;
}
