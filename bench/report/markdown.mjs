/** bench/RESULTS.md: all of it computed from the results of one run. */
import { rowOf } from '../sections/context.mjs';
import { judge } from './targets.mjs';

/** @import { Cell, Results } from '../sections/context.mjs' */
/** @import { Verdict } from './targets.mjs' */

const count = (/** @type {number} */ n) => Math.round(n).toLocaleString('en');
const micros = (/** @type {number} */ us) => (us >= 100 ? count(us) : us.toPrecision(3));

/**
 * @param {Results} results
 * @param {string | undefined} chart name of the file beside this one
 */
export function markdownOf(results, chart) {
  const { facts, tables } = results;
  const parts = ['# Benchmark results', introduction(results), machineTable(results)];
  if (results.warnings.length > 0)
    parts.push(['**Mind:**', '', ...results.warnings.map((text) => `- ${text}`)].join('\n'));
  parts.push('## Targets', targetTable(judge(results)));
  if (chart !== undefined) parts.push(`![Operations per second of shm-kvs and its peers](${chart})`);
  for (const section of new Set(results.cells.map((cell) => cell.section))) {
    if (['lookup', 'scaling', 'limits'].includes(section)) continue;
    const cells = results.cells.filter((cell) => cell.section === section);
    parts.push(`## ${titleOf(section)}`);
    for (const work of new Set(cells.map((cell) => cell.work))) {
      const row = rowOf(section, work);
      parts.push(
        `### ${row}`,
        meanwhile(results.handOvers[row]),
        cellTable(cells.filter((cell) => cell.work === work)),
      );
    }
  }
  for (const { title, text } of tables) parts.push(`## ${title}`, text);
  parts.push('## The machine meanwhile', sectionTable(results), '## Peers', peerTable(results));
  return `${parts.join('\n\n')}\n\nGenerated on ${facts.date} UTC by \`${results.command}\`; do not edit.\n`;
}

/** @param {Results} results */
function introduction({ command, minutes, isQuick, cells }) {
  const ops = cells.reduce((sum, cell) => sum + cell.ops, 0);
  const wrong = cells.reduce((sum, cell) => sum + cell.wrong, 0);
  const quick = isQuick ? ' **A quick run: fewer keys and short rounds; the figures mean little.**' : '';
  return [
    `Measured by \`${command}\` in ${minutes.toFixed(1)} minutes.${quick} ${count(ops)} operations; every value read was`,
    `checked (its key and a sequence number in three places): ${count(wrong)} wrong.`,
    '',
    'Clients are processes of their own. Each peer warms up, for up to 200 ms per client. Then they take turns within each',
    'round (A B C, A B C, …). Operations per second are the median of the rounds, their range beside it; they come from',
    'stretches that are not timed operation by operation. Percentiles come from further stretches in which each call is',
    'timed, all rounds together. CPU is user and system time of client and server processes per operation (per key, of a',
    'batch), median of the rounds. Two processes that hand each other a word, both spinning, are timed before, between',
    'and after the rounds of each row (bare round trip): on virtual CPUs, which share a core now and not then, it changes',
    'by a factor of ten, and all that client and server do together with it. Where it took far longer, somebody else had',
    'one of the CPUs just then.',
  ].join('\n');
}

/** @param {Results} results */
function machineTable({ facts }) {
  return [
    '| date | commit | CPU | cores | memory | kernel | Node |',
    '|---|---|---|---:|---:|---|---|',
    `| ${facts.date} UTC | ${facts.commit} | ${facts.cpu} | ${facts.cores} | ${facts.memoryGiB} GiB | ${facts.kernel} | ${facts.node} |`,
  ].join('\n');
}

