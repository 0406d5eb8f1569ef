/**
 * Fails a test run that leaves shared-memory files behind, and removes those that are certainly its own. Tests name their regions `t-…`, best after the run
 * (`t-${process.env.KVS_TEST_RUN}-…`): then runs that share the host are told apart for certain.
 */
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

const FOLDER = '/dev/shm';
const LOOK_MS = 100;
const MAX_LOOKS = 150;
const run = `${process.pid.toString(36)}${Date.now().toString(36)}`;

/** @type {Set<string>} */
let before = new Set();

export function setup() {
  process.env['KVS_TEST_RUN'] = run;
  before = new Set(testFiles());
}

export async function teardown() {
  let left = leftovers();
  // Processes that a test killed may need a moment to vanish; what their last owner unlinks goes with them.
  for (let i = 0; i < MAX_LOOKS && left.length > 0; i++) {
    await setTimeout(LOOK_MS);
    left = leftovers();
  }
  for (const name of left)
    if (name.startsWith(`kvs.t-${run}-`)) rmSync(join(FOLDER, name), { recursive: true, force: true });
  if (left.length > 0) throw new Error(`the tests left behind in ${FOLDER}: ${left.join(' ')}`);
}

function leftovers() {
  const fresh = testFiles().filter((name) => !before.has(name));
  const isAlone = !otherRunIsActive();
  return fresh.filter((name) => isAlone || name.startsWith(`kvs.t-${run}-`));
}

function testFiles() {
  return readdirSync(FOLDER).filter((name) => name.startsWith('kvs.t-'));
}

/** Another run on this host shows by the mark that its children inherit. */
function otherRunIsActive() {
  return readdirSync('/proc').some((pid) => {
    const mark = /(?:^|\0)KVS_TEST_RUN=([^\0]+)/.exec(environmentOf(pid))?.[1];
    return mark !== undefined && mark !== run;
  });
}

/** @param {string} pid */
function environmentOf(pid) {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8');
  } catch {
    return ''; // not a process, gone, or not ours
  }
}
