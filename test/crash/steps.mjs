/**
 * Where the counted build (build.mjs) makes its accesses: to elements of typed arrays over shared memory, to the kernel by
 * way of the addon, to files. Each is a step; in front of a chosen one this thread's life ends, by SIGKILL of the process
 * or, in place, by a Death that is thrown here and in front of every later step. A copy of many bytes has a step in its middle.
 */

import { isMainThread } from 'node:worker_threads';

export class Death extends Error {}

/** How the thread lives: its first `limit` steps happen. */
export const life = {
  count: 0,
  limit: Infinity,
  isDead: false,
  /** Whether loads count: between two writes memory stays as it is. */
  countsLoads: true,
  /** Each life has its number: timers of an earlier one do nothing. */
  number: 0,
  /** @type {() => never} */
  end: () => {
    throw new Death('dead');
  },
};

/** From now on a death is one of the whole process. @param {number} limit */
export function liveUntilKilled(limit) {
  life.end = () => {
    process.kill(process.pid, 'SIGKILL');
    for (;;);
  };
  Object.assign(life, { count: 0, limit });
}

// Worker threads of a server are told by the environment.
const { KVS_CRASH_WORKER: inWorker, KVS_CRASH_WRITES: onlyWrites } = process.env;
life.countsLoads = onlyWrites === undefined;
if (!isMainThread && inWorker !== undefined) liveUntilKilled(Number(inWorker));

/** What the kernel takes back from a dead process. @type {{ fds: Set<number>, bells: Set<{ close(): void }> }} */
export const held = { fds: new Set(), bells: new Set() };

function step() {
  if (life.isDead) throw new Death('dead');
  if (life.count++ < life.limit) return;
  life.isDead = true;
  life.end();
}

function loadStep() {
  if (life.countsLoads || life.isDead) step();
}

/** @param {unknown} array @returns {boolean} */
const isShared = (array) => ArrayBuffer.isView(array) && array.buffer instanceof SharedArrayBuffer;

/** @param {any} array @param {number} index @returns {number} */
export function get(array, index) {
  if (isShared(array)) loadStep();
  return array[index];
}

/** @param {any} array @param {number} index @param {number} value @returns {number} */
export function set(array, index, value) {
  if (isShared(array)) step();
  return (array[index] = value);
}

/** @param {any} array @param {number} index @param {(before: number) => number} next @returns {number} */
export const change = (array, index, next) => set(array, index, next(get(array, index)));

/** @param {any} array @param {number} index @param {number} by @param {boolean} isDown @returns {number} */
export const bump = (array, index, by, isDown) => set(array, index, get(array, index) + (isDown ? -by : by));

/** @param {any} array @param {number} index @param {number} by @param {boolean} isDown @returns {number} */
export function bumpAfter(array, index, by, isDown) {
  const before = get(array, index);
  set(array, index, before + (isDown ? -by : by));
  return before;
}

/** @param {string} name @param {...any} given @returns {any} */
export function atomic(name, ...given) {
  if (name === 'load') loadStep();
  else step();
  return /** @type {any} */ (Atomics)[name](...given);
}

const WRITES = /^(?:set|fill|copy|write|(?:utf8|latin1|ascii|hex|base64)Write)/;

/** @param {any} array @param {string} name @param {any[]} given @returns {any} */
export function method(array, name, given) {
  const isWritten = WRITES.test(name) && isShared(name === 'copy' ? given[0] : array);
  if (isWritten) {
    step();
    if (life.count >= life.limit) writeHalf(array, name, given);
    step();
  } else if (isShared(array) || given.some(isShared)) loadStep();
  return array[name](...given);
}

/** Death comes in the middle of it. @param {any} array @param {string} name @param {any[]} given */
function writeHalf(array, name, given) {
  if (name === 'set') array.set(given[0].subarray(0, given[0].length >> 1), given[1]);
  if (name !== 'fill') return;
  const [value, start = 0, end = array.length] = given;
  array.fill(value, start, (start + end) >> 1);
}

/** @param {string} name @param {any} f @param {unknown} owner @param {any[]} given @returns {any} */
export function system(name, f, owner, given) {
  step();
  const result = f.apply(owner, given);
  if (name === 'openSync') held.fds.add(result);
  else if (name === 'createSegment') held.fds.add(result.fd);
  else if (name === 'closeSync') held.fds.delete(given[0]);
  else if (name === 'watchDoorbell') {
    held.fds.delete(given[0]);
    held.bells.add(result);
  }
  return result;
}

/** What a dead one had planned does not happen. @param {(...given: any[]) => void} callback */
export function later(callback) {
  const { number } = life;
  return (/** @type {any[]} */ ...given) => {
    if (life.isDead || number !== life.number) return;
    try {
      callback(...given);
    } catch (error) {
      if (!(error instanceof Death)) throw error;
    }
  };
}
