/**
 * How workers fall asleep and are woken: one bit per worker in `awake` and `asleep`, and a futex (bell) for each.
 * Enqueuers ring only when no worker is awake, and then exactly one; a worker that takes a task and sees more of them
 * rings the next, as long as there are CPUs for more. So a busy server costs its clients one load per request, and a
 * wake-up is never for two.
 * No wake-up is lost: a worker sets its `asleep` bit, clears its `awake` bit and only then looks at the queue for the
 * last time; an enqueuer writes its cell and only then looks at the bits.
 * If an enqueuer dies before it rings, the sweeper rings in its place: it has seen for a whole round that nothing is taken.
 */
import { native } from '../native.js';
import { CtlHeader } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { add, cas, clearBits, load, setBits, store } from '../memory/words.js';
import type { TaskQueue } from './task-queue.js';

export class WorkerBells {
  readonly #words: Int32Array;

  constructor(ctl: SegmentViews) {
    this.#words = ctl.words;
  }

  /** Called after an enqueue. SYNC: pairs with sleep(). */
  announce(): void {
    if (load(this.#words, CtlHeader.awake) === 0) this.ringOne();
  }

  /** Wakes one sleeping worker, if there is one. */
  ringOne(): void {
    const words = this.#words;
    for (let asleep = load(words, CtlHeader.asleep); asleep !== 0; asleep = load(words, CtlHeader.asleep)) {
      const bit = asleep & -asleep;
      if (cas(words, CtlHeader.asleep, asleep, asleep & ~bit)) {
        // It takes the worker a while to say so itself: others would ring the next one meanwhile.
        setBits(words, CtlHeader.awake, bit);
        this.#ring(31 - Math.clz32(bit));
        return;
      }
    }
  }

  /** Wakes one sleeping worker, if there is one, unless `most` are awake already. */
  ringAnother(most: number): void {
    let awake = 0;
    for (let bits = load(this.#words, CtlHeader.awake); bits !== 0; bits &= bits - 1) awake++;
    if (awake < most) this.ringOne();
  }

  /** Wakes all workers, whatever the bits say. */
  ringAll(workers: number): void {
    for (let worker = 0; worker < workers; worker++) this.#ring(worker);
  }

  #ring(worker: number): void {
    add(this.#words, CtlHeader.workerBells + worker, 1);
    native.futexWake(this.#words, CtlHeader.workerBells + worker, 1);
  }

  get isAnyAwake(): boolean {
    return load(this.#words, CtlHeader.awake) !== 0;
  }

  get isAnyAsleep(): boolean {
    return load(this.#words, CtlHeader.asleep) !== 0;
  }

  /** The worker is about to look at the queue, now and again. */
  wakeUp(worker: number): void {
    setBits(this.#words, CtlHeader.awake, 1 << worker);
  }

  /** The worker will be busy for longer than others should wait for it. */
  leave(worker: number): void {
    clearBits(this.#words, CtlHeader.awake, 1 << worker);
  }

  /** Sleeps until rung, unless there is work or all is over; at most `timeoutMs`. The worker is awake afterwards. */
  sleep(worker: number, queue: TaskQueue, timeoutMs: number, isOver: () => boolean): void {
    const words = this.#words;
    const bell = CtlHeader.workerBells + worker;
    const rings = load(words, bell);
    setBits(words, CtlHeader.asleep, 1 << worker);
    clearBits(words, CtlHeader.awake, 1 << worker);
    // SYNC: the last look; pairs with announce().
    if (!isOver() && queue.isEmpty()) native.futexWait(words, bell, rings, timeoutMs);
    this.wakeUp(worker);
    // Whoever cleared the bit before us also rings; that ring only ends a later sleep early.
    clearBits(words, CtlHeader.asleep, 1 << worker);
  }

  /** Clears the bits of workers that there are not. */
  keepOnly(workers: number): void {
    const others = workers === 32 ? 0 : -1 << workers;
    clearBits(this.#words, CtlHeader.awake, others);
    clearBits(this.#words, CtlHeader.asleep, others);
  }

  /** Forgets all workers: none runs yet. */
  reset(): void {
    store(this.#words, CtlHeader.awake, 0);
    store(this.#words, CtlHeader.asleep, 0);
  }

  /** Forgets a worker that died. */
  forget(worker: number): void {
    clearBits(this.#words, CtlHeader.awake, 1 << worker);
    clearBits(this.#words, CtlHeader.asleep, 1 << worker);
  }
}
