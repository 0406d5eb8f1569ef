/** Packs the package as `npm publish` would, and checks what users would get: its shape, its types, that it loads. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

process.chdir(path.join(import.meta.dirname, '..'));
const folder = mkdtempSync(path.join(tmpdir(), 'shm-kvs-package-'));
try {
  run('npm', ['pack', '--silent', '--pack-destination', folder]);
  const tarball = path.join(folder, readdirSync(folder).find((name) => name.endsWith('.tgz')) ?? 'no tarball');
  run('npx', ['--no-install', 'publint', 'run', tarball, '--strict']);
  run('npx', ['--no-install', 'attw', tarball, '--profile', 'esm-only']);
  loadAsUser(tarball);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/**
 * Unpacks without running any script and imports the package: its prebuilt addon must load.
 * @param {string} tarball
 */
function loadAsUser(tarball) {
  const modules = path.join(folder, 'node_modules');
  const installed = path.join(modules, 'shm-kvs');
  mkdirSync(installed, { recursive: true });
  run('tar', ['xzf', tarball, '-C', installed, '--strip-components=1']);
  for (const name of ['commander', 'node-gyp-build', 'pino', 'valibot']) {
    symlinkSync(path.resolve('node_modules', name), path.join(modules, name));
  }
  const script = `import('shm-kvs').then((api) => console.log('loaded:', Object.keys(api).join(' ')))`;
  run(process.execPath, ['--input-type=module', '--eval', script], { cwd: folder });
  for (const command of ['bin/kvs-server.js', 'bin/kvs-client.js']) {
    run(process.execPath, [path.join(installed, command), '--help'], { stdio: 'ignore' });
  }
}

/**
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnSyncOptions} [options]
 */
function run(command, args, options) {
  console.log(`$ ${path.basename(command)} ${args.join(' ')}`);
  const { status } = spawnSync(command, args, { stdio: 'inherit', ...options });
  if (status !== 0) throw new Error(`${path.basename(command)} ended with ${status}`);
}
