/**
 * Runs the test suite under every supported Node line, twice: with an addon built for that Node, and with the one
 * prebuilt addon that the package ships, built for Node 20. Works on copies of this folder; leaves it as it is.
 * Arguments choose versions: `npm run test:matrix -- 22 26`.
 */
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const VERSIONS = ['20.20.2', '22.23.3', '24.21.0', '26.10.0'];
const OLDEST = VERSIONS[0] ?? '';
const NOT_COPIED = new Set(['.git', 'build', 'coverage', 'node_modules', 'prebuilds']);

const root = path.join(import.meta.dirname, '..');
const cache = path.join(root, 'node_modules/.cache/nodes');
const scratch = mkdtempSync(path.join(tmpdir(), 'shm-kvs-matrix-'));
const chosen = process.argv.slice(2);
const versions = VERSIONS.filter(
  (version) => chosen.length === 0 || chosen.some((c) => `${version}.`.startsWith(`${c}.`)),
);

/** @typedef {{ node: string, addon: string, passed: number, failed: number, ok: boolean }} Row */
/** @type {Row[]} */
const rows = [];
try {
  const prebuilt = buildAddon(OLDEST);
  for (const version of versions) {
    const own = version === OLDEST ? prebuilt : buildAddon(version);
    rows.push(test(version, 'built for it', own, 'build/Release/shm_kvs.node'));
    rows.push(test(version, 'prebuilt', prebuilt, `prebuilds/linux-${process.arch}/node.napi.node`));
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.table(rows);
process.exitCode = rows.length > 0 && rows.every((row) => row.ok) ? 0 : 1;

/**
 * @param {string} version
 * @returns {string} the addon's path
 */
function buildAddon(version) {
  console.log(`\n== Node ${version}: building the addon`);
  const node = install(version);
  const tree = copyTree(`build-${version}`);
  const { status } = runNode(node, tree, ['scripts/build-native.mjs', `--nodedir=${node}`]);
  if (status !== 0) throw new Error(`the addon does not build for Node ${version}`);
  return path.join(tree, 'build/Release/shm_kvs.node');
}

/**
 * @param {string} version
 * @param {string} addon what to call it
 * @param {string} file the addon
 * @param {string} place where the copy gets it; nowhere else is one
 * @returns {Row}
 */
function test(version, addon, file, place) {
  console.log(`\n== Node ${version}: testing, addon ${addon}`);
  const node = install(version);
  const tree = copyTree('test');
  mkdirSync(path.dirname(path.join(tree, place)), { recursive: true });
  copyFileSync(file, path.join(tree, place));
  const report = path.join(tree, 'results.json');
  const { status } = runNode(node, tree, ['node_modules/vitest/vitest.mjs', 'run'], { KVS_TEST_JSON: report });
  const { numPassedTests: passed, numFailedTests: failed } = existsSync(report)
    ? /** @type {{ numPassedTests: number, numFailedTests: number }} */ (JSON.parse(readFileSync(report, 'utf8')))
    : { numPassedTests: 0, numFailedTests: 0 };
  rmSync(tree, { recursive: true });
  return { node: version, addon, passed, failed, ok: status === 0 && passed > 0 };
}

/**
 * @param {string} name
 * @returns {string} a copy of this folder without any addon in it
 */
function copyTree(name) {
  const tree = path.join(scratch, name);
  cpSync(root, tree, { recursive: true, filter: (from) => !NOT_COPIED.has(path.relative(root, from)) });
  symlinkSync(path.join(root, 'node_modules'), path.join(tree, 'node_modules'));
  return tree;
}

/**
 * @param {string} version
 * @returns {string} the installation's folder: bin/node, include/node
 */
function install(version) {
  const name = `node-linux-${process.arch}`;
  const folder = path.join(cache, version);
  const node = path.join(folder, 'node_modules', name);
  if (!existsSync(path.join(node, 'bin/node'))) {
    const flags = ['--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund'];
    mkdirSync(folder, { recursive: true });
    const result = spawnSync('npm', ['install', ...flags, '--prefix', folder, `${name}@${version}`], {
      stdio: 'inherit',
    });
    if (result.status !== 0) throw new Error(`could not install ${name}@${version}`);
  }
  return node;
}

/**
 * @param {string} node
 * @param {string} tree
 * @param {string[]} args
 * @param {NodeJS.ProcessEnv} [env]
 */
function runNode(node, tree, args, env) {
  const bin = path.join(node, 'bin');
  return spawnSync(path.join(bin, 'node'), args, {
    cwd: tree,
    stdio: 'inherit',
    env: { ...process.env, npm_config_nodedir: node, ...env, PATH: `${bin}${path.delimiter}${process.env['PATH']}` },
  });
}
