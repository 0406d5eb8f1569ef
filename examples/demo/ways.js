/** The three ways to make many calls: one blocking call after the other, many in flight, and in batches. */
import { performance } from 'node:perf_hooks';

/** Calls that one client has in flight. */
export const IN_FLIGHT = 128;
/** Keys per batch, and batches in flight. */
const BATCH_KEYS = 250;
const BATCHES_IN_FLIGHT = 2;

const LONGEST_NS = 2 ** 32 - 1;

/** Counts calls and keeps how long each took. */
export class Meter {
  operations = 0;
  /** @type {number[]} in nanoseconds */
  #latencies = [];
  /** @type {(operations: number) => void} */
  #onCount;

  /** @param {(operations: number) => void} onCount called after each call with the number of operations so far */
  constructor(onCount) {
    this.#onCount = onCount;
  }

  /**
   * @param {number} startedAt
   * @param {number} operations that the call stood for
   */
  add(startedAt, operations) {
    this.#latencies.push(Math.min(LONGEST_NS, Math.round((performance.now() - startedAt) * 1e6)));
    this.count(operations);
  }

  /** Counts without a latency. */
  count(operations = 1) {
    this.operations += operations;
    this.#onCount(this.operations);
  }

  get latencies() {
    return Uint32Array.from(this.#latencies);
  }
}

/**
 * @param {Meter} meter
 * @param {Iterable<number>} items
 * @param {(item: number) => void} call
 */
export function oneByOne(meter, items, call) {
  for (const item of items) {
    const startedAt = performance.now();
    call(item);
    meter.add(startedAt, 1);
  }
}

/**
 * @param {Meter} meter
 * @param {Iterable<number>} items
 * @param {(item: number) => Promise<void>} call
 */
export const manyInFlight = (meter, items, call) => inLanes(meter, IN_FLIGHT, items, () => 1, call);

/**
 * @param {Meter} meter
 * @param {readonly number[]} items
 * @param {(items: readonly number[]) => Promise<void>} call
 */
export const inBatches = (meter, items, call) =>
  inLanes(meter, BATCHES_IN_FLIGHT, batchesOf(items), (batch) => batch.length, call);

/**
 * Each lane makes one call at a time and takes its next item from those that are left for all.
 * @template T
 * @param {Meter} meter
 * @param {number} lanes
 * @param {Iterable<T>} items
 * @param {(item: T) => number} operationsOf
 * @param {(item: T) => Promise<void>} call
 */
async function inLanes(meter, lanes, items, operationsOf, call) {
  const left = items[Symbol.iterator]();
  const lane = async () => {
    for (let next = left.next(); next.done !== true; next = left.next()) {
      const startedAt = performance.now();
      await call(next.value);
      meter.add(startedAt, operationsOf(next.value));
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
}

/** @param {readonly number[]} items */
function* batchesOf(items) {
  for (let start = 0; start < items.length; start += BATCH_KEYS) yield items.slice(start, start + BATCH_KEYS);
}
