/**
 * Operations on many keys: cut into parts that each fit one hand-off, all of them handed over at once. Parts take
 * effect one by one; a batch is not a transaction.
 *
 * What holds items or values of one batch is not made by a literal: where the same literal has made many arrays or objects
 * that lived on, in large batches for example, V8 puts all later ones where only a full collection frees them, with all
 * that they refer to.
 */
import { performance } from 'node:perf_hooks';

import { itemBytes } from '../codec/batch.js';
import type { Codec } from '../codec/codec.js';
import { ownCopy, unitsOf } from '../codec/given-bytes.js';
import { KvsError, type KvsErrorCode } from '../errors.js';
import { mdel } from '../operation/mdel.js';
import { mget } from '../operation/mget.js';
import { mset } from '../operation/mset.js';
import type { Operation } from '../operation/operation.js';
import { BatchItem, Call } from './call.js';

/** So many parts keep a worker busy with one while the client writes the next; no part is smaller or larger than this. */
const USUAL_PARTS = 4;
const MIN_PART_ITEMS = 16;
const MAX_PART_ITEMS = 1024;
/** A part ends before it has more characters and bytes than this, unless a single item has: at most 128 KiB of text. */
const PART_UNITS = Math.floor((128 * 1024) / 3);

const CALLED_BACK = new Set<KvsErrorCode>([
  'ERR_KVS_TIMEOUT',
  'ERR_KVS_ABORTED',
  'ERR_KVS_SERVER_GONE',
  'ERR_KVS_CLOSED',
  'ERR_KVS_EXPELLED',
]);

/** The calls of one batch, and what their results come to. */
export class Batch<R> {
  readonly calls: readonly Call[];
  readonly #combine: (results: unknown[]) => R;

  constructor(calls: readonly Call[], combine: (results: unknown[]) => R) {
    this.calls = calls;
    this.#combine = combine;
  }

  /** All parts have the same deadline. */
  startClock(now: number): void {
    for (const call of this.calls) call.startClock(now);
  }

  /** @param results of the calls, in their order */
  combine(results: unknown[]): R {
    return this.#combine(results);
  }

  /** What a failure of one part means for the whole: for a single item, or a call that has none, just that. */
  failure(cause: Error): Error {
    if (this.calls.length === 1 && (this.calls[0].items?.length ?? 1) === 1) return cause;
    if (!(cause instanceof KvsError) || cause.executed === undefined) return cause;
    // The only hand-off was called back before a worker saw it.
    if (this.calls.length === 1 && cause.executed === 'no' && CALLED_BACK.has(cause.code)) return cause;
    const message = `${cause.message} (of a batch: other items may have taken effect)`;
    return new KvsError(cause.code, message, { cause, executed: 'unknown' });
  }
}

/** @param expiresAt as in Slot.expiresAt */
export function msetBatch(
  codec: Codec<unknown>,
  items: readonly BatchItem[],
  timeoutMs: number,
  expiresAt: number,
): Batch<true> {
  const calls = partsOf(mset, codec, items, timeoutMs);
  for (const call of calls) call.expiresAt = expiresAt;
  return new Batch(calls, () => true);
}

export function mdelBatch(
  codec: Codec<unknown>,
  keys: readonly (string | Uint8Array)[],
  timeoutMs: number,
): Batch<number> {
  const calls = partsOf(mdel, codec, keys.map(itemOfKey), timeoutMs);
  return new Batch(calls, (counts) => (counts as number[]).reduce((sum, count) => sum + count, 0));
}

/** A part whose values do not fit one answer asks again for those that are missing. */
export function mgetBatch<V>(
  codec: Codec<V>,
  keys: readonly (string | Uint8Array)[],
  timeoutMs: number,
): Batch<(V | undefined)[]> {
  // A part may be asked for again after the caller has changed the bytes.
  const items = keys.map((key) => itemOfKey(ownCopy(key)));
  const calls = partsOf(mget, codec as Codec<unknown>, items, timeoutMs);
  const values = calls.map((call) => collectValues(call));
  return new Batch(calls, () => values.flat() as (V | undefined)[]);
}

/** @returns the array that the part's values come to stand in */
function collectValues(call: Call<unknown[]>): unknown[] {
  const { items = [] } = call;
  const values = items.map((): unknown => undefined);
  let count = 0;
  const next = (answer: unknown): Call | undefined => {
    const result = answer as unknown[];
    if (result.length === 0 || count + result.length > items.length)
      throw new KvsError('ERR_KVS_BAD_REQUEST', 'the answer to a batch was overwritten by another process', {
        executed: 'unknown',
      });
    for (const value of result) values[count++] = value;
    if (count === items.length) return undefined;
    const rest = new Call(call.operation, call.codec, call.timeoutMs);
    call.startClock(performance.now());
    rest.deadline = call.deadline;
    rest.items = items.slice(count);
    rest.itemUnits = call.itemUnits;
    rest.next = next;
    rest.onFulfilled = call.onFulfilled;
    rest.onRejected = call.onRejected;
    call.followUp = rest;
    return rest;
  };
  call.next = next;
  return values;
}

const itemOfKey = (key: string | Uint8Array): BatchItem => new BatchItem(key, '');

const partsOf = <R>(
  operation: Operation<R, never>,
  codec: Codec<unknown>,
  items: readonly BatchItem[],
  timeoutMs: number,
): Call<R>[] => Array.from(eachPartOf(operation, codec, items, timeoutMs));

function* eachPartOf<R>(
  operation: Operation<R, never>,
  codec: Codec<unknown>,
  items: readonly BatchItem[],
  timeoutMs: number,
): Iterable<Call<R>> {
  const maxItems = Math.min(MAX_PART_ITEMS, Math.max(MIN_PART_ITEMS, Math.ceil(items.length / USUAL_PARTS)));
  let start = 0;
  let units = 0;
  for (let index = 0; index < items.length; index++) {
    const { key, value } = items[index];
    const size = itemBytes(unitsOf(key), unitsOf(value));
    if (index > start && (index - start >= maxItems || units + size > PART_UNITS)) {
      yield partOf(operation, codec, items.slice(start, index), units, timeoutMs);
      start = index;
      units = 0;
    }
    units += size;
  }
  if (start < items.length) yield partOf(operation, codec, items.slice(start), units, timeoutMs);
}

function partOf<R>(
  operation: Operation<R, never>,
  codec: Codec<unknown>,
  items: readonly BatchItem[],
  units: number,
  timeoutMs: number,
): Call<R> {
  const call = new Call(operation, codec, timeoutMs);
  call.items = items;
  call.itemUnits = units;
  return call;
}
