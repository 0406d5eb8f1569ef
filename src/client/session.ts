/**
 * One attachment of a client to one region: its lease, its slots, and the steps of a call in shared memory. Made again
 * when the server was replaced. Every slot the session claims is released by it, by a worker (ABANDONED), or, if this
 * process dies, by the server's reaper.
 */
import { closeSync } from 'node:fs';

import { KeyBuffer } from '../codec/key-buffer.js';
import { KvsError } from '../errors.js';
import { BellRinger } from '../exchange/bell-ringer.js';
import { PayloadArena } from '../exchange/payload-arena.js';
import { SlotTable } from '../exchange/slot-table.js';
import { isReplay, SlotState, withState } from '../exchange/slot-word.js';
import { TaskQueue } from '../exchange/task-queue.js';
import { WorkerBells } from '../exchange/worker-bells.js';
import { claimLease, clientBase, releaseLease } from '../memory/client-lease.js';
import { readLimits } from '../memory/client-limits.js';
import { ClientRecord, CtlHeader, DataHeader, isOpen, Slot } from '../memory/layout.js';
import { PinRow } from '../memory/pins.js';
import { attachData, checkData, type Region } from '../memory/region.js';
import { add, exchange, load, store } from '../memory/words.js';
import { type Doorbell, native } from '../native.js';
import { type Answer, ResponseView } from '../operation/response-view.js';
import { Reader } from '../store/reader.js';
import type { Call } from './call.js';
import { closeDoorbell, openDoorbell } from './doorbell.js';
import type { ResolvedClientOptions } from './options.js';
import { Ordering } from './ordering.js';
import type { ViewGround } from './pinned-views.js';
import { Presence } from './presence.js';
import { RequestStaging } from './request-staging.js';
import { Starvation } from './starvation.js';
import { WithdrawnCalls } from './withdrawn-calls.js';

type Options = Pick<ResolvedClientOptions, 'reads' | 'reconnectTimeoutMs'>;
export type StartResult = 'started' | 'blocked' | 'starved';
/** How an unfinished call was ended. `done`: it had finished after all, its result is there. */
export type EndResult = 'done' | 'no' | 'unknown';

export class Session {
  readonly region: Region;
  readonly table: SlotTable;
  /** Over the read-only mapping of the store; undefined: everything goes through the server. */
  readonly reader: Reader | undefined;
  /** For the keys of direct reads. */
  readonly keyBuffer: KeyBuffer | undefined;
  readonly views: ViewGround;
  readonly starvation: Starvation;
  readonly staging: RequestStaging;
  readonly #words: Int32Array;
  readonly #client: number;
  /** First word of this client's record. */
  readonly #record: number;
  readonly #arena: PayloadArena;
  readonly #queue: TaskQueue;
  readonly #workerBells: WorkerBells;
  readonly #ringer: BellRinger;
  readonly #ordering: Ordering;
  readonly #response: ResponseView;
  readonly #withdrawn: WithdrawnCalls;
  #doorbell: Doorbell | undefined;
  /** Whether the doorbell keeps the event loop alive. */
  #isHeld = false;
  #isClosed = false;
  #isLost = false;
  #isExpelled = false;
  readonly #presence: Presence;

