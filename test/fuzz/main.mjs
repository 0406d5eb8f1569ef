/**
 * Fuzzes every decoder of shared bytes, guided by the blocks of code that inputs reach: those that reach new ones are kept
 * and changed further. The inputs to begin with are in corpus/, one per line.
 *   npm run test:fuzz -- --seconds 60 --seed 7 [--only reader] [--save]
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';

import { writeReport } from '../../scripts/reliability-report.mjs';
import { randomFrom } from '../storm/random.mjs';
import { Coverage } from './coverage.mjs';
import { mutate } from './mutate.mjs';
import { TARGETS } from './targets.mjs';

/** @import { Target } from './targets.mjs' */

/** Inputs between two looks at what they have reached. */
const BATCH = 64;
const USAGE = `Usage: npm run test:fuzz -- [options]

  --seconds <n>     for each target (default 10)
  --executions <n>  so many for each target instead
  --seed <n>        of all that is made up
  --only <name>     one of ${Object.keys(TARGETS).join(', ')}
  --input <base64>  runs this one input of that target
  --save            writes the inputs that reach most to test/fuzz/corpus/
  --report          writes the figures for \`npm run bench -- --only reliability\`
  --help            this text`;

const options = readOptions();
const { seed, only } = options;
const folder = mkdtempSync(path.join(tmpdir(), 'kvs-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const watched = {
  words: new Int32Array(new SharedArrayBuffer(16)),
  bytes: new Uint8Array(new SharedArrayBuffer(4096)),
};
new Worker(new URL('watchdog.mjs', import.meta.url), { workerData: watched }).unref();
console.log(`seed: ${seed}`);
const results = Object.keys(TARGETS)
  .filter((name) => only === undefined || name === only)
  .map((name) => fuzz(TARGETS[name](folder)));
const failures = results.filter(({ failure }) => failure !== undefined);
const sum = (/** @type {(one: (typeof results)[number]) => number} */ of) =>
  results.reduce((all, one) => all + of(one), 0);
const report = {
  seed,
  executions: sum(({ executions }) => executions),
  blocks: sum(({ blocks }) => blocks.reached),
  knownBlocks: sum(({ blocks }) => blocks.known),
  corpus: sum(({ corpus }) => corpus),
  failures: failures.length,
};
console.log(JSON.stringify(report));
if (options.isReported) writeReport('fuzz', report);
process.exitCode = failures.length === 0 ? 0 : 1;

/** @param {Target} target */
function fuzz(target) {
  const { name, files } = target;
  const isOurs = (/** @type {string} */ url) => files.some((file) => url.includes(`/dist/${file}`));
  const coverage = new Coverage(isOurs);
  const random = randomFrom(seed);
  const corpus = load(name);
  const startedAt = performance.now();
  let executions = 0;
  /** @type {string | undefined} */
  let failure;
  const run = (/** @type {Buffer} */ input) => {
    watched.bytes.set(input);
    Atomics.store(watched.words, 1, input.length);
    Atomics.add(watched.words, 0, 1);
    executions++;
    try {
      target.run(input);
    } catch (error) {
      failure = `${name}: ${/** @type {Error} */ (error).stack}\n  --only ${name} --input ${input.toString('base64')}`;
    }
  };
  const isOver = () =>
    failure !== undefined ||
    (options.executions === 0
      ? performance.now() - startedAt >= options.seconds * 1000
      : executions >= options.executions);
  if (options.input !== undefined) run(options.input);
  else for (const input of corpus) run(input);
  coverage.take();
  const atFirst = coverage.blocks().reached;
  while (options.input === undefined && !isOver()) {
    const batch = Array.from({ length: BATCH }, () => mutate(random, corpus));
    for (const input of batch) if (failure === undefined) run(input);
    if (failure !== undefined) break;
    corpus.push(...newOnes(coverage, batch, run));
  }
  const blocks = coverage.blocks();
  const perSecond = Math.round(executions / ((performance.now() - startedAt) / 1000));
  console.log(
    `${name}: ${executions} executions, ${perSecond} a second; blocks reached: ${blocks.reached} of ${blocks.known}, ` +
      `${atFirst} by the corpus as it was; inputs kept: ${corpus.length}`,
  );
  if (failure !== undefined) console.log(`FAILED: ${failure}`);
  else if (options.isSaved) save(name, coverage, corpus, run);
  return { executions, blocks, corpus: corpus.length, failure };
}

/**
 * Of a batch those that reached something new.
 * @param {Coverage} coverage @param {Buffer[]} batch @param {(input: Buffer) => void} run @returns {Buffer[]}
 */
function newOnes(coverage, batch, run) {
  if (!coverage.isAnyNew()) return [];
  coverage.skip();
  return batch.filter((input) => {
    run(input);
    return coverage.take();
  });
}

/** @param {string} name */
function fileOf(name) {
  return path.join(import.meta.dirname, 'corpus', `${name}.txt`);
}

/** @param {string} name @returns {Buffer[]} */
function load(name) {
  const lines = existsSync(fileOf(name)) ? readFileSync(fileOf(name), 'utf8').split('\n') : [];
  const inputs = lines.filter((line) => line !== '').map((line) => Buffer.from(line, 'base64'));
  return inputs.length > 0 ? inputs : [Buffer.alloc(64)];
}

/** Keeps as few and as short ones as reach all. @param {string} name @param {Coverage} coverage @param {Buffer[]} corpus @param {(input: Buffer) => void} run */
function save(name, coverage, corpus, run) {
  coverage.reset();
  const kept = corpus
    .toSorted((a, b) => a.length - b.length)
    .filter((input) => {
      run(input);
      return coverage.take();
    });
  writeFileSync(fileOf(name), kept.map((input) => `${input.toString('base64')}\n`).join(''));
  console.log(`${name}: ${kept.length} inputs written`);
}

function readOptions() {
  const { values } = parseArgs({
    options: {
      seconds: { type: 'string', default: '10' },
      executions: { type: 'string', default: '0' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 2 ** 31)) },
      only: { type: 'string' },
      input: { type: 'string' },
      save: { type: 'boolean', default: false },
      report: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const numbers = [values.seconds, values.executions, values.seed].map(Number);
  const isKnown = values.only === undefined ? values.input === undefined : Object.hasOwn(TARGETS, values.only);
  if (values.help || !isKnown || !numbers.every((each) => each >= 0)) {
    console.log(USAGE);
    process.exit(values.help ? 0 : 2);
  }
  const input = values.input === undefined ? undefined : Buffer.from(values.input, 'base64');
  const [seconds, executions, first] = numbers;
  return {
    seconds,
    executions,
    seed: first,
    only: values.only,
    input,
    isSaved: values.save,
    isReported: values.report,
  };
}
