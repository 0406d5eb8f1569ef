/**
 * Requests that were put back because their answers found no room, until they are tried again: one of each client at a
 * time, the next one as soon as this worker has found room for one, else after a quarter of what its client has waited for.
 * So a client that takes nothing keeps no worker busy, whatever it has asked for.
 * Private to one worker; what one takes with it when it dies the sweeper finds.
 */
import { performance } from 'node:perf_hooks';

import { ownerOf } from '../exchange/slot-word.js';
import type { SlotTable } from '../exchange/slot-table.js';
import type { TaskQueue } from '../exchange/task-queue.js';

const MIN_PAUSE_MS = 1;
const MAX_PAUSE_MS = 50;
/** Share of what a client has waited for so far. */
const PAUSE_SHARE = 1 / 4;

/** What one client waits for. */
interface Waiting {
  /** In their turn. Some may have been answered or withdrawn since. */
  readonly slots: Set<number>;
  /** Since when none of them has found room. */
  sinceMs: number;
  dueMs: number;
}

export class Retries {
  readonly #queue: TaskQueue;
  readonly #table: SlotTable;
  readonly #now: () => number;
  readonly #clients = new Map<number, Waiting>();
  /** By slot: the word (SUBMITTED) of the request that was put back last. */
  readonly #words: Int32Array;
  #nextMs = Infinity;

  /** @param now in milliseconds */
  constructor(queue: TaskQueue, table: SlotTable, now = () => performance.now()) {
    this.#queue = queue;
    this.#table = table;
    this.#now = now;
    this.#words = new Int32Array(table.count);
  }

  get isAny(): boolean {
    return this.#clients.size > 0;
  }

  /** Requests that wait, and some that did. */
  get size(): number {
    let size = 0;
    for (const { slots } of this.#clients.values()) size += slots.size;
    return size;
  }

  /** @param word of the slot, SUBMITTED */
  add(slot: number, word: number): void {
    const client = ownerOf(word);
    const now = this.#now();
    let waiting = this.#clients.get(client);
    if (waiting === undefined) {
      waiting = { slots: new Set(), sinceMs: now, dueMs: Infinity };
      this.#clients.set(client, waiting);
    }
    this.#words[slot] = word;
    // What is there already was tried by somebody else's hint: it keeps its turn.
    waiting.slots.add(slot);
    const pause = (now - waiting.sinceMs) * PAUSE_SHARE;
    // Whatever else comes, what waits is not put off by it.
    this.#setDue(waiting, Math.min(waiting.dueMs, now + Math.min(Math.max(pause, MIN_PAUSE_MS), MAX_PAUSE_MS)));
  }

  /** An answer to the client has found room: perhaps there is some for the next one. */
  roomFor(client: number): void {
    const waiting = this.#clients.get(client);
    if (waiting === undefined) return;
    const now = this.#now();
    waiting.sinceMs = now;
    this.#queueNext(client, waiting, now);
  }

  /** Queues what is due. */
  enqueueDue(): void {
    if (this.#clients.size === 0) return;
    const now = this.#now();
    if (now < this.#nextMs) return;
    this.#nextMs = Infinity;
    for (const [client, waiting] of this.#clients) {
      if (waiting.dueMs <= now) this.#queueNext(client, waiting, now);
      else this.#setDue(waiting, waiting.dueMs);
    }
  }

  /** Infinity: none waits. */
  msUntilDue(): number {
    return this.#clients.size === 0 ? Infinity : this.#nextMs - this.#now();
  }

  /** Queues the client's next request that still waits. Another worker may take it, which says nothing here. */
  #queueNext(client: number, waiting: Waiting, now: number): void {
    for (const slot of waiting.slots) {
      const word = this.#words[slot];
      const isThere = ownerOf(word) === client && this.#table.submitted(slot) === word;
      if (isThere && !this.#queue.enqueue(slot)) return this.#setDue(waiting, now + MIN_PAUSE_MS);
      waiting.slots.delete(slot);
      if (isThere) return this.#setDue(waiting, now + MAX_PAUSE_MS);
    }
    this.#clients.delete(client);
  }

  #setDue(waiting: Waiting, dueMs: number): void {
    waiting.dueMs = dueMs;
    this.#nextMs = Math.min(this.#nextMs, dueMs);
  }
}
