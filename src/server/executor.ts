/**
 * Executes one request: takes the slot, checks the request, applies the operation, publishes the answer and wakes the
 * client. One per worker thread. Whatever a request contains, it fails alone.
 * If the thread dies here, its record names the slot; recovery.ts answers in its place.
 */
import { performance, type RecordableHistogram } from 'node:perf_hooks';

import { Status } from '../errors.js';
import { AnswerQuota } from '../exchange/answer-quota.js';
import { PayloadArena } from '../exchange/payload-arena.js';
import { isReplay, ownerOf, SlotState, withState } from '../exchange/slot-word.js';
import { SlotTable } from '../exchange/slot-table.js';
import type { TaskQueue } from '../exchange/task-queue.js';
import type { WorkerBells } from '../exchange/worker-bells.js';
import { answerChunks } from '../memory/client-limits.js';
import { Fetched, LINE_WORDS } from '../memory/fetched.js';
import { type Geometry, MAX_CLIENTS, Slot, WorkerRecord, workerBase } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { store } from '../memory/words.js';
import { RequestView } from '../operation/request-view.js';
import { ResponseWriter } from '../operation/response-writer.js';
import type { ServerContext } from '../operation/server-context.js';
import { OPERATIONS } from '../operation/table.js';
import type { BellRinger } from '../exchange/bell-ringer.js';
import { Answers } from './answers.js';
import { Conduct } from './conduct.js';
import { Parking } from './parking.js';
import { Retries } from './retries.js';
import { WaitClock } from './wait-clock.js';
import { Unsettled } from '../exchange/unsettled.js';

/** One latency in this many is recorded. */
const SAMPLE = 16;
/** From this size on, a request keeps its worker for so long that others should not wait for it. */
const LONG_BYTES = 64 * 1024;
/** Looks at an unfinished predecessor before the request is put aside. */
const PREDECESSOR_SPINS = 500;
/** A request waits no longer for its predecessor: only garbage makes such a chain. */
const PREDECESSOR_GIVE_UP_MS = 60_000;

export interface ExecutorParts {
  readonly ctl: SegmentViews;
  readonly data: SegmentViews;
  readonly geometry: Geometry;
  readonly worker: number;
  readonly queue: TaskQueue;
  readonly workerBells: WorkerBells;
  readonly bells: BellRinger;
  /** Of Parking.allocate(), Conduct.allocate() and AnswerQuota.allocate(): shared by all workers. */
  readonly parked: SharedArrayBuffer;
  readonly conduct: SharedArrayBuffer;
  readonly answers: SharedArrayBuffer;
  readonly maxAnswerChunks: number;
  /** Whether what changes anything is answered only once the log is durable. */
  readonly answersDurable: boolean;
  readonly latency: RecordableHistogram;
  /** Makes the context of the operations, over this executor's view of the request. */
  readonly serve: (request: RequestView) => ServerContext;
  readonly onFailure: (operation: string, error: unknown) => void;
}

export class Executor {
  readonly #ctl: Int32Array;
  readonly #data: Int32Array;
  readonly #counters: Float64Array;
  readonly #record: number;
  readonly #slots: SlotTable;
  readonly #arena: PayloadArena;
  readonly #queue: TaskQueue;
  readonly #workerBells: WorkerBells;
  readonly #worker: number;
  readonly #bells: BellRinger;
  readonly #parking: Parking;
  readonly #answers: Answers;
  readonly #unsettled: Unsettled | undefined;
  readonly #request: RequestView;
  readonly #response: ResponseWriter;
  readonly #conduct: Conduct;
  readonly #context: ServerContext;
  readonly #latency: RecordableHistogram;
  readonly #retries: Retries;
  readonly #onFailure: (operation: string, error: unknown) => void;
  /** Of requests whose predecessors are pending. */
  readonly #deferred: WaitClock;
  readonly #fetched = new Fetched();
  #executed = 0;
  #isLong = false;

