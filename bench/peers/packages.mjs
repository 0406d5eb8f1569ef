/**
 * Packages of the peers: installed on first use, each in a folder of its own under node_modules/.cache, so that
 * `npm ci` stays lean and a package that cannot be built here hinders no other.
 */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { Unavailable } from './peer.mjs';

const cache = fileURLToPath(new URL('../../node_modules/.cache/bench-peers', import.meta.url));
const INSTALL_TIMEOUT_MS = 6 * 60_000;

/** name → the versions it is measured in */
const ranges = { ioredis: '6', redis: '6', lmdb: '3.5', 'better-sqlite3': '12' };
/** @typedef {keyof typeof ranges} PackageName */

/** @param {PackageName} name */
const requireOf = (name) => createRequire(join(cache, name, 'package.json'));

/**
 * Loads an installed package.
 * @param {PackageName} name
 * @returns {unknown}
 */
export const loadPackage = (name) => requireOf(name)(name);

/** @param {PackageName} name */
export function versionOf(name) {
  const text = readFileSync(join(cache, name, 'node_modules', name, 'package.json'), 'utf8');
  return /** @type {{ version: string }} */ (JSON.parse(text)).version;
}

/**
 * Installs the package if need be and proves that it loads. @throws Unavailable
 * @param {PackageName} name
 */
export async function ensurePackage(name) {
  if (await isUsable(name)) return;
  const folder = join(cache, name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true }));
  process.stderr.write(`installing ${name}@${ranges[name]} into ${dirname(folder)}\n`);
  try {
    const args = ['install', '--no-audit', '--no-fund', '--no-package-lock', `${name}@${ranges[name]}`];
    await promisify(execFile)('npm', args, { cwd: folder, timeout: INSTALL_TIMEOUT_MS });
  } catch (cause) {
    throw new Unavailable(`npm could not install ${name}@${ranges[name]}`, { cause });
  }
  if (!(await isUsable(name)))
    throw new Unavailable(`${name} is installed but does not load (no binary for this machine)`);
}

/** In a process of its own: what does not load must not harm this one. @param {PackageName} name */
async function isUsable(name) {
  const script = {
    ioredis: 'require("ioredis")',
    redis: 'require("redis")',
    lmdb: 'require("lmdb")',
    'better-sqlite3': 'new (require("better-sqlite3"))(":memory:")',
  }[name];
  try {
    versionOf(name);
    await promisify(execFile)(process.execPath, ['-e', script], { cwd: join(cache, name) });
    return true;
  } catch {
    return false;
  }
}
