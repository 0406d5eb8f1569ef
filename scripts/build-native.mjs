/**
 * Builds the addon into build/Release. Does nothing when the sources, the Node headers, the compiler's architecture
 * and node-addon-api are those of the last build. `--nodedir=<dir>` names the Node installation whose headers to use;
 * without it: npm's `nodedir` setting, else the headers that lie beside the running `node`, else node-gyp's download.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { parseArgs } from 'node:util';

const ADDON = 'build/Release/shm_kvs.node';
const STAMP = 'build/inputs.sha256';
const require = createRequire(import.meta.url);
process.chdir(path.join(import.meta.dirname, '..'));

const { values } = parseArgs({ options: { nodedir: { type: 'string' } } });
const nodeDirectory = values.nodedir ?? process.env.npm_config_nodedir ?? headersBesideNode();
const inputs = digestOfInputs();

if (existsSync(ADDON) && existsSync(STAMP) && readFileSync(STAMP, 'utf8') === inputs) {
  console.log('addon: up to date');
} else {
  build();
}

function build() {
  rmSync(STAMP, { force: true });
  const args = [require.resolve('node-gyp/bin/node-gyp.js'), 'rebuild', '--loglevel=warn'];
  if (nodeDirectory !== undefined) args.push(`--nodedir=${nodeDirectory}`);
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
  writeFileSync(STAMP, inputs);
}

function digestOfInputs() {
  const hash = createHash('sha256').update(JSON.stringify([process.version, process.arch, nodeDirectory]));
  hash.update(readFileSync(require.resolve('node-addon-api/package.json')));
  for (const file of ['binding.gyp', ...readdirSync('native').map((name) => `native/${name}`)].sort()) {
    hash.update(`${file}\0`).update(readFileSync(file));
  }
  return hash.digest('hex');
}

/** @returns {string | undefined} the prefix of the running node, if its headers are installed and of its version */
function headersBesideNode() {
  const prefix = path.join(path.dirname(process.execPath), '..');
  const header = path.join(prefix, 'include/node/node_version.h');
  if (!existsSync(header)) return undefined;
  const text = readFileSync(header, 'utf8');
  const version = ['MAJOR', 'MINOR', 'PATCH'].map((part) => text.match(`NODE_${part}_VERSION (\\d+)`)?.[1]);
  return `v${version.join('.')}` === process.version ? prefix : undefined;
}
