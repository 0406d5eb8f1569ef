/** The other process of a hand-over: maps the file it is given and answers until it is told to stop. */
import { openSync } from 'node:fs';

import { native } from '../../dist/native.js';
import { echo } from './ping-pong.mjs';

const [path, bytes] = process.argv.slice(2);
const words = new Int32Array(native.mapSegment(openSync(path, 'r+'), Number(bytes), true));
// Of a terminal's Ctrl-C the asker decides what becomes.
process.on('SIGINT', () => {});
process.send?.('ready', () => {
  echo(words);
  process.exit(0);
});
