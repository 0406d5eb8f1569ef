/** Server processes of the peers: started, waited for, stopped. None outlives the benchmark. */
import { execFileSync, fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { createConnection } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

import { Unavailable } from './peer.mjs';

/** @import { ChildProcess } from 'node:child_process' */

const CONNECT_TRIES = 500;

/** @type {Set<ChildProcess>} */
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGTERM');
});

/** @param {ChildProcess} child */
function watch(child) {
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}

/** @param {ChildProcess} child */
export async function stopProcess(child) {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const timer = setTimeout(() => child.kill('SIGKILL'), 5000);
  await ended;
  clearTimeout(timer);
}

/**
 * @param {string} program found on the PATH
 * @param {string[]} args
 * @param {string} hint how to install it
 */
export function firstLineOf(program, args, hint) {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n')[0];
  } catch (cause) {
    throw new Unavailable(`${program} is not installed (${hint})`, { cause });
  }
}

/**
 * Starts a program that listens on a Unix socket and waits until it answers there.
 * @param {string} program
 * @param {string[]} args
 * @param {string} socketPath
 */
export async function startListener(program, args, socketPath) {
  const child = watch(spawn(program, args, { stdio: 'ignore' }));
  for (let i = 0; i < CONNECT_TRIES; i++) {
    if (child.exitCode !== null) throw new Unavailable(`${program} ended with code ${child.exitCode}`);
    if (await isListening(socketPath)) return child;
    await delay(10);
  }
  await stopProcess(child);
  throw new Unavailable(`${program} did not answer on its socket`);
}

/** @param {string} path */
async function isListening(path) {
  const socket = createConnection(path);
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/**
 * Runs bench/serve.mjs, which says when it is ready.
 * @param {string[]} args
 */
export async function startOwnServer(args) {
  const program = fileURLToPath(new URL('../serve.mjs', import.meta.url));
  const child = watch(fork(program, args, { execArgv: ['--max-old-space-size=4096'] }));
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`the server process ended with code ${code}`);
  });
  await Promise.race([once(child, 'message'), ended]);
  ended.catch(() => {});
  return child;
}

/**
 * A client process of the benchmark, ended with it.
 * @param {string} program
 * @param {string[]} args
 * @param {string[]} execArgv
 */
export function startClient(program, args = [], execArgv = []) {
  return watch(fork(program, args, { serialization: 'advanced', execArgv }));
}
