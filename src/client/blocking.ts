/**
 * The blocking calls of a client: spin briefly, then sleep on the slot's word in bounded slices, looking after the
 * server's life in between. They share slots and order with the asynchronous calls, which they move along as they wait.
 */
import { performance } from 'node:perf_hooks';

import { SpinBudget } from '../exchange/spin-budget.js';
import type { Call } from './call.js';
import type { Connection } from './connection.js';
import { lost, timedOut } from './failures.js';
import type { Pipeline } from './pipeline.js';
import type { Session } from './session.js';

const NOT_STARVING = -1;
/** Bounds how late a dead server is noticed. */
const SLICE_MS = 50;
/** The same while calls of this client hold slots or arena room that the server may need to go on. */
const BUSY_SLICE_MS = 5;

export class BlockingCalls {
  readonly #connection: Connection;
  readonly #pipeline: Pipeline;
  readonly #spin = new SpinBudget(() => this.#session.tasksTaken());

  /** What #isAnswered looks at. */
  #session: Session;
  #call: Call | undefined;

  constructor(connection: Connection, pipeline: Pipeline) {
    this.#session = connection.session;
    this.#connection = connection;
    this.#pipeline = pipeline;
  }

  readonly #isAnswered = (): boolean => this.#call !== undefined && this.#session.isAnswered(this.#call);

  /** Runs a call and its follow-ups. @throws KvsError ERR_KVS_TIMEOUT, SERVER_GONE, or what the operation throws */
  run<R>(call: Call<R>): R {
    let result: unknown = this.#runOne(call);
    for (let next = call.next?.(result); next !== undefined; next = next.next?.(result)) result = this.#runOne(next);
    return result as R;
  }

  #runOne<R>(call: Call<R>): R {
    const session = this.#start(call);
    this.#session = session;
    this.#call = call;
    if (!this.#spin.spin(this.#isAnswered, call) && !this.#sleep(session, call)) {
      const name = this.#connection.options.name;
      const errorOf = session.isServing && !session.isExpelled ? timedOut : lost(session);
      if (session.isGone) this.#pipeline.lose();
      const ended = session.end(call);
      if (ended !== 'done') {
        call.state = 'rejected';
        throw errorOf(name, ended);
      }
    }
    call.state = 'fulfilled';
    return session.take(call);
  }

  #start(call: Call): Session {
    const pipeline = this.#pipeline;
    for (let rings = NOT_STARVING; ;) {
      const session = pipeline.session();
      if (!pipeline.isIdle) pipeline.advance();
      const result = pipeline.queuedCount > 0 ? 'blocked' : session.start(call, pipeline.inFlightCount);
      if (result === 'started') {
        session.starvation.end();
        return session;
      }
      // Having said that it starves, it tries once more before it sleeps: a slot may have come free just before.
      if (result === 'starved' && rings === NOT_STARVING) {
        rings = session.starvation.begin();
        continue;
      }
      this.#waitForTurn(session, call, rings);
      rings = NOT_STARVING;
    }
  }

  /** Waits until the call may be worth another try. @throws KvsError when its time is up or the server is gone */
  #waitForTurn(session: Session, call: Call, rings: number): void {
    const remaining = remainingOf(call);
    const { name } = this.#connection.options;
    if (remaining <= 0) throw timedOut(name, 'no');
    this.waitForProgress(session, Math.min(SLICE_MS, remaining), rings);
    if (session.isGone) {
      this.#pipeline.lose();
      throw lost(session)(name, 'no');
    }
  }

  /** Blocks until something of this client may have moved, at most `timeoutMs`. */
  waitForProgress(session: Session, timeoutMs: number, rings: number): void {
    const { oldest } = this.#pipeline;
    if (oldest !== undefined) {
      const word = session.table.word(oldest.slot);
      if (!session.isDone(oldest)) session.sleep(oldest, word, timeoutMs);
      return;
    }
    session.starvation.sleep(rings === NOT_STARVING ? session.starvation.begin() : rings, timeoutMs);
    session.starvation.end();
  }

  /** @returns whether the answer is there; false: the time is up, or the server is gone */
  #sleep(session: Session, call: Call): boolean {
    for (;;) {
      const word = session.table.word(call.slot);
      if (session.isDone(call)) break;
      const remaining = remainingOf(call);
      if (remaining <= 0) return false;
      const sliceMs = session.isUntidy || !this.#pipeline.isIdle ? BUSY_SLICE_MS : SLICE_MS;
      session.sleep(call, word, Math.min(sliceMs, remaining));
      if (session.isDone(call)) break;
      if (session.isGone) return session.isDone(call);
      this.#moveOthers(session, call);
    }
    this.#spin.slept();
    return true;
  }

  /** Takes answers that have come for asynchronous calls, and releases what `call` may be waiting for. */
  #moveOthers(session: Session, call: Call): void {
    if (session.tidy()) session.remind(call);
    if (!this.#pipeline.isIdle) this.#pipeline.advance();
  }

  /** Blocks until `isSettled`, moving the asynchronous calls along. @returns false when `timeoutMs` have passed */
  waitUntil(isSettled: () => boolean, timeoutMs: number): boolean {
    const giveUpAt = performance.now() + timeoutMs;
    for (;;) {
      this.#pipeline.advance();
      if (isSettled()) return true;
      const remaining = giveUpAt - performance.now();
      if (remaining <= 0) return false;
      const { session } = this.#connection;
      this.waitForProgress(session, Math.min(SLICE_MS, remaining), NOT_STARVING);
      if (session.isGone) this.#pipeline.lose();
      this.#pipeline.expire();
    }
  }
}

/** Milliseconds until the call's deadline; the first to ask starts its clock. */
function remainingOf(call: Call): number {
  const now = performance.now();
  call.startClock(now);
  return call.deadline - now;
}
