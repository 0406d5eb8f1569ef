/**
 * Sets hints right that a process took with it when it died: a task whose place in the queue was lost, a worker whose
 * wake-up never came, the counts of clients. The truth is in the slots and the leases; this only looks at it now and
 * then, so nothing waits for longer than one round.
 */
import { Status } from '../errors.js';
import { SlotTable } from '../exchange/slot-table.js';
import { ownerOf, SlotState, stateOf } from '../exchange/slot-word.js';
import type { TaskQueue } from '../exchange/task-queue.js';
import type { WorkerBells } from '../exchange/worker-bells.js';
import { clientBase } from '../memory/client-lease.js';
import { ClientRecord, CtlHeader, MAX_CLIENTS, Slot } from '../memory/layout.js';
import type { OwnedRegion } from '../memory/region.js';
import { load, store } from '../memory/words.js';
import { native } from '../native.js';
import type { BellRinger } from '../exchange/bell-ringer.js';

/** Requests looked at again in a round whose answers found no room: workers do that by themselves, unless one has died. */
const MAX_BUSY = 16;
/** Rounds in which nothing left the queue although requests wait. */
const STUCK_ROUNDS = 10;

export class Sweeper {
  readonly #region: OwnedRegion;
  readonly #queue: TaskQueue;
  readonly #workerBells: WorkerBells;
  readonly #bells: BellRinger;
  readonly #table: SlotTable;
  /** Words of the slots that were SUBMITTED in the last round, 0: another state. */
  readonly #submitted: Int32Array;
  /** By client: slots that it held in the last round. */
  readonly held = new Int32Array(MAX_CLIENTS);

  /** Of MAX_BUSY: how many this round has left, and where the next one goes on. */
  #busyLeft = 0;
  #nextBusy = 0;
  #tasksTaken = 0;
  #tasksGiven = 0;
  #isQuiet = false;
  #stuckRounds = 0;

  constructor(region: OwnedRegion, queue: TaskQueue, workerBells: WorkerBells, bells: BellRinger) {
    this.#region = region;
    this.#queue = queue;
    this.#workerBells = workerBells;
    this.#bells = bells;
    this.#table = new SlotTable(region.ctl, region.geometry);
    this.#submitted = new Int32Array(this.#table.count);
  }

  /** One round. @param clients those in use. @returns false when there was nothing to look at: nobody asks for anything */
  sweep(clients: readonly number[]): boolean {
    const tasksGiven = this.#queue.given();
    const isStill = this.#isQuiet && tasksGiven === this.#tasksGiven && this.#queue.isReadyForNext();
    this.#tasksGiven = tasksGiven;
    // All slots were free, nothing was asked for since, and nobody waits for a slot that others have taken to keep.
    if (isStill && load(this.#region.ctl.words, CtlHeader.starving) === 0) return false;
    const isBacklogged = this.#queue.length() > this.#table.count;
    const tasksTaken = this.#queue.taken();
    let free = 0;
    let waiting = 0;
    this.#busyLeft = MAX_BUSY;
    this.held.fill(0);
    for (let slot = 0; slot < this.#table.count; slot++) {
      const word = this.#table.word(slot);
      const state = stateOf(word);
      if (state === SlotState.free) free++;
      // Abandoned ones are with the server.
      else if (state < SlotState.abandoned && ownerOf(word) < MAX_CLIENTS) this.held[ownerOf(word)]++;
      const isSubmitted = state === SlotState.submitted;
      // The same request for a whole round: its hint may be lost. A second hint does no harm.
      if (isSubmitted && this.#submitted[slot] === word && this.#takesTurn(slot)) {
        waiting++;
        if (!isBacklogged) this.#queue.enqueue(slot);
      }
      this.#submitted[slot] = isSubmitted ? word : 0;
    }
    if (this.#busyLeft > 0) this.#nextBusy = 0;
    const isStuck = waiting > 0 && tasksTaken === this.#tasksTaken;
    this.#tasksTaken = tasksTaken;
    this.#mendQueue(isStuck);
    // Whatever the bits say, workers that take nothing are asleep, or busy and not disturbed by a ring.
    if (isStuck || (!this.#queue.isEmpty() && !this.#workerBells.isAnyAwake)) {
      this.#workerBells.keepOnly(this.#region.geometry.workers);
      this.#workerBells.ringAll(this.#region.geometry.workers);
    }
    this.#isQuiet = free === this.#table.count;
    this.#recountStarving(clients, free);
    return true;
  }

  /** Of requests whose answers found no room only some are hinted at in a round, each in its turn. */
  #takesTurn(slot: number): boolean {
    if (this.#region.ctl.words[this.#table.base(slot) + Slot.status] !== Status.busy) return true;
    if (slot < this.#nextBusy || this.#busyLeft === 0) return false;
    this.#busyLeft--;
    this.#nextBusy = slot + 1;
    return true;
  }

  /**
   * A ring that somebody has overwritten with garbage passes nothing on: it is started afresh, and the next round
   * enqueues all requests again (those that wait for room in their turns). The same happens, without harm, when all
   * workers are busy for that long.
   */
  #mendQueue(isStuck: boolean): void {
    this.#stuckRounds = isStuck ? this.#stuckRounds + 1 : 0;
    if (this.#stuckRounds < STUCK_ROUNDS) return;
    this.#stuckRounds = 0;
    this.#queue.reset();
  }

  #recountStarving(clients: readonly number[], freeSlots: number): void {
    const { ctl } = this.#region;
    let starving = 0;
    for (const client of clients) if (this.#isStarving(client)) starving++;
    store(ctl.words, CtlHeader.starving, starving);
    if (starving > 0 && freeSlots > 0) this.wakeStarving(clients);
  }

  #isStarving(client: number): boolean {
    const { words } = this.#region.ctl;
    const at = clientBase(this.#region, client) + ClientRecord.starving;
    const flag = load(words, at);
    // Nobody would ever clear anything else.
    if (flag !== 0 && flag !== 1) store(words, at, 0);
    return flag === 1;
  }

  /** Wakes every client that waits for a slot or for room in the arena. */
  wakeStarving(clients: readonly number[]): void {
    for (const client of clients) if (this.#isStarving(client)) this.#bells.wake(client);
  }

  /** Wakes everyone who waits for anything: the region is stopped. */
  wakeAll(clients: readonly number[]): void {
    const { ctl } = this.#region;
    for (let slot = 0; slot < this.#table.count; slot++) {
      native.futexWake(ctl.words, this.#table.base(slot), 1);
    }
    for (const client of clients) this.#bells.wake(client);
    this.#workerBells.ringAll(this.#region.geometry.workers);
  }
}