/** @param {Verdict[]} verdicts */
function targetTable(verdicts) {
  const measured = verdicts.filter((verdict) => verdict.isReached !== undefined);
  const reached = measured.filter((verdict) => verdict.isReached === true);
  const lines = [
    `${reached.length} of ${measured.length} measured targets are reached.`,
    '',
    '| target | shm-kvs | beside | required | measured | |',
    '|---|---:|---|---:|---:|---|',
  ];
  for (const { target, ours, theirs, required, measured: ratio, isReached, missedBy } of verdicts) {
    const verdict = isReached === undefined ? '' : isReached ? 'reached' : `missed by ${missedBy}`;
    lines.push(`| ${target} | ${ours} | ${theirs} | ${required} | ${ratio} | ${verdict} |`);
  }
  return lines.join('\n');
}

/** @param {number[]} handOvers */
function meanwhile(handOvers) {
  if (!handOvers.every(Number.isFinite)) return 'Bare round trip meanwhile: not measured.';
  const [least, most] = [Math.min(...handOvers), Math.max(...handOvers)].map(micros);
  return `Bare round trip meanwhile: ${least === most ? least : `${least} to ${most}`} µs.`;
}

/** @param {Cell[]} cells of one work */
function cellTable(cells) {
  const ours = cells.find((cell) => cell.peer === 'shm-kvs');
  // Where none is plain shm-kvs there is nothing to hold the others against.
  const lines =
    ours === undefined
      ? ['| | ops/s | range | p50 µs | p99 µs | p99.9 µs | CPU µs/op |', '|---|---:|---:|---:|---:|---:|---:|']
      : [
          '| | ops/s | range | shm-kvs is | p50 µs | p99 µs | p99.9 µs | CPU µs/op |',
          '|---|---:|---:|---:|---:|---:|---:|---:|',
        ];
  for (const cell of [...cells].sort((a, b) => b.opsPerS - a.opsPerS)) {
    const name = cell === ours ? `**${cell.peer}**` : cell.peer;
    const isRatio = ours !== undefined && cell !== ours;
    const ratio = isRatio ? ` ${(ours.opsPerS / cell.opsPerS).toPrecision(3)}×` : '';
    const range = `${count(cell.lowOpsPerS)} – ${count(cell.highOpsPerS)}`;
    // A tool that times no single call has none of these.
    const isTimed = cell.p50Us > 0;
    const times = isTimed ? [cell.p50Us, cell.p99Us, cell.p999Us].map(micros).join(' | ') : ' | | ';
    const cpu = isTimed ? cell.cpuMicrosPerOp.toPrecision(3) : '';
    lines.push(
      `| ${name} | ${count(cell.opsPerS)} | ${range} |${ours === undefined ? '' : `${ratio} |`} ${times} | ${cpu} |`,
    );
  }
  return lines.join('\n');
}

/** @param {Results} results */
function sectionTable({ sections }) {
  const lines = [
    '| section | seconds | bare round trip before, µs | after, µs |',
    '|---|---:|---:|---:|',
    ...sections.map(
      ({ title, seconds, handOverUs: [before, after] }) =>
        `| ${title} | ${count(seconds)} | ${[before, after].map((us) => (Number.isFinite(us) ? micros(us) : '')).join(' | ')} |`,
    ),
  ];
  return lines.join('\n');
}

/** @param {Results} results */
function peerTable({ peers, skipped }) {
  const lines = ['| peer | version | set up |', '|---|---|---|'];
  for (const { peer, version, note } of peers) lines.push(`| ${peer} | ${version} | ${note} |`);
  if (skipped.length > 0) lines.push('', 'Left out:', '');
  for (const { peer, reason } of skipped) lines.push(`- ${peer}: ${reason}`);
  return lines.join('\n');
}

/** @param {string} section */
function titleOf(section) {
  if (section === 'durability')
    return 'One client, values of 64 B, on a disk (one at a time: blocking, where the peer can)';
  if (section === 'mixes')
    return 'Four client processes, 64 B values, zipfian keys (one at a time: blocking, where the peer can)';
  if (section === 'cache')
    return 'Caches of decoded values of several sizes, and none (blocking calls, 64 B of text in each)';
  const keys = section === '256 KiB' ? '1,000 keys, values are bytes' : '100,000 keys, values are text';
  return `One client, values of ${section} (${keys})`;
}
