/**
 * Builds the addon with AddressSanitizer and UndefinedBehaviorSanitizer in a copy of this folder and runs its tests under
 * them; then 10,000 times attaches and leaves; then, where valgrind is installed, looks for what it finds in the addon.
 * Leaves this folder as it is. Needs gcc.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const NOT_COPIED = new Set(['.git', 'build', 'coverage', 'node_modules', 'prebuilds']);
const SANITIZERS = '-fsanitize=address,undefined -fno-sanitize-recover=all';
const CYCLES = '10000';
/** Looks at how much memory is in use. */
const MEASURED = 'test/native/buffer-pool.test.ts';

const root = path.join(import.meta.dirname, '..');
const scratch = mkdtempSync(path.join(tmpdir(), 'shm-kvs-sanitizers-'));
/** @type {{ what: string, ok: boolean }[]} */
const results = [];

try {
  const tree = path.join(scratch, 'tree');
  cpSync(root, tree, { recursive: true, filter: (from) => !NOT_COPIED.has(path.relative(root, from)) });
  symlinkSync(path.join(root, 'node_modules'), path.join(tree, 'node_modules'));
  const flags = { CXXFLAGS: `${SANITIZERS} -g -fno-omit-frame-pointer`, LDFLAGS: SANITIZERS };
  check('build with sanitizers', run(tree, ['scripts/build-native.mjs'], flags));
  const addon = readFileSync(path.join(tree, 'build/Release/shm_kvs.node'), 'latin1');
  check('the addon is watched', addon.includes('__asan_report_load') && addon.includes('__ubsan_handle'));
  // libstdc++ besides: the sanitizer looks for the real __cxa_throw before anything has loaded it.
  const preloaded = ['libasan.so', 'libubsan.so', 'libstdc++.so.6'].map(libraryPath).join(':');
  const sanitized = {
    LD_PRELOAD: preloaded,
    // Node frees little at its end; and the addon has a handler of its own for SIGSEGV.
    ASAN_OPTIONS: 'detect_leaks=0:handle_segv=0:abort_on_error=1',
    UBSAN_OPTIONS: 'print_stacktrace=1:halt_on_error=1:abort_on_error=1',
  };
  const vitest = 'node_modules/vitest/vitest.mjs';
  const folders = ['test/native', 'test/memory', 'test/client/views'];
  check('tests of the addon', run(tree, [vitest, 'run', ...folders, '--exclude', MEASURED], sanitized));
  // What was freed would be held back for a while, and counted.
  const unheld = { ...sanitized, ASAN_OPTIONS: `${sanitized.ASAN_OPTIONS}:quarantine_size_mb=0` };
  check('what its buffers keep', run(tree, [vitest, 'run', MEASURED], unheld));
  const many = { ...sanitized, KVS_ATTACH_CYCLES: CYCLES };
  check(`${CYCLES} times attached and left`, run(tree, [vitest, 'run', 'test/native/leaks'], many));
  if (spawnSync('valgrind', ['--version']).status === 0) check('valgrind', runValgrind());
  else console.log('\n== valgrind is not installed');
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.table(results);
process.exitCode = results.every(({ ok }) => ok) ? 0 : 1;

/** @param {string} what @param {boolean} ok */
function check(what, ok) {
  console.log(`\n== ${what}: ${ok ? 'ok' : 'FAILED'}`);
  results.push({ what, ok });
}

/**
 * @param {string} directory @param {string[]} args @param {NodeJS.ProcessEnv} environment
 * @param {'inherit' | 'ignore'} stdio
 * @returns {boolean} whether it ended well
 */
function run(directory, args, environment, stdio = 'inherit') {
  const env = { ...process.env, ...environment };
  return spawnSync(process.execPath, args, { cwd: directory, env, stdio }).status === 0;
}

/** @param {string} name @returns {string} */
function libraryPath(name) {
  return spawnSync('gcc', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout.trim();
}

/**
 * Runs what the addon does under valgrind, with the addon as it is shipped. Of what valgrind reports, the runtime's own
 * is left out: reports count that name the addon.
 */
function runValgrind() {
  const log = path.join(scratch, 'valgrind.log');
  const options = ['--smc-check=all-non-file', '--num-callers=30', '--error-limit=no', `--log-file=${log}`];
  const program = path.join(root, 'test/fixtures/native/every-call.mjs');
  const { status } = spawnSync('valgrind', [...options, process.execPath, '--jitless', program], { stdio: 'inherit' });
  const text = readFileSync(log, 'utf8');
  const reports = text.split(/^==\d+== *$/m).filter((report) => report.includes('shm_kvs.node'));
  for (const report of reports) console.log(report);
  console.log(/ERROR SUMMARY.*/.exec(text)?.[0] ?? 'valgrind has no summary');
  return status === 0 && reports.length === 0;
}
