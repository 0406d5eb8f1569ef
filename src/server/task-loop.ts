/**
 * What a worker thread does all its life: takes tasks, and when there are none spins briefly and then sleeps.
 * It costs no CPU when nothing is asked: no polling, one bounded sleep after the other.
 */
import { availableParallelism } from 'node:os';

import { SpinBudget } from '../exchange/spin-budget.js';
import type { TaskQueue } from '../exchange/task-queue.js';
import type { WorkerBells } from '../exchange/worker-bells.js';
import { native } from '../native.js';
import { CtlHeader } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { load } from '../memory/words.js';
import type { BellRinger } from '../exchange/bell-ringer.js';
import type { Expirer } from '../store/expirer.js';
import { CpuSharing } from './cpu-sharing.js';
import type { Executor } from './executor.js';
import { RunQueue } from './run-queue.js';

/** Bounds a sleep whose wake-up was lost; the sweeper looks for such much sooner. */
const SLEEP_MS = 1000;
/** No sooner does a worker wake up by itself because something expires. */
const MIN_SLEEP_MS = 1;
/** Tasks between two looks at what has expired; and how many entries are removed in one go: some microseconds. */
const EXPIRE_AFTER = 32;
const REMOVALS = 2;
/** Completions after which doorbells ring although there is more to do. */
const RING_AFTER = 16;
/**
 * With so many awake, besides those that are busy for long, none is rung to share what is queued: as many as there are
 * CPUs, less one for whoever asks. More of them take turns on the CPUs, with clients that look for their answers (ADR 3).
 */
const ENOUGH_AWAKE = Math.max(1, availableParallelism() - 1);
/** Looks in a row at a queue that was said to have tasks and had none. */
const MAX_FRUITLESS = 1000;
const REST_MS = 5;

export class TaskLoop {
  readonly #ctl: Int32Array;
  readonly #leaving: Int32Array;
  readonly #queue: TaskQueue;
  readonly #workerBells: WorkerBells;
  readonly #bells: BellRinger;
  readonly #executor: Executor;
  readonly #expirer: Expirer;
  readonly #worker: number;
  readonly #runQueue = new RunQueue();
  readonly #spin: SpinBudget;
  /** At most half of the CPUs spin. */
  readonly #maySpin: boolean;
  #fruitless = 0;
  #tasks = 0;
  /** Whether there is more that has expired than was removed. */
  #isBehind = false;

  /** @param leaving one word of the server's own, 1: it leaves the region */
  constructor(
    ctl: SegmentViews,
    leaving: Int32Array,
    queue: TaskQueue,
    workerBells: WorkerBells,
    bells: BellRinger,
    executor: Executor,
    expirer: Expirer,
    worker: number,
  ) {
    this.#ctl = ctl.words;
    this.#leaving = leaving;
    this.#queue = queue;
    const sharing = new CpuSharing(this.#runQueue);
    this.#spin = new SpinBudget(
      () => queue.taken(),
      (now, tookMs) => sharing.noteTaken(now, tookMs),
    );
    this.#workerBells = workerBells;
    this.#bells = bells;
    this.#executor = executor;
    this.#expirer = expirer;
    this.#worker = worker;
    this.#maySpin = worker < Math.floor(availableParallelism() / 2);
  }

  /** Returns when the server leaves the region. */
  run(): void {
    this.#workerBells.wakeUp(this.#worker);
    while (!this.#isLeaving()) {
      this.#executor.retry();
      const completed = this.#drain();
      if (completed > 0 || this.#queue.isEmpty()) this.#fruitless = 0;
      // A ring of garbage looks full and yields nothing: it must not cost a CPU until the sweeper mends it.
      else if (++this.#fruitless > MAX_FRUITLESS) this.#rest();
      if (!this.#isBehind && this.#maySpin && this.#spin.spin(this.#isThereWork)) continue;
      if (this.#expire()) continue;
      this.#executor.rest();
      this.#workerBells.sleep(this.#worker, this.#queue, this.#sleepMs(), this.#isLeaving);
      this.#spin.slept();
    }
    this.#workerBells.forget(this.#worker);
    this.#runQueue.close();
  }

  /** Removes what has expired until there is no more, or a task. @returns whether there is more */
  #expire(): boolean {
    do {
      this.#isBehind = this.#expirer.work(REMOVALS);
      this.#executor.retry();
    } while (this.#isBehind && this.#queue.isEmpty() && !this.#isLeaving());
    return this.#isBehind;
  }

  /** Until there is something to do: not at once, because keys that expire one by one would each cost a wake-up. */
  #sleepMs(): number {
    const dueMs = Math.min(this.#expirer.msUntilDue(), this.#executor.msUntilRetry());
    return Math.min(SLEEP_MS, Math.max(MIN_SLEEP_MS, dueMs));
  }

  #rest(): void {
    const bell = CtlHeader.workerBells + this.#worker;
    native.futexWait(this.#ctl, bell, load(this.#ctl, bell), REST_MS);
  }

  /** @returns how many tasks it took */
  #drain(): number {
    let completed = 0;
    for (let slot = this.#take(); slot >= 0; slot = this.#take()) {
      // More than one task: a second worker is worth its wake-up.
      if (this.#workerBells.isAnyAsleep && !this.#queue.isEmpty()) this.#workerBells.ringAnother(ENOUGH_AWAKE);
      this.#executor.run(slot);
      if (++completed % RING_AFTER === 0) {
        this.#bells.flush();
        this.#executor.retry();
      }
      // As much as the tasks may have added, or memory would run full under a load that never ends.
      if (this.#isBehind || ++this.#tasks % EXPIRE_AFTER === 0) this.#isBehind = this.#expirer.work(REMOVALS);
    }
    this.#bells.flush();
    return completed;
  }

  /** @returns a task, -1: there is none, or it is left to the next server */
  #take(): number {
    return this.#isLeaving() ? -1 : this.#queue.dequeue();
  }

  readonly #isLeaving = (): boolean => load(this.#leaving, 0) !== 0;

  readonly #isThereWork = (): boolean => !this.#queue.isEmpty();
}
