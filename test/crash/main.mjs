/** Makes the counted build in a directory of its own, and runs main.ts there with the options given. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { makeBuild } from './build.mjs';

const directory = mkdtempSync(path.join(tmpdir(), 'kvs-crash-'));
try {
  makeBuild(directory);
  const args = ['--expose-gc', path.join(directory, 'crash/main.js'), ...process.argv.slice(2)];
  process.exitCode = spawnSync(process.execPath, args, { stdio: 'inherit' }).status ?? 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
