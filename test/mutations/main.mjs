/**
 * Puts each fault of mutations.mjs into a build of its own and expects its scenario to notice; before, that the scenario
 * finds nothing wrong without it. Options: --only <part of a name>, --report (writes the counts for
 * `npm run bench -- --only reliability`).
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs, stripVTControlCharacters } from 'node:util';

import { writeReport } from '../../scripts/reliability-report.mjs';
import { makeBuild } from '../crash/build.mjs';
import { MUTATIONS } from './mutations.mjs';

const ROOT = path.join(import.meta.dirname, '../..');
const TIMEOUT_MS = 300_000;
const { only, report } = parseArgs({
  options: { only: { type: 'string', default: '' }, report: { type: 'boolean', default: false } },
}).values;

/** @param {string} directory @param {import('./mutations.mjs').Mutation} mutation */
function programOf(directory, { model, test, crash }) {
  const file = model === undefined ? test : `model/${model}`;
  if (file !== undefined) {
    const config = path.join(import.meta.dirname, 'vitest.config.ts');
    return ['node_modules/vitest/vitest.mjs', 'run', `test/${file}.test.ts`, '--bail', '1', '--config', config];
  }
  return [path.join(directory, 'crash/main.js'), '--writes', '--kills', '0', '--is', crash ?? ''];
}

/** @param {string} directory @param {import('./mutations.mjs').Mutation} mutation */
function run(directory, mutation) {
  const env = { ...process.env, KVS_MUTATED: directory };
  const [command, args] = [process.execPath, programOf(directory, mutation)];
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd: ROOT,
    env,
    encoding: 'utf8',
    timeout: TIMEOUT_MS,
  });
  if (error !== undefined || (status !== 0 && status !== 1)) throw new Error(`${mutation.name}: ${error ?? stdout}`);
  // What the scenario says: a build that does not run at all says something else.
  const plain = stripVTControlCharacters(`${stdout}\n${stderr}`);
  const pattern =
    mutation.test === undefined
      ? /^Error: (.*)\nafter \d+ steps:|^FAILED: (.*)$/m
      : /^(?:AssertionError|KvsError): (.*)$/m;
  const said = pattern.exec(plain)?.slice(1).join('');
  return { isFound: status === 1 && said !== undefined, said };
}

const directory = mkdtempSync(path.join(tmpdir(), 'kvs-mutations-'));
/** @type {string[]} */
const missed = [];
const chosen = MUTATIONS.filter(({ name }) => name.includes(only));
try {
  const build = makeBuild(
    directory,
    chosen.some(({ crash }) => crash !== undefined),
  );
  // Processes of tests run the build that they are in.
  cpSync(path.join(ROOT, 'test/fixtures'), path.join(directory, 'test/fixtures'), { recursive: true });
  // The explorations are tests of their own.
  const sound = new Map(chosen.map((mutation) => [mutation.crash, mutation]));
  sound.delete(undefined);
  for (const [scenario, mutation] of sound) {
    const { isFound, said } = run(directory, mutation);
    if (isFound) throw new Error(`${scenario} finds something wrong without any fault: ${said}`);
  }
  for (const mutation of chosen) {
    const { name, file, from, to, model, test, crash } = mutation;
    const text = readFileSync(path.join(ROOT, 'src', file), 'utf8');
    if (text.split(from).length !== 2) throw new Error(`${name}: what it replaces is not there once in ${file}`);
    const isCounted = crash !== undefined;
    build.replace(
      file,
      text.replace(from, () => to),
      isCounted,
    );
    const { isFound, said } = run(directory, mutation);
    build.replace(file, text, isCounted);
    const by =
      model !== undefined ? `exploration: ${model}` : test !== undefined ? `test: ${test}` : `crash points: ${crash}`;
    console.log(`${isFound ? 'caught' : 'MISSED'}: ${name}; by ${by}: ${said}`);
    if (!isFound) missed.push(name);
  }
} finally {
  rmSync(directory, { recursive: true, force: true });
}
console.log(`${chosen.length - missed.length} of ${chosen.length} mutations caught`);
if (report) writeReport('mutations', { mutations: chosen.length, caught: chosen.length - missed.length, missed });
process.exit(missed.length === 0 ? 0 : 1);
