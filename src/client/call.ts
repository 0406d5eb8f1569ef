/** One request of a client, from the moment it is asked for until its promise is settled. */
import type { Codec } from '../codec/codec.js';
import type { Operation } from '../operation/operation.js';

/**
 * queued: not yet in shared memory. submitted: in a slot, perhaps executing.
 * fulfilled, rejected: settled.
 */
export type CallState = 'queued' | 'submitted' | 'fulfilled' | 'rejected';

/** An item of a batch: mget and mdel leave the value empty. */
export class BatchItem {
  readonly key: string | Uint8Array;
  readonly value: string | Uint8Array;

  constructor(key: string | Uint8Array, value: string | Uint8Array) {
    this.key = key;
    this.value = value;
  }
}

export class Call<R = unknown> {
  readonly operation: Operation<R>;
  readonly codec: Codec<unknown>;
  /** '' for operations on no key. */
  key: string | Uint8Array = '';
  value: string | Uint8Array = '';
  /** In place of key and value, for batches. */
  items: readonly BatchItem[] | undefined;
  /** What the items take up in a request if all their text is ASCII. */
  itemUnits = 0;
  /** Whether its text has not been found to be anything else. */
  mayBeAscii = true;
  argument = 0;
  /** As in Slot.expiresAt. */
  expiresAt = 0;
  readonly timeoutMs: number;
  /** performance.now() after which nobody waits any more; 0: not known yet, see startClock(). */
  deadline = 0;
  isAsync = false;
  state: CallState = 'queued';

  /** Ordering classes of its key or keys (ordering.ts); -1: of none. */
  keyClass = -1;
  keyClasses: Int32Array | undefined;
  /** Whether later calls know of it. */
  isOrdered = false;

  /** Where it is while submitted. `word` is the slot's word as it was submitted. */
  slot = -1;
  word = 0;
  use = -1;
  /** The use that it comes after, -1: none. What its slot says of that is for the server: others can write there. */
  after = -1;
  /** First chunk of the request's extent, -1: inline. */
  extent = -1;
  extentChunks = 0;

  /** Called once, when the promise of an asynchronous call is settled. */
  onFulfilled: (result: unknown) => void = ignore;
  onRejected: (error: Error) => void = ignore;
  /** A follow-up, decided in the same instant in which the result is known; see batch.ts. */
  next: ((result: unknown) => Call | undefined) | undefined;
  /** The latest follow-up, once there is one. */
  followUp: Call | undefined;

  constructor(operation: Operation<R>, codec: Codec<unknown>, timeoutMs: number) {
    this.operation = operation;
    this.codec = codec;
    this.timeoutMs = timeoutMs;
  }

  /** Most calls are answered before anyone has to look at a clock, which costs as much as a tenth of a call. */
  startClock(now: number): void {
    if (this.deadline === 0) this.deadline = now + this.timeoutMs;
  }

  get isSettled(): boolean {
    return this.state === 'fulfilled' || this.state === 'rejected';
  }
}

const ignore = (): void => {};
