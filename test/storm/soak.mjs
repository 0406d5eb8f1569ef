/**
 * Storms, one after the other, for as long as is asked for: `npm run test:soak -- --duration 10m --seed 123`.
 * Each has a seed of its own, counted up from the first, which is printed. What a storm with faults has recorded is kept.
 */
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { writeReport } from '../../scripts/reliability-report.mjs';
import { storm } from './storm.mjs';

/** @import { Report } from './tally.mjs' */

const USAGE = `Usage: npm run test:soak -- [options]

  --duration <time>   such as 90s, 10m (default), 2h; the storm under way is brought to its end
  --rounds <n>        so many storms instead
  --seed <n>          of the first storm; the next ones have the numbers after it
  --clients <n>       processes at work (default 6)
  --events <n>        that befall clients, per storm (default 60), and half as many that befall the server
  --report            writes the sums for \`npm run bench -- --only reliability\`
  --keep              keeps all histories, not only those with faults
  --help              this text

A history that was kept is judged again by: node test/storm/check-history.mjs <folder> [key]`;

const options = readOptions();
const { seed, clients, events, rounds } = options;
console.log(`seed: ${seed}`);
/** @type {Report[]} */
const reports = [];
const startedAt = performance.now();
while (isUnderWay()) {
  reports.push(await round(seed + reports.length));
}
const sum = (/** @type {(report: Report) => number} */ of) => reports.reduce((total, report) => total + of(report), 0);
const failures = sum(failuresOf);
console.log(summary());
if (options.isReported) writeReport('storm', figures());
process.exitCode = failures > 0 ? 1 : 0;

function isUnderWay() {
  return rounds === 0 ? performance.now() - startedAt < options.durationMs : reports.length < rounds;
}

/** @param {number} number of the storm, which is its seed @returns {Promise<Report>} */
async function round(number) {
  const folder = mkdtempSync(join(tmpdir(), `kvs-storm-${number}-`));
  const name = `soak-${process.pid}-${number}`;
  const report = await storm({ seed: number, name, folder, clients, clientEvents: events, serverEvents: events >> 1 });
  for (const file of readdirSync('/dev/shm').filter((each) => each.startsWith(`kvs.${name}.`))) {
    report.leaks.push(`/dev/shm/${file}`);
    rmSync(join('/dev/shm', file));
  }
  const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1);
  const { clientKills, serverKills, operations, unknown } = report;
  console.log(
    `${minutes} min: storm ${number}: ${clientKills} clients and ${serverKills} servers killed, ${operations} operations, ` +
      `${unknown} of unknown outcome, ${failuresOf(report)} failures`,
  );
  for (const line of [...report.faults, ...report.violations, ...report.lost, ...report.leaks]) console.log(line);
  if (failuresOf(report) > 0 || options.isKept) console.log(`the history: ${folder}`);
  else rmSync(folder, { recursive: true });
  return report;
}

/** @param {Report} report */
function failuresOf({ faults, violations, lost, leaks }) {
  return faults.length + violations.length + lost.length + leaks.length;
}

function summary() {
  const restarts = reports.flatMap(({ restartMs }) => restartMs);
  const reaps = reports.flatMap(({ reapMs }) => reapMs);
  return [
    `seed ${seed}, ${reports.length} storms, ${((performance.now() - startedAt) / 60_000).toFixed(1)} minutes`,
    `client processes: ${sum((r) => r.clientKills)} killed, ${sum((r) => r.clientStops)} stopped and continued`,
    `servers: ${sum((r) => r.serverKills)} killed, ${sum((r) => r.killsAtWork)} of them in the middle of a request; ` +
      `${sum((r) => r.serverStops)} stopped; ${sum((r) => r.handOvers)} hand-overs, ${sum((r) => r.keeps)} kept`,
    `requests in flight at a server's death: ${sum((r) => r.replayed)} executed by the next, ` +
      `${sum((r) => r.answered)} found to be done`,
    `operations: ${sum((r) => r.operations)} on ${sum((r) => r.keys)} keys, ${sum((r) => r.unknown)} of unknown outcome, ` +
      `${sum((r) => r.refused)} certainly not executed`,
    `server's start to its first answer: ${told(restarts)}; client's death to its slots being free: ${told(reaps)}`,
    `violations: ${sum((r) => r.violations.length)}, lost acknowledged writes: ${sum((r) => r.lost.length)}, ` +
      `leaks: ${sum((r) => r.leaks.length)}, faults: ${sum((r) => r.faults.length)}`,
  ].join('\n');
}

function figures() {
  return {
    seed,
    storms: reports.length,
    minutes: (performance.now() - startedAt) / 60_000,
    clientKills: sum((r) => r.clientKills),
    clientStops: sum((r) => r.clientStops),
    serverKills: sum((r) => r.serverKills),
    killsAtWork: sum((r) => r.killsAtWork),
    serverStops: sum((r) => r.serverStops),
    handOvers: sum((r) => r.handOvers),
    keeps: sum((r) => r.keeps),
    replayed: sum((r) => r.replayed),
    answered: sum((r) => r.answered),
    operations: sum((r) => r.operations),
    keys: sum((r) => r.keys),
    unknown: sum((r) => r.unknown),
    refused: sum((r) => r.refused),
    violations: sum((r) => r.violations.length),
    lost: sum((r) => r.lost.length),
    leaks: sum((r) => r.leaks.length),
    faults: sum((r) => r.faults.length),
  };
}

/** @param {number[]} times in milliseconds */
function told(times) {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (/** @type {number} */ part) =>
    Math.round(sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? 0);
  return `p50 ${at(0.5)} ms, max ${at(1)} ms (${times.length})`;
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      duration: { type: 'string', default: '10m' },
      rounds: { type: 'string' },
      seed: { type: 'string' },
      clients: { type: 'string', default: '6' },
      events: { type: 'string', default: '60' },
      report: { type: 'boolean', default: false },
      keep: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const duration = /^(\d+)(s|m|h)$/.exec(values.duration);
  const numbers = [values.rounds, values.seed, values.clients, values.events].map((each) =>
    each === undefined ? 0 : Number(each),
  );
  if (
    duration === null ||
    !numbers.every((each) => Number.isSafeInteger(each) && each >= 0) ||
    !existsSync('/dev/shm')
  ) {
    console.error(USAGE);
    process.exit(2);
  }
  const [given, first, many, eventCount] = numbers;
  const unit = { s: 1000, m: 60_000, h: 3_600_000 }[/** @type {'s' | 'm' | 'h'} */ (duration[2])];
  return {
    durationMs: Number(duration[1]) * unit,
    rounds: given,
    seed: values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : first,
    clients: many,
    events: eventCount,
    isReported: values.report,
    isKept: values.keep,
  };
}
