/**
 * What a worker thread does all its life: takes tasks, and when there are none spins briefly and then sleeps.
 * It costs no CPU when nothing is asked: no polling, one bounded sleep after the other.
 */
import { availableParallelism } from 'node:os';
import { performance } from 'node:perf_hooks';

import type { TaskQueue } from '../exchange/task-queue.js';
import type { WorkerBells } from '../exchange/worker-bells.js';
import { CtlHeader, RegionState } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { load } from '../memory/words.js';
import type { BellRinger } from '../exchange/bell-ringer.js';
import type { Executor } from './executor.js';

/** How long a worker looks for the next task before it sleeps: longer than a client takes to ask again. */
const SPIN_MS = 0.02;
const SPINS_PER_LOOK = 32;
const SLEEP_MS = 250;
/** Completions after which doorbells ring although there is more to do. */
const RING_AFTER = 16;

export class TaskLoop {
  readonly #ctl: Int32Array;
  readonly #queue: TaskQueue;
  readonly #workerBells: WorkerBells;
  readonly #bells: BellRinger;
  readonly #executor: Executor;
  readonly #worker: number;
  /** Half of the CPUs may spin; on a single one spinning only delays whoever is waited for. */
  readonly #mayspin: boolean;

  constructor(
    ctl: SegmentViews,
    queue: TaskQueue,
    workerBells: WorkerBells,
    bells: BellRinger,
    executor: Executor,
    worker: number,
  ) {
    this.#ctl = ctl.words;
    this.#queue = queue;
    this.#workerBells = workerBells;
    this.#bells = bells;
    this.#executor = executor;
    this.#worker = worker;
    this.#mayspin = worker < Math.floor(availableParallelism() / 2);
  }

  /** Returns when the region is stopped. */
  run(): void {
    this.#workerBells.wakeUp(this.#worker);
    while (load(this.#ctl, CtlHeader.state) !== RegionState.stopped) {
      this.#drain();
      if (!this.#spin()) this.#workerBells.sleep(this.#worker, this.#queue, SLEEP_MS);
    }
    this.#workerBells.forget(this.#worker);
  }

  #drain(): void {
    let completed = 0;
    for (let slot = this.#queue.dequeue(); slot >= 0; slot = this.#queue.dequeue()) {
      // More than one task: a second worker is worth its wake-up.
      if (this.#workerBells.isAnyAsleep && !this.#queue.isEmpty()) this.#workerBells.ringOne();
      this.#executor.run(slot);
      if (++completed % RING_AFTER === 0) this.#bells.flush();
    }
    this.#bells.flush();
  }

  /** @returns whether there is work */
  #spin(): boolean {
    if (!this.#mayspin) return !this.#queue.isEmpty();
    const until = performance.now() + SPIN_MS;
    do {
      for (let i = 0; i < SPINS_PER_LOOK; i++) if (!this.#queue.isEmpty()) return true;
    } while (performance.now() < until);
    return false;
  }
}
