/**
 * Bundles the two commands and their threads into bin/, with what they depend on: Node loads a few files several times as
 * fast as a hundred, which is a third of the time from the start of a server to its first answer, and of a client's
 * command. As CommonJS: what loads ES modules would have to be loaded first, in each thread. As deep as dist/, so that
 * paths from there to the package hold.
 */
import { chmodSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { rolldown } from 'rolldown';

const COMMANDS = ['cli/kvs-server', 'cli/kvs-client'];
const THREADS = ['server/worker', 'server/log-thread', 'server/snapshot-thread', 'cli/bench-thread'];
/** Node's own modules, and the logger: it is many files, of which it finds some by itself. */
const EXTERNAL = [/^node:/, 'pino'];
const PACKAGE = /^.*\/node_modules\/(@[^/]+\/)?[^/]+\//;

export async function bundle() {
  rmSync('bin', { recursive: true, force: true });
  /** @type {Set<string>} */
  const packages = new Set();
  // One by one: what they share would otherwise be cut into many files, for each to load.
  for (const entry of [...COMMANDS, ...THREADS]) {
    const bundled = await rolldown({ input: `dist/${entry}.js`, platform: 'node', external: EXTERNAL });
    const name = path.basename(entry);
    const chunkFileNames = `${name}-[name].js`;
    const { output } = await bundled.write({ dir: 'bin', format: 'cjs', chunkFileNames, comments: false });
    for (const chunk of output) {
      const modules = chunk.type === 'chunk' ? Object.keys(chunk.modules) : [];
      for (const module of modules) packages.add(PACKAGE.exec(module)?.[0] ?? '');
    }
  }
  for (const command of COMMANDS) chmodSync(`bin/${path.basename(command)}.js`, 0o755);
  writeFileSync('bin/package.json', '{ "type": "commonjs" }\n');
  packages.delete('');
  writeFileSync('bin/LICENSES.txt', [...packages].sort().map(licenseOf).join('\n'));
}

/** @param {string} folder of a package that was bundled @returns {string} what its license wants kept with it */
function licenseOf(folder) {
  const file = readdirSync(folder).find((name) => /^licen[cs]e/i.test(name));
  const manifest = readFileSync(path.join(folder, 'package.json'), 'utf8');
  const { name, version } = /** @type {{ name: string, version: string }} */ (JSON.parse(manifest));
  if (file === undefined) throw new Error(`${name} has no file with its license, so it cannot be bundled`);
  return `${name} ${version}\n\n${readFileSync(path.join(folder, file), 'utf8').trim()}\n`;
}
