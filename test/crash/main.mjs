/** Makes the counted build in a directory of its own, and runs main.ts there with the options given. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

import { makeBuild } from './build.mjs';

const directory = mkdtempSync(path.join(tmpdir(), 'kvs-crash-'));
process.once('exit', () => rmSync(directory, { recursive: true, force: true }));
makeBuild(directory);
await import(pathToFileURL(path.join(directory, 'crash/main.js')).href);