  /** Takes a lease of an attached region. @throws KvsError ERR_KVS_TOO_MANY_CLIENTS */
  constructor(region: Region, { reads, reconnectTimeoutMs }: Options) {
    const { ctl, geometry } = region;
    this.region = region;
    this.#presence = new Presence(region, reconnectTimeoutMs);
    const data = reads === 'direct' ? attachData(region) : undefined;
    if (data === undefined) {
      checkData(region);
    } else {
      this.reader = new Reader(data, geometry);
      this.keyBuffer = new KeyBuffer(data.words[DataHeader.hashSeed], data.words[DataHeader.hashSeed + 1]);
    }
    this.#client = claimLease(region);
    this.views = { pins: PinRow.begin(ctl, geometry, this.#client), mapped: data?.views };
    this.#words = ctl.words;
    this.#record = clientBase(region, this.#client);
    this.table = new SlotTable(ctl, geometry);
    this.#arena = new PayloadArena(ctl, geometry, this.#client, 'requests');
    this.#queue = new TaskQueue(ctl, geometry);
    this.#workerBells = new WorkerBells(ctl);
    this.#ringer = new BellRinger(ctl, geometry.clientsOffset, region.paths.bell);
    this.starvation = new Starvation(ctl.words, this.#client, this.#record, this.#ringer);
    this.#ordering = new Ordering(this.table);
    this.staging = new RequestStaging(ctl, this.table, this.#arena, this.#client, readLimits(ctl, geometry));
    this.#response = new ResponseView(ctl, this.table, this.#arena);
    this.#withdrawn = new WithdrawnCalls(this.table, (call) => this.#releaseWithdrawn(call));
    add(this.#words, CtlHeader.clients, 1);
  }

  /** Whether new calls can be submitted, to this server or the next one, by the region's own word. */
  get isReady(): boolean {
    return !this.#isLost && !this.#isExpelled && isOpen(load(this.#words, CtlHeader.state));
  }

  /** Whether a server is there: asks the kernel. */
  get isServing(): boolean {
    return (!this.#isLost || this.#isExpelled) && this.#presence.isServing;
  }

  /** Whether answers can no longer come, from a next server either: asks the kernel. */
  get isGone(): boolean {
    return this.#isLost || this.#isExpelled || this.#presence.isGone;
  }

  /** Whether the server has said that it does not serve this session any more. */
  get isExpelled(): boolean {
    return this.#isExpelled;
  }

  /** Claims a slot, writes the request and hands it over. `inFlight`: asynchronous calls not yet finished. */
  start(call: Call, inFlight: number): StartResult {
    this.tidy();
    let after = -1;
    const isAlone = this.#ordering.isIdle(inFlight);
    if (!isAlone) after = this.#ordering.predecessorOf(call, inFlight);
    const staged = this.staging.stage(call, after);
    if (staged !== 'staged') return staged;
    // Garbage in the word makes the step fail; the call then ends like any whose slot was overwritten.
    this.table.submit(call.slot, call.word);
    call.word = withState(call.word, SlotState.submitted);
    call.state = 'submitted';
    // Nobody issues anything while a blocking call is the only one.
    if (!isAlone || call.isAsync) this.#ordering.note(call, isAlone);
    // If the ring is damaged or full, the server's sweeper finds the request.
    this.#queue.enqueue(call.slot);
    this.#workerBells.announce();
    return 'started';
  }

  /** Whether nothing of this client on the key (or on any) is pending, so that it may read the store itself. */
  mayRead(key: string | Uint8Array | undefined, inFlight: number): boolean {
    return this.#ordering.isIdle(inFlight) || (key !== undefined && !this.#ordering.isPending(key));
  }

  /** How many tasks all workers have taken so far (wraps at 32 bits). */
  tasksTaken(): number {
    return this.#queue.taken();
  }

  /** SYNC: the look at DONE; pairs with the worker's step to it. */
  isDone(call: Call): boolean {
    return this.table.word(call.slot) === withState(call.word, SlotState.done);
  }

  /** isDone(), for looking again and again. May say no although it is. */
  isAnswered(call: Call): boolean {
    return this.table.isAnswered(call.slot, withState(call.word, SlotState.done));
  }

  /** The result of a DONE call; its slot and extents are free afterwards. @throws what the operation's decode throws */
  take<R>(call: Call<R>): R {
    const done = withState(call.word, SlotState.done);
    let answer: Answer;
    try {
      const view = this.#read(call, done);
      if (call.codec.isForeign !== true) return call.operation.decode(view, call.codec);
      // It may call this client: the slot is given back before.
      answer = view.copy();
    } finally {
      this.#ordering.forget(call, false);
      this.#freeResponse(call);
      this.staging.release(call, done);
      this.starvation.wakeOther();
    }
    return call.operation.decode(answer, call.codec);
  }

  #read(call: Call, done: number): ResponseView {
    try {
      return this.#response.read(call.slot, done);
    } catch (error) {
      if (error instanceof KvsError && error.code === 'ERR_KVS_EXPELLED') this.#isExpelled = true;
      throw error;
    }
  }

  /** Ends a submitted call that nobody waits for any more; certain about whether it was executed where that can be. */
  end(call: Call): EndResult {
    for (;;) {
      const word = this.table.word(call.slot);
      if (word === withState(call.word, SlotState.done)) return 'done';
      if (word === call.word) {
        if (this.table.withdraw(call.slot, word)) return this.#cancel(call);
      } else if (word !== withState(call.word, SlotState.executing)) {
        // Overwritten with garbage: no longer ours.
        this.#ordering.forget(call, false);
        this.staging.lost(call);
        return 'unknown';
      } else if (this.table.abandon(call.slot, word)) {
        this.#ordering.forget(call, true);
        this.staging.lost(call);
        return 'unknown';
      }
    }
  }

  /** Of a call that was withdrawn: a server or worker that died may have done a part of it. */
  #cancel(call: Call): EndResult {
    const base = this.table.base(call.slot);
    const isBegun =
      isReplay(this.#words[base + Slot.replay], call.slot, call.word) &&
      (this.#words[base + Slot.replayDone] !== 0 || this.#words[base + Slot.replayEffects] !== 0);
    // What comes after this call must still come after what this call waited for.
    const mustWait = this.table.isPending(call.after);
    this.#ordering.forget(call, mustWait);
    if (mustWait) this.#withdrawn.add(call);
    else this.#releaseWithdrawn(call);
    return isBegun ? 'unknown' : 'no';
  }

  /** Whether cancelled calls hold slots that nobody but tidy(), or a timer, releases. */
  get isUntidy(): boolean {
    return this.#withdrawn.isAny;
  }

  /** Releases the slots of cancelled calls whose predecessors have finished. @returns whether there were any */
  tidy(): boolean {
    return this.#withdrawn.tidy();
  }

  #releaseWithdrawn(call: Call): void {
    this.staging.release(call, withState(call.word, SlotState.building));
    this.starvation.wakeOther();
  }

  /** Queues a submitted call once more: what it waited for has been released by this client, not by a worker. */
  remind(call: Call): void {
    this.#queue.enqueue(call.slot);
    this.#workerBells.announce();
  }

  #freeResponse(call: Call): void {
    const base = this.table.base(call.slot);
    const extent = this.#words[base + Slot.responseExtent];
    if (extent !== 0) this.#arena.release(call.use, extent - 1, this.#words[base + Slot.responseChunks]);
  }

  /** Blocks while the slot's word is `word`, at most `timeoutMs`. SYNC: pairs with the worker's look at `waiter`. */
  sleep(call: Call, word: number, timeoutMs: number): void {
    const base = this.table.base(call.slot);
    exchange(this.#words, base + Slot.waiter, 1);
    native.futexWait(this.#words, base + Slot.word, word, timeoutMs);
  }

  /** Asks for a ring of the doorbell at the next completion, and keeps the event loop alive for it. */
  arm(onRing: () => void): void {
    this.#doorbell ??= openDoorbell(this.region, this.#client, onRing);
    this.#doorbell.ref();
    this.#isHeld = true;
    // A fence too: the caller's last look must not come before it.
    exchange(this.#words, this.#record + ClientRecord.armed, 1);
  }

  /** Lets the event loop end, whether the doorbell has rung or not. */
  disarm(): void {
    if (!this.#isHeld) return;
    this.#isHeld = false;
    store(this.#words, this.#record + ClientRecord.armed, 0);
    this.#doorbell?.unref();
  }

  /** The server is known to be gone: nothing new is submitted here. */
  lose(): void {
    this.#isLost = true;
    this.#withdrawn.rest();
    this.disarm();
  }

  /** Gives up the lease, once no view needs it any more. Calls that were abandoned are finished and freed by the server. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#isLost = true;
    this.#withdrawn.end();
    if (this.#doorbell !== undefined) closeDoorbell(this.region, this.#client, this.#doorbell);
    this.#ringer.close();
    this.starvation.end();
    add(this.#words, CtlHeader.clients, -1);
    this.views.pins.whenEmpty(() => {
      releaseLease(this.region, this.#client);
      closeSync(this.region.ctlFd);
    });
  }
}
