/**
 * The counts of the runs that prove reliability: each writes its own to bench/reliability/ when it is asked to, and the
 * benchmark's section of that name takes them from there. Nothing in it is typed by hand.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

const FOLDER = path.join(import.meta.dirname, '../bench/reliability');

/** @param {string} name @returns {string} */
const fileOf = (name) => path.join(FOLDER, `${name}.json`);

/** @param {string} name of the run @param {Readonly<Record<string, unknown>>} figures */
export function writeReport(name, figures) {
  mkdirSync(FOLDER, { recursive: true });
  const command = ['node', path.relative(process.cwd(), process.argv[1] ?? ''), ...process.argv.slice(2)].join(' ');
  const report = { date: new Date().toISOString().slice(0, 10), commit: commitOf(), command, ...figures };
  writeFileSync(fileOf(name), `${JSON.stringify(report, undefined, 2)}\n`);
  console.log(`written: ${path.relative(process.cwd(), fileOf(name))}`);
}

/**
 * What a run has written: when, of which commit, and its figures by name.
 * @typedef {{ date: string, commit: string, figure: (name: string) => number }} ReliabilityReport
 */

/** @param {string} name @returns {ReliabilityReport | undefined} undefined: it was not run */
export function readReport(name) {
  if (!existsSync(fileOf(name))) return undefined;
  const report = /** @type {Record<string, unknown>} */ (JSON.parse(readFileSync(fileOf(name), 'utf8')));
  const { date, commit } = report;
  return { date: String(date), commit: String(commit), figure: (what) => Number(report[what]) };
}

function commitOf() {
  try {
    return execFileSync('git', ['rev-parse', '--short', 'HEAD'], { cwd: FOLDER, encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
