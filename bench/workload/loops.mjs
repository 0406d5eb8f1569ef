/**
 * The measured loops, the same for every peer: steps `from` to `to` of a plan. With `times`, each operation's duration
 * in milliseconds is noted there. Each returns the number of wrong values.
 */
import { LANES } from './plan.mjs';

/** @import { Batch, Store, Value } from '../peers/peer.mjs' */
/** @import { Mode, Plan } from './plan.mjs' */

/** @typedef {(store: Store, plan: Plan, from: number, to: number, times?: number[]) => Promise<number>} AsyncLoop */
/** @typedef {(store: Store, plan: Plan, from: number, to: number, times?: number[]) => number} BlockingLoop */

/** @type {AsyncLoop} */
async function awaited(store, { keys, values, check }, from, to, times) {
  let wrong = 0;
  for (let step = from; step < to; step++) {
    const startedAt = times === undefined ? 0 : performance.now();
    const value = values[step];
    const found = value === undefined ? await store.get(keys[step]) : void (await store.set(keys[step], value));
    if (times !== undefined) times.push(performance.now() - startedAt);
    if (value === undefined && !check.isRight(found, keys[step])) wrong++;
  }
  return wrong;
}

/** @type {AsyncLoop} */
async function inFlight(store, plan, from, to, times) {
  const { keys, values, check } = plan;
  const calls = store.inFlight ?? store;
  let next = from;
  let wrong = 0;
  const lane = async () => {
    while (next < to) {
      const step = next++;
      const startedAt = times === undefined ? 0 : performance.now();
      const value = values[step];
      const found = value === undefined ? await calls.get(keys[step]) : void (await calls.set(keys[step], value));
      if (times !== undefined) times.push(performance.now() - startedAt);
      if (value === undefined && !check.isRight(found, keys[step])) wrong++;
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return wrong;
}

/** @type {BlockingLoop} */
function blocking({ getSync, setSync }, { keys, values, check }, from, to, times) {
  if (getSync === undefined || setSync === undefined) throw new Error('the peer has no blocking calls');
  let wrong = 0;
  for (let step = from; step < to; step++) {
    const startedAt = times === undefined ? 0 : performance.now();
    const value = values[step];
    const found = value === undefined ? getSync(keys[step]) : void setSync(keys[step], value);
    if (times !== undefined) times.push(performance.now() - startedAt);
    if (value === undefined && !check.isRight(found, keys[step])) wrong++;
  }
  return wrong;
}

const clock = new Int32Array(new SharedArrayBuffer(4));
const PACE_MS = 2;

/** Blocking writes, each after a pause in which the server falls asleep. @type {BlockingLoop} */
function paced({ setSync }, { keys, values }, from, to, times) {
  if (setSync === undefined) throw new Error('the peer has no blocking calls');
  for (let step = from; step < to; step++) {
    Atomics.wait(clock, 0, 0, PACE_MS);
    const startedAt = performance.now();
    setSync(keys[step], /** @type {Value} */ (values[step]));
    times?.push(performance.now() - startedAt);
  }
  return 0;
}

/** Batches of 64; a duration is that of a whole batch. @type {AsyncLoop} */
async function batch(store, { keys, values, check }, from, to, times) {
  if (store.mget === undefined || store.mset === undefined) throw new Error('the peer has no batches');
  let wrong = 0;
  for (let step = from; step < to; step += LANES) {
    const startedAt = times === undefined ? 0 : performance.now();
    const someKeys = keys.slice(step, step + LANES);
    /** @type {Batch} */
    let found = [];
    if (values[step] === undefined) found = await store.mget(someKeys);
    else await store.mset(someKeys.map((key, i) => [key, /** @type {Value} */ (values[step + i])]));
    if (times !== undefined) times.push(performance.now() - startedAt);
    if (values[step] !== undefined) continue;
    for (let i = 0; i < someKeys.length; i++) if (!check.isRight(found[i], someKeys[i])) wrong++;
  }
  return wrong;
}

/** @type {BlockingLoop} */
function view(store, { keys, check }, from, to, times) {
  if (store.view === undefined) throw new Error('the peer has no views');
  let wrong = 0;
  for (let step = from; step < to; step++) {
    const startedAt = times === undefined ? 0 : performance.now();
    const { bytes, release } = store.view(keys[step]);
    if (times !== undefined) times.push(performance.now() - startedAt);
    if (!check.isRight(bytes, keys[step])) wrong++;
    release();
  }
  return wrong;
}

/** @type {AsyncLoop} */
async function into(store, { keys, check, workload }, from, to, times) {
  if (store.into === undefined) throw new Error('the peer cannot copy into a buffer');
  const target = Buffer.alloc(workload.valueBytes);
  let wrong = 0;
  for (let step = from; step < to; step++) {
    const startedAt = times === undefined ? 0 : performance.now();
    await store.into(keys[step], target);
    if (times !== undefined) times.push(performance.now() - startedAt);
    if (!check.isRight(target, keys[step])) wrong++;
  }
  return wrong;
}

/** @type {Record<Mode, AsyncLoop | BlockingLoop>} */
export const loops = { awaited, 'in flight': inFlight, blocking, batch, paced, view, into };

/**
 * Whether a peer can do it at all, and not in the same way as another mode.
 * @type {Record<Mode, (store: Store) => boolean>}
 */
export const can = {
  awaited: () => true,
  'in flight': (store) => store.isPipelined,
  blocking: (store) => store.getSync !== undefined,
  paced: (store) => store.setSync !== undefined,
  batch: (store) => store.mget !== undefined,
  view: (store) => store.view !== undefined,
  into: (store) => store.into !== undefined,
};
