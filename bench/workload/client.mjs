/**
 * A client process: connects to one peer and does what it is ordered, one order at a time. Plans are made before the
 * clock runs. Ends when the benchmark does.
 */
import { setImmediate, setTimeout as delay } from 'node:timers/promises';

import { peerOf } from '../peers/all.mjs';
import { can, loops } from './loops.mjs';
import { LANES, Plan } from './plan.mjs';
import { keyOf, Values } from './values.mjs';

/** @import { Kind, Load, Store, Value } from '../peers/peer.mjs' */
/** @import { Mode, Workload } from './plan.mjs' */

/** @typedef {{ order: 'connect', peer: string, address: string, kind: Kind, load: Load }} ConnectOrder */
/** @typedef {{ order: 'load', kind: Kind, valueBytes: number, from: number, to: number }} LoadOrder */
/** @typedef {{ order: 'run', workload: Workload, seed: number, startAt: number, ms: number, timedMs: number }} RunOrder */
/** @typedef {{ order: 'close' }} CloseOrder */
/** @typedef {ConnectOrder | LoadOrder | RunOrder | CloseOrder} Order */
/**
 * @typedef {object} RunResult
 * @property {number} ops of the part that is not timed one by one
 * @property {number} elapsedMs of that part
 * @property {number} allOps of both parts
 * @property {number} cpuMicros this process's, for both parts
 * @property {number} wrong values read
 * @property {Float32Array} timesMs of each operation, or batch, of the timed part
 */

/** A stretch between two looks at the clock. */
const STRETCH_MS = 4;
const LOAD_BATCH = 512;
const MAX_SAMPLES = 150_000;
const READ_BACK = 50;

/** @type {Store | undefined} */
let store;
/** The plan of the last run: rounds of one workload share it. */
let planText = '';
/** @type {Plan | undefined} */
let lastPlan;

function connected() {
  if (store === undefined) throw new Error('not connected');
  return store;
}

/** @param {RunOrder} order */
function planOf({ workload, seed }) {
  const text = JSON.stringify([workload, seed]);
  if (lastPlan === undefined || text !== planText) {
    lastPlan = new Plan(workload, seed);
    planText = text;
  }
  return lastPlan;
}

/** Where a client is in its plan. */
class Walk {
  ops = 0;
  elapsedMs = 0;
  wrong = 0;
  #step = 0;
  #stretch = LANES;

  /**
   * @param {Plan} plan
   * @param {Mode} mode
   */
  constructor(plan, mode) {
    this.plan = plan;
    this.mode = mode;
  }

  /**
   * Goes on for about so long, in stretches.
   * @param {number} ms
   * @param {number[]} [times]
   */
  async go(ms, times) {
    const until = performance.now() + ms;
    for (let isDone = false; !isDone;) {
      const from = this.#step;
      const to = Math.min(this.plan.length, from + this.#stretch);
      const startedAt = performance.now();
      this.wrong += await loops[this.mode](connected(), this.plan, from, to, times);
      const elapsedMs = performance.now() - startedAt;
      this.ops += to - from;
      this.elapsedMs += elapsedMs;
      if (elapsedMs < STRETCH_MS / 2) this.#stretch *= 2;
      this.#step = to === this.plan.length ? 0 : to;
      // Blocking loops never give way by themselves.
      await setImmediate();
      isDone = performance.now() >= until || (times?.length ?? 0) >= MAX_SAMPLES;
    }
  }

  /** The last values written must be there. @returns how many are not */
  async countLost() {
    const { keys, values, length } = this.plan;
    const seen = new Set();
    let lost = 0;
    for (let back = 1; back <= Math.min(READ_BACK, this.ops, length); back++) {
      const step = (this.#step - back + length) % length;
      const value = values[step];
      if (value === undefined || seen.has(keys[step])) continue;
      seen.add(keys[step]);
      const found = await connected().get(keys[step]);
      const isSame = typeof value === 'string' ? found === value : Buffer.isBuffer(found) && value.equals(found);
      if (!isSame) lost++;
    }
    return lost;
  }
}

/** @param {RunOrder} order @returns {Promise<RunResult>} */
async function run(order) {
  const { ms, timedMs, startAt, workload } = order;
  const plan = planOf(order);
  globalThis.gc?.({ type: 'minor' });
  const walk = new Walk(plan, workload.mode);
  const waitMs = startAt - Date.now();
  if (waitMs > 0) await delay(waitMs);
  const cpu = process.cpuUsage();
  await walk.go(ms);
  const { ops, elapsedMs } = walk;
  /** @type {number[]} */
  const times = [];
  await walk.go(timedMs, times);
  const { user, system } = process.cpuUsage(cpu);
  const isAlone = startAt === 0;
  const lost = isAlone ? await walk.countLost() : 0;
  const timesMs = Float32Array.from(times);
  return { ops, elapsedMs, allOps: walk.ops, cpuMicros: user + system, wrong: walk.wrong + lost, timesMs };
}

/** Writes every key of a range. @param {LoadOrder} order */
async function load({ kind, valueBytes, from, to }) {
  const values = new Values(kind, valueBytes);
  const { mset } = connected();
  if (mset === undefined) throw new Error('the peer has no mset to load with');
  const batch = Math.max(1, Math.min(LOAD_BATCH, Math.floor((4 * 2 ** 20) / valueBytes)));
  for (let first = from; first < to; first += batch) {
    /** @type {[string, Value][]} */
    const entries = [];
    for (let i = first; i < Math.min(to, first + batch); i++) entries.push([keyOf(i), values.make(keyOf(i), i)]);
    await mset.call(store, entries);
  }
}

/** @param {Order} order @returns {Promise<unknown>} */
async function obey(order) {
  if (order.order === 'run') return run(order);
  if (order.order === 'load') return load(order);
  if (order.order === 'connect') {
    store = await peerOf(order.peer).connect(order.address, order.kind, order.load);
    const modes = /** @type {Mode[]} */ (Object.keys(loops));
    return modes.filter((mode) => can[mode](connected()));
  }
  await store?.close();
  return undefined;
}

process.on('message', (/** @type {Order} */ order) => {
  if (order.order === undefined) return;
  obey(order).then(
    (result) => process.send?.({ result }),
    (error) => process.send?.({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
process.on('disconnect', () => process.exit(0));
