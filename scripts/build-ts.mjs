/** Compiles src/ to dist/, then deletes from dist/ what no source file stands for any more. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

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
for (const name of ['kvs-server', 'kvs-client']) {
  const command = `dist/cli/${name}.js`;
  if (existsSync(command)) chmodSync(command, 0o755);
}
process.exitCode = status ?? 1;
