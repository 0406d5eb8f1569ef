/** What the caller's own bytes cost a call that has to be queued: they may change afterwards, so they are copied. */
import { lengthOf, ownCopy } from '../codec/given-bytes.js';
import { LONG_LOOK_MS } from '../exchange/spin-budget.js';
import { BatchItem, type Call } from './call.js';

/** From so many bytes on a copy takes longer than a worker needs to make room. */
const MIN_BYTES = 64 * 1024;
/** Into memory that is fresh, with its page faults. */
const COPIED_PER_MS = 4_000_000;
const MAX_WAIT_MS = 1;

/** Replaces them by copies; text stays as it is. */
export function copyGiven(call: Call): void {
  call.value = ownCopy(call.value);
  call.key = ownCopy(call.key);
  call.items = call.items?.map(({ key, value }) => new BatchItem(ownCopy(key), ownCopy(value)));
}

/**
 * How long it is worth to wait for room before they are copied: as long as that takes, which costs twice the best possible
 * at most (Karlin et al., 1991). 0: not at all.
 */
export function worthWaitingMs({ value, items }: Call): number {
  let bytes = givenBytes(value);
  if (items !== undefined) for (const item of items) bytes += givenBytes(item.value);
  // On a single CPU, whoever makes room needs it.
  return bytes < MIN_BYTES || LONG_LOOK_MS === 0 ? 0 : Math.min(bytes / COPIED_PER_MS, MAX_WAIT_MS);
}

const givenBytes = (data: string | Uint8Array): number => (typeof data === 'string' ? 0 : lengthOf(data));
