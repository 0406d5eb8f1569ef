/** Puts the built addon where node-gyp-build looks for it in an installed package. */
import { copyFileSync, mkdirSync, rmSync } from 'node:fs';
import path from 'node:path';

process.chdir(path.join(import.meta.dirname, '..'));
const folder = `prebuilds/${process.platform}-${process.arch}`;
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
copyFileSync('build/Release/shm_kvs.node', `${folder}/node.napi.node`);
