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
  /** Each life has its number: timers of an earlier one do nothing. */
  number: 0,
  /** Whether loads count: between two writes memory stays as it is. */
  countsLoads: process.env['KVS_CRASH_WRITES'] === undefined,
};

let end = (): void => {
  throw new Death('dead');
};

/** From now on a death is one of the whole process. */
export function liveUntilKilled(limit: number): void {
  end = () => {
    process.kill(process.pid, 'SIGKILL');
    for (;;);
  };
  Object.assign(life, { count: 0, limit });
}

// Worker threads of a server are told by the environment.
const inWorker = process.env['KVS_CRASH_WORKER'];
if (!isMainThread && inWorker !== undefined) liveUntilKilled(Number(inWorker));

interface Closable {
  close(): void;
}

/** What the kernel takes back from a dead process. */
export const held = { fds: new Set<number>(), bells: new Set<Closable>() };

function step(): void {
  if (life.isDead) throw new Death('dead');
  if (life.count++ < life.limit) return;
  life.isDead = true;
  end();
}

function loadStep(): void {
  if (life.countsLoads || life.isDead) step();
}

type Elements = Int32Array | Float64Array | Uint8Array;
const isShared = (array: unknown): boolean => ArrayBuffer.isView(array) && array.buffer instanceof SharedArrayBuffer;

export function get(array: Elements, index: number): number {
  if (isShared(array)) loadStep();
  return array[index];
}

export function set(array: Elements, index: number, value: number): number {
  if (isShared(array)) step();
  return (array[index] = value);
}

export const change = (array: Elements, index: number, next: (before: number) => number): number =>
  set(array, index, next(get(array, index)));

export const bump = (array: Elements, index: number, by: number): number => set(array, index, get(array, index) + by);

export function bumpAfter(array: Elements, index: number, by: number): number {
  const before = get(array, index);
  set(array, index, before + by);
  return before;
}

type AnyMethod = (...given: unknown[]) => unknown;

export function atomic(name: string, ...given: unknown[]): unknown {
  if (name === 'load') loadStep();
  else step();
  return (Atomics as unknown as Record<string, AnyMethod>)[name](...given);
}

const WRITES = /^(?:set|fill|copy|write|(?:utf8|latin1|ascii|hex|base64)Write)/;

export function method(array: Elements, name: string, given: unknown[]): unknown {
  const isWritten = WRITES.test(name) && isShared(name === 'copy' ? given[0] : array);
  if (isWritten) {
    step();
    if (life.count >= life.limit) writeHalf(array, name, given);
    step();
  } else if (isShared(array) || given.some(isShared)) loadStep();
  return (array as unknown as Record<string, AnyMethod>)[name](...given);
}

/** Death comes in the middle of it. */
function writeHalf(array: Elements, name: string, given: unknown[]): void {
  if (name === 'set') {
    const [source, offset] = given as [Elements, number | undefined];
    array.set(source.subarray(0, source.length >> 1), offset);
  } else if (name === 'fill') {
    const [value, first = 0, last = array.length] = given as [number, number?, number?];
    array.fill(value, first, (first + last) >> 1);
  }
}

export function system(name: string, call: AnyMethod, owner: unknown, given: unknown[]): unknown {
  step();
  const result = Reflect.apply(call, owner, given);
  if (name === 'openSync') held.fds.add(result as number);
  else if (name === 'createSegment') held.fds.add((result as { fd: number }).fd);
  else if (name === 'closeSync' || name === 'closeSegment') held.fds.delete(given[0] as number);
  else if (name === 'watchDoorbell') held.bells.add(result as Closable);
  return result;
}

/** What a dead one had planned does not happen. */
export function later(callback: AnyMethod): AnyMethod {
  const { number } = life;
  return (...given) => {
    if (life.isDead || number !== life.number) return;
    try {
      callback(...given);
    } catch (error) {
      if (!(error instanceof Death)) throw error;
    }
  };
}
