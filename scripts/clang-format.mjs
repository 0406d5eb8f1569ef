/** Formats the C++ sources in place; with --check only reports what differs, and fails. */
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

process.chdir(path.join(import.meta.dirname, '..'));
const files = readdirSync('native')
  .filter((name) => /\.(h|cc)$/.test(name))
  .map((name) => `native/${name}`);
const mode = process.argv.includes('--check') ? ['--dry-run', '--Werror'] : ['-i'];
const tool = createRequire(import.meta.url).resolve('clang-format-node/build/cli.js');
const { status } = spawnSync(process.execPath, [tool, ...mode, ...files], { stdio: 'inherit' });
process.exitCode = status ?? 1;
