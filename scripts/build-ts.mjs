/** Compiles src/ to dist/, deletes from dist/ what no source file stands for any more, and bundles the commands. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

import { bundle } from './bundle.mjs';

const OUTPUT = /(\.d\.ts|\.js)(\.map)?$/;
const require = createRequire(import.meta.url);
process.chdir(path.join(import.meta.dirname, '..'));

const outputs = () => readdirSync('dist', { recursive: true, encoding: 'utf8' }).filter((file) => OUTPUT.test(file));

// A file that was deleted by hand would stay missing: the compiler trusts its build information.
const isWhole = existsSync('dist/index.js') || !existsSync('src/index.ts');
if (!isWhole) rmSync('dist/.tsbuildinfo', { force: true });

const { status } = spawnSync(process.execPath, [require.resolve('typescript/bin/tsc'), '-p', 'tsconfig.json'], {
  stdio: 'inherit',
});
for (const file of existsSync('dist') ? outputs() : []) {
  if (!existsSync(path.join('src', file.replace(OUTPUT, '.ts')))) rmSync(path.join('dist', file));
}
if (status === 0) await bundle();
process.exitCode = status ?? 1;