  constructor(parts: ExecutorParts) {
    const { ctl, data, geometry, worker } = parts;
    this.#ctl = ctl.words;
    this.#data = data.words;
    this.#counters = data.floats;
    this.#record = workerBase(geometry, worker);
    this.#slots = new SlotTable(ctl, geometry);
    this.#arena = new PayloadArena(ctl, geometry, MAX_CLIENTS + worker, 'responses');
    this.#queue = parts.queue;
    this.#workerBells = parts.workerBells;
    this.#worker = worker;
    this.#bells = parts.bells;
    this.#parking = new Parking(parts.parked, parts.queue);
    this.#answers = new Answers(ctl, this.#slots, this.#arena, parts.bells, this.#parking);
    this.#unsettled = parts.answersDurable ? new Unsettled(data, geometry) : undefined;
    this.#request = new RequestView(ctl, data, this.#slots, this.#arena);
    const limits = { client: parts.maxAnswerChunks, all: answerChunks(geometry) };
    const quota = new AnswerQuota(parts.answers, this.#slots, this.#arena, limits);
    this.#response = new ResponseWriter(ctl, this.#slots, this.#arena, quota, (bytes) => {
      if (bytes >= LONG_BYTES) this.#beginLong();
    });
    this.#conduct = new Conduct(parts.conduct);
    this.#context = parts.serve(this.#request);
    this.#latency = parts.latency;
    this.#onFailure = parts.onFailure;
    this.#retries = new Retries(parts.queue, this.#slots);
    this.#deferred = new WaitClock(geometry.slots);
  }

  /** Executes the request in a slot, if there is one to execute. */
  run(slot: number): void {
    if (slot >= this.#slots.count) return;
    const base = this.#slots.base(slot);
    this.#fetchRequest(base);
    const submitted = this.#slots.submitted(slot);
    if (submitted === 0) return;
    const after = this.#ctl[base + Slot.after];
    if (after >= 0 && this.#slots.isPending(after) && this.#defer(slot, submitted, after)) return;
    const executing = withState(submitted, SlotState.executing);
    // First: what is in execution is always named.
    this.#note(slot, executing);
    if (this.#slots.begin(slot, submitted) === 0) return this.#forget();
    const published = this.#context.store.log?.published ?? 0;
    if ((this.#executed++ & (SAMPLE - 1)) === 0) {
      const startedAt = performance.now();
      this.#apply(slot, executing);
      this.#latency.record(Math.max(1, Math.round((performance.now() - startedAt) * 1e6)));
    } else {
      this.#apply(slot, executing);
    }
    if (this.#response.isRefused) this.#conduct.blame(ownerOf(executing));
    if (!this.#response.isBusy || !this.#putBack(slot, executing)) this.#finish(slot, executing, published);
    this.#forget();
    if (this.#retries.isAny && this.#response.isInArena) this.#retries.roomFor(ownerOf(executing));
  }

  /** Has a short request come from the client's caches together with the slot's word, instead of after it. */
  #fetchRequest(base: number): void {
    const request = base + Slot.request / 4;
    this.#fetched.keep(this.#ctl[request] ^ this.#ctl[request + LINE_WORDS]);
  }

  /** There is nothing to execute for a while. */
  rest(): void {
    this.#context.store.rest();
  }

  /**
   * The arena has no room for the answer: the request, of which nothing was done, waits until others have taken their
   * answers, or its client gives up. It stays named meanwhile: another worker that begins it names it too, and of a
   * request that two name only one has begun it (recovery.ts). @returns false: the client has given up
   */
  #putBack(slot: number, executing: number): boolean {
    if (!this.#slots.putBack(slot, executing)) {
      this.#response.status(Status.ok);
      return false;
    }
    this.#counters[this.#record / 2 + WorkerRecord.operations + this.#request.opcode]--;
    this.#retries.add(slot, withState(executing, SlotState.submitted));
    return true;
  }

  /** Queues again what was put back and is due. */
  retry(): void {
    this.#retries.enqueueDue();
  }

  /** How long until retry() has something to do. */
  msUntilRetry(): number {
    return this.#retries.msUntilDue();
  }

  /** Names the request in the record, and how much of it a dead server has done. */
  #note(slot: number, executing: number): void {
    const base = this.#slots.base(slot);
    const isReplayed = isReplay(this.#ctl[base + Slot.replay], slot, executing);
    const data = this.#data;
    data[this.#record + WorkerRecord.done] = isReplayed ? this.#ctl[base + Slot.replayDone] : 0;
    data[this.#record + WorkerRecord.effects] = isReplayed ? this.#ctl[base + Slot.replayEffects] : 0;
    data[this.#record + WorkerRecord.slotWord] = executing;
    store(data, this.#record + WorkerRecord.slot, slot + 1);
  }

  /** The slot is no longer this worker's to answer. */
  #forget(): void {
    store(this.#data, this.#record + WorkerRecord.slot, 0);
  }

  #apply(slot: number, executing: number): void {
    const response = this.#response;
    response.begin(slot, executing);
    if (this.#conduct.isExpelled(ownerOf(executing))) return response.status(Status.expelled);
    const isSound = this.#request.read(slot, executing);
    const { opcode } = this.#request;
    const operation = OPERATIONS[opcode];
    if (!isSound || operation === undefined) return response.status(Status.badRequest);
    this.#counters[this.#record / 2 + WorkerRecord.operations + opcode]++;
    if (operation.scope !== 'key' || this.#request.valueBytes >= LONG_BYTES) this.#beginLong();
    try {
      operation.apply(this.#request, response, this.#context);
    } catch (error) {
      response.unreserve();
      this.#context.store.abandon();
      response.status(Status.internal);
      this.#onFailure(operation.name, error);
    } finally {
      if (this.#isLong) this.#workerBells.wakeUp(this.#worker);
      this.#isLong = false;
    }
    if (response.isFailure) this.#counters[this.#record / 2 + WorkerRecord.errors + opcode]++;
  }

  /** What is executed takes longer than others should wait for this worker. */
  #beginLong(): void {
    if (this.#isLong) return;
    this.#isLong = true;
    this.#workerBells.leave(this.#worker);
    // Who enqueued just before rang nobody: this worker was awake.
    if (this.#workerBells.isAnyAsleep && !this.#queue.isEmpty()) this.#workerBells.ringOne();
    this.#bells.flush();
  }

  /** Answers, or leaves that to the thread that writes the log once it is durable. */
  #finish(slot: number, executing: number, publishedBefore: number): void {
    const { log } = this.#context.store;
    const unsettled = this.#unsettled;
    if (log === undefined || unsettled === undefined || this.#data[this.#record + WorkerRecord.effects] === 0) {
      this.#answers.finish(slot, executing);
      log?.announce();
      return;
    }
    // What an earlier server, or a thread that died, has done of it is in front of the last cell there is.
    unsettled.note(slot, executing, log.published === publishedBefore ? log.lastOfAll() : log.lastCell);
    log.wake();
  }

  /**
   * Puts a request aside whose predecessor has not finished. It stays SUBMITTED, so its client can still cancel it.
   * @returns false: its turn has come (or, of a chain that no honest client makes, will never come)
   */
  #defer(slot: number, submitted: number, after: number): boolean {
    const isParked = this.#parking.isParked(slot, after);
    const spins = isParked ? 0 : PREDECESSOR_SPINS;
    for (let spin = 0; spin < spins; spin++) if (!this.#slots.isPending(after)) return false;
    if (this.#deferred.waitedMs(slot, submitted, performance.now()) > PREDECESSOR_GIVE_UP_MS) return false;
    if (isParked) return true;
    this.#parking.park(slot, after);
    return this.#slots.isPending(after) || !this.#parking.unpark(slot, after);
  }
}
