/**
 * The demo: four processes load an English word list into one store, verify what the others wrote, update, delete and
 * race for it. One of them is killed on the way. Ends with a table; exits non-zero on one wrong value.
 */
import { constants } from 'node:os';

import { KvsServer } from 'shm-kvs';

import { Crew } from './crew.js';
import { readOptions } from './options.js';
import { Run } from './run.js';
import { Screen } from './screen.js';
import { CLIENTS, WordList } from './words.js';

const { name, words } = readOptions(process.argv.slice(2));
const list = new WordList(words);
const crew = new Crew(name, list.size);
const screen = new Screen();

/** @type {'SIGINT' | 'SIGTERM' | undefined} */
let interruption;
for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM'])) {
  process.on(signal, () => {
    interruption = signal;
    crew.kill();
  });
}

const run = new Run(list, crew, screen);
const server = await KvsServer.start({ name, onEvent: (event) => run.notice(event) });
try {
  screen.open(list.size, CLIENTS, name);
  await crew.start();
  await run.perform(server);
  screen.table(run.rows);
  screen.verdict(run.findings.count, run.findings.examples);
  process.exitCode = run.findings.count === 0 ? 0 : 1;
} catch (error) {
  process.exitCode = 1;
  if (interruption === undefined) throw error;
  screen.close();
  console.error(`stopped by ${interruption}`);
} finally {
  screen.close();
  if (process.exitCode === 1) crew.kill();
  await crew.end();
  await server.stop();
  if (interruption !== undefined) process.exitCode = 128 + constants.signals[interruption];
}
