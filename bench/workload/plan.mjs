/** What a client will do, made before anything is measured: keys, values and whether each step reads or writes. */
import { randomFrom, uniform, zipfian } from './random.mjs';
import { keyOf, Values } from './values.mjs';

/** @import { Kind, Value } from '../peers/peer.mjs' */

/** @typedef {'awaited' | 'in flight' | 'blocking' | 'batch' | 'paced' | 'view' | 'into'} Mode */
/**
 * @typedef {object} Workload
 * @property {Mode} mode
 * @property {number} writeShare from 0, all reads, to 1, all writes
 * @property {'uniform' | 'zipfian'} keys
 * @property {number} keyCount
 * @property {number} valueBytes
 * @property {Kind} kind
 */

/** Steps of a plan; a client that comes to the end starts again. */
const STEPS = 131_072;
/** Bytes of the values a plan may hold. */
const PLAN_BYTES = 24 * 2 ** 20;
const MIN_STEPS = 64;
export const LANES = 64;

export class Plan {
  /** @type {string[]} */
  keys = [];
  /** Written where there is one, else the key is read. @type {(Value | undefined)[]} */
  values = [];
  check;
  workload;

  /**
   * @param {Workload} workload
   * @param {number} seed
   */
  constructor(workload, seed) {
    const { kind, valueBytes, keyCount, writeShare } = workload;
    this.workload = workload;
    this.check = new Values(kind, valueBytes);
    const random = randomFrom(seed);
    const draw = workload.keys === 'zipfian' ? zipfian(keyCount, random) : uniform(keyCount, random);
    for (let step = 0; step < stepsOf(workload); step++) {
      const key = keyOf(draw());
      this.keys.push(key);
      this.values.push(random() < writeShare ? this.check.make(key, seed + step) : undefined);
    }
  }

  /** Steps; a multiple of the lanes, so that batches never straddle the end. */
  get length() {
    return this.keys.length;
  }
}

/** @param {Workload} workload */
function stepsOf({ valueBytes, writeShare }) {
  const byBytes = writeShare === 0 ? STEPS : Math.floor(PLAN_BYTES / (valueBytes * writeShare));
  return Math.max(MIN_STEPS, Math.floor(Math.min(STEPS, byBytes) / LANES) * LANES);
}
