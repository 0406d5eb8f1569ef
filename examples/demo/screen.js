/** What the demo shows: a line per finished phase, a progress bar on terminals, and the table in the end. */
import { styleText } from 'node:util';

import { SingleBar } from 'cli-progress';
import Table from 'cli-table3';

/**
 * @typedef {object} Row what is known of a finished phase
 * @property {string} name
 * @property {string} calls
 * @property {number} operations
 * @property {number} seconds
 * @property {number | undefined} p50Ns undefined: not measured
 * @property {number | undefined} p99Ns
 * @property {number} wrong
 */

const NAME_WIDTH = 16;
const CALLS_WIDTH = 15;
const BAR_WIDTH = 24;

/** @param {Parameters<typeof styleText>[0]} style */
const painter = (style) => (/** @type {string} */ text) => styleText(style, text, { stream: process.stdout });
const bold = painter('bold');
const dim = painter('dim');
const cyan = painter('cyan');
const green = painter('green');
const red = painter('red');
const yellow = painter('yellow');

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** @param {number} n */
export const formatCount = (n) => whole.format(n);

/** @param {number | undefined} ns */
function formatLatency(ns) {
  if (ns === undefined) return '–';
  if (ns < 1e6) return `${(ns / 1e3).toFixed(ns < 1e4 ? 1 : 0)} µs`;
  return `${(ns / 1e6).toFixed(ns < 1e7 ? 2 : 1)} ms`;
}

/** @param {Row} row */
const opsPerSecond = ({ operations, seconds }) => formatCount(operations / seconds);

/** @param {{ name: string, calls: string }} phase */
const title = ({ name, calls }) => `${name.padEnd(NAME_WIDTH)}${dim(calls.padEnd(CALLS_WIDTH))}`;

export class Screen {
  /** @type {SingleBar | undefined} */
  #bar;

  /**
   * @param {number} words
   * @param {number} clients
   * @param {string} name
   */
  open(words, clients, name) {
    console.log(`\n${bold('shm-kvs')}  ${formatCount(words)} English words, ${clients} client processes, one server`);
    console.log(dim(`         its region: /dev/shm/kvs.${name}\n`));
  }

  /**
   * @param {{ name: string, calls: string }} phase
   * @param {number} operations
   */
  begin(phase, operations) {
    if (!process.stdout.isTTY) return;
    this.#bar = new SingleBar({
      format: `  ${cyan('›')} ${title(phase)}${cyan('{bar}')} {percentage}%`,
      barsize: BAR_WIDTH,
      barCompleteChar: '━',
      barIncompleteChar: ' ',
      stream: process.stdout,
      hideCursor: true,
      clearOnComplete: true,
      gracefulExit: false,
      fps: 20,
    });
    this.#bar.start(operations, 0);
  }

  /** @param {number} operations */
  progress(operations) {
    this.#bar?.update(operations);
  }

  /** @param {Row} row */
  end(row) {
    this.close();
    const mark = row.wrong === 0 ? green('✔') : red('✘');
    const figures = `${formatCount(row.operations).padStart(9)} ops ${`${row.seconds.toFixed(1)} s`.padStart(8)}`;
    const wrong = row.wrong === 0 ? '' : red(`  ${formatCount(row.wrong)} wrong`);
    console.log(`  ${mark} ${title(row)}${figures}${wrong}`);
  }

  /** @param {string} text */
  note(text) {
    console.log(`    ${yellow('›')} ${dim(text)}`);
  }

  /** Takes the bar away and gives the cursor back. */
  close() {
    this.#bar?.stop();
    this.#bar = undefined;
  }

  /** @param {Row[]} rows */
  table(rows) {
    const table = new Table({
      head: ['phase', 'calls', 'operations', 'ops/s', 'p50', 'p99'].map((text) => bold(text)),
      colAligns: ['left', 'left', 'right', 'right', 'right', 'right'],
      chars: { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' },
      style: { head: [], border: [] },
    });
    for (const row of rows) {
      const latencies = [formatLatency(row.p50Ns), formatLatency(row.p99Ns)];
      table.push([row.name, row.calls, formatCount(row.operations), cyan(opsPerSecond(row)), ...latencies]);
    }
    const operations = rows.reduce((sum, row) => sum + row.operations, 0);
    const seconds = rows.reduce((sum, row) => sum + row.seconds, 0);
    const total = { name: '', calls: '', operations, seconds, p50Ns: undefined, p99Ns: undefined, wrong: 0 };
    table.push([bold('all'), '', bold(formatCount(operations)), bold(opsPerSecond(total)), '', '']);
    console.log(`\n${table.toString()}`);
    console.log(dim('p50 and p99 are per call: a batch of 250 words for mset and mget, both calls for update.\n'));
  }

  /**
   * @param {number} wrong
   * @param {readonly string[]} examples
   */
  verdict(wrong, examples) {
    if (wrong === 0) console.log(`${green('✔')} every value that was read was right\n`);
    else console.error(`${red('✘')} ${formatCount(wrong)} wrong:\n${examples.map((text) => `  ${text}`).join('\n')}\n`);
  }
}
