/**
 * Requests that were put back because their answers found no room, until they are tried again: one of each client at a
 * time, the next one as soon as that has found room, else after a quarter of what its client has waited for. So a client
 * that takes nothing keeps no worker busy, whatever it has asked for.
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

interface Request {
  readonly slot: number;
  /** SUBMITTED. */
  readonly word: number;
}

/** The requests of one client, the one that is tried next first. */
interface Waiting {
  readonly requests: Request[];
  /** Since when none of them has found room. */
  sinceMs: number;
  dueMs: number;
}

export class Retries {
  readonly #queue: TaskQueue;
  readonly #table: SlotTable;
  readonly #now: () => number;
  readonly #clients = new Map<number, Waiting>();
  /** By slot: the word of the request that waits here; 0: none. */
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

  /** @param word of the slot, SUBMITTED */
  add(slot: number, word: number): void {
    const client = ownerOf(word);
    const now = this.#now();
    const waiting = this.#clients.get(client) ?? { requests: [], sinceMs: now, dueMs: 0 };
    this.#clients.set(client, waiting);
    // Tried by somebody else's hint: it keeps its turn.
    if (this.#words[slot] === word) return;
    this.#words[slot] = word;
    waiting.requests.push({ slot, word });
    const pause = (now - waiting.sinceMs) * PAUSE_SHARE;
    this.#setDue(waiting, now + Math.min(Math.max(pause, MIN_PAUSE_MS), MAX_PAUSE_MS));
  }

  /** An answer to the client has found room: perhaps there is some for the next one. */
  roomFor(client: number): void {
    const waiting = this.#clients.get(client);
    if (waiting === undefined) return;
    const now = this.#now();
    waiting.sinceMs = now;
    this.#try(client, waiting, now);
  }

  /** Queues what is due. */
  enqueueDue(): void {
    if (this.#clients.size === 0) return;
    const now = this.#now();
    if (now < this.#nextMs) return;
    this.#nextMs = Infinity;
    for (const [client, waiting] of this.#clients) {
      if (waiting.dueMs <= now) this.#try(client, waiting, now);
      else this.#setDue(waiting, waiting.dueMs);
    }
  }

  /** Infinity: none waits. */
  msUntilDue(): number {
    return this.#clients.size === 0 ? Infinity : this.#nextMs - this.#now();
  }

  /** Queues the client's next request that still waits. Another worker may take it, which says nothing here. */
  #try(client: number, waiting: Waiting, now: number): void {
    for (let request = waiting.requests.shift(); request !== undefined; request = waiting.requests.shift()) {
      const { slot, word } = request;
      if (this.#table.submitted(slot) === word && !this.#queue.enqueue(slot)) {
        waiting.requests.unshift(request);
        return this.#setDue(waiting, now + MIN_PAUSE_MS);
      }
      if (this.#words[slot] === word) this.#words[slot] = 0;
      if (this.#table.submitted(slot) === word) return this.#setDue(waiting, now + MAX_PAUSE_MS);
    }
    this.#clients.delete(client);
  }

  #setDue(waiting: Waiting, dueMs: number): void {
    waiting.dueMs = dueMs;
    this.#nextMs = Math.min(this.#nextMs, dueMs);
  }
}
