/**
 * Makes the counted build in a directory of its own, and runs main.ts there with the options given; with --report writes
 * the counts for `npm run bench -- --only reliability`.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { writeReport } from '../../scripts/reliability-report.mjs';
import { makeBuild } from './build.mjs';

const directory = mkdtempSync(path.join(tmpdir(), 'kvs-crash-'));
const file = path.join(directory, 'report.json');
const asked = [...process.argv];
const isReported = process.argv.includes('--report');
if (isReported) process.argv.splice(process.argv.indexOf('--report'), 1, '--json', file);
process.once('exit', () => {
  const report = existsSync(file) ? readFileSync(file, 'utf8') : undefined;
  rmSync(directory, { recursive: true, force: true });
  process.argv = asked;
  if (report === undefined) return;
  const { inPlace, kills, failures } = /** @type {{ inPlace: number, kills: number, failures: string[] }} */ (
    JSON.parse(report)
  );
  writeReport('crash-points', { inPlace, kills, failures: failures.length });
});
makeBuild(directory);
await import(pathToFileURL(path.join(directory, 'crash/main.js')).href);
