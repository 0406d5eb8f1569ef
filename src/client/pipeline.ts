/**
 * The asynchronous calls of a client: those in flight, and those that wait for a slot in the order in which they were
 * issued. When their answers are looked for is up to lookout.ts. A timer, unref'd, looks after deadlines and a server that
 * died; an idle client has none of these.
 */
import { performance } from 'node:perf_hooks';

import type { Executed, KvsError } from '../errors.js';
import { Alarm } from './alarm.js';
import type { Call } from './call.js';
import { CallQueue } from './call-queue.js';
import type { Connection } from './connection.js';
import { lost, timedOut } from './failures.js';
import { copyGiven, worthWaitingMs } from './given-values.js';
import { Lookout } from './lookout.js';
import type { Session } from './session.js';

/** Bounds how late a dead server is noticed, and how long a lost ring delays an answer. */
const TICK_MS = 50;
/** Calls with more time than this have their clock started by the next tick: late by that, and without a look at a clock. */
const LONG_MS = 20 * TICK_MS;
/** The same while there is no doorbell (no file descriptors left). */
const NO_BELL_TICK_MS = 2;
/** Looks at an answer between two at what else there is: a microsecond. */
const WAITING_LOOKS = 100;

export class Pipeline {
  readonly #connection: Connection;
  /** Submitted, oldest first. */
  #inFlight: Call[] = [];
  /** Answered, and not yet settled. Empty but for while they are. */
  readonly #answered = new CallQueue();
  /** Not yet submitted, oldest first. */
  readonly #queued = new CallQueue();
  readonly #lookout = new Lookout({
    glance: (looks) => this.#glance(looks),
    advance: () => this.advance(),
    rest: () => this.#rest(),
    isIdle: () => this.isIdle,
    tasksTaken: () => this.#connection.session.tasksTaken(),
    arm: (onRing) => this.#arm(onRing),
  });
  /** false: no doorbell could be opened, the timer keeps the process alive. */
  #hasBell = true;
  readonly #alarm = new Alarm(TICK_MS, () => this.#onTick());
  #onIdle: (() => void) | undefined;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  get inFlightCount(): number {
    return this.#inFlight.length + this.#answered.length;
  }

  get queuedCount(): number {
    return this.#queued.length;
  }

  get isIdle(): boolean {
    return this.#inFlight.length === 0 && this.#queued.length === 0 && this.#answered.length === 0;
  }

  /** The oldest call in flight, for a blocking call that waits for its turn. */
  get oldest(): Call | undefined {
    return this.#inFlight[0];
  }

  /** Submits a call, or queues it behind those that wait already. @throws KvsError ERR_KVS_SERVER_GONE */
  issue(call: Call): void {
    const session = this.session();
    call.isAsync = true;
    if (!this.#start(session, call) && !this.#startInTime(session, call)) {
      copyGiven(call);
      this.#queued.push(call);
    }
    this.#watchOver(call);
    this.#lookout.begin();
  }

  /** A session that takes new calls; calls on an old one are ended. @throws KvsError ERR_KVS_SERVER_GONE */
  session(): Session {
    return this.#connection.ready(this.#lose);
  }

  /** Whether a key may be read without the server: nothing that this client issued on it is still on its way. */
  mayRead(session: Session, key: string | Uint8Array): boolean {
    return this.isIdle ? session.mayRead(key, 0) : this.queuedCount === 0 && session.mayRead(key, this.inFlightCount);
  }

  /** A session to read from: the newest, if need be one whose server is gone. @throws KvsError ERR_KVS_SERVER_GONE */
  sessionForReading(): Session {
    return this.#connection.forReading(this.#lose);
  }

  /** @returns false: there is no room, or others come before */
  #start(session: Session, call: Call): boolean {
    if (this.queuedCount > 0 || session.start(call, this.inFlightCount) !== 'started') return false;
    this.#inFlight.push(call);
    return true;
  }

  /**
   * Waits for room for as long as it would take to copy the caller's bytes: what answered requests hold is given back, and
   * what was queued before goes first. The answers themselves are left to be taken in their turn.
   */
  #startInTime(session: Session, call: Call): boolean {
    const waitMs = worthWaitingMs(call);
    const until = waitMs === 0 ? 0 : performance.now() + waitMs;
    // Slots come back only as answers are taken.
    while (session.staging.lacksRoom && performance.now() < until) {
      for (const one of this.#inFlight) if (session.isDone(one)) session.staging.freeRequest(one);
      this.#submitQueued(session);
      if (this.#start(session, call)) return true;
      this.#glance(WAITING_LOOKS);
    }
    return false;
  }

  /** Settles what has completed, submits what waits. @returns whether anything moved */
  advance(): boolean {
    const { session } = this.#connection;
    session.tidy();
    const collected = this.#collect(session);
    return this.#submitQueued(session) || collected;
  }

  #collect(session: Session): boolean {
    const calls = this.#inFlight;
    let kept = 0;
    for (const call of calls) {
      if (call.isSettled) continue;
      if (session.isDone(call)) this.#answered.push(call);
      else calls[kept++] = call;
    }
    if (kept === calls.length) return false;
    calls.length = kept;
    this.#settleAnswered(session);
    return true;
  }

  /** A codec of the user's own may call this client, which then goes on with the next one here. */
  #settleAnswered(session: Session): void {
    for (let call = this.#answered.shift(); call !== undefined; call = this.#answered.shift()) {
      if (!call.isSettled) this.#settle(session, call);
    }
  }

  #settle(session: Session, call: Call): void {
    // Before any code of the user's runs: it is taken once.
    call.state = 'fulfilled';
    let result: unknown;
    try {
      result = session.take(call);
      const next = call.next?.(result);
      if (next !== undefined) return this.#follow(session, next);
    } catch (error) {
      return this.#reject(call, error as Error);
    }
    call.onFulfilled(result);
  }

  /** A follow-up goes before everything that waits. */
  #follow(session: Session, next: Call): void {
    next.isAsync = true;
    if (session.start(next, this.inFlightCount) === 'started') this.#inFlight.push(next);
    else this.#queued.insert(next);
  }

  #reject(call: Call, error: Error): void {
    call.state = 'rejected';
    call.onRejected(error);
  }

  #submitQueued(session: Session): boolean {
    if (this.#queued.length === 0) return false;
    let moved = false;
    for (let call = this.#queued.first; call !== undefined; call = this.#queued.first) {
      if (!call.isSettled) {
        const result = session.isReady ? session.start(call, this.inFlightCount) : 'blocked';
        if (result === 'starved') session.starvation.begin();
        if (result !== 'started') return moved;
        this.#inFlight.push(call);
      }
      this.#queued.shift();
      moved = true;
    }
    session.starvation.end();
    return moved;
  }

  /** Looks at the oldest call until it is answered, so many times at most. */
  #glance(looks: number): void {
    const { oldest } = this;
    const { session } = this.#connection;
    if (oldest !== undefined) for (let left = looks; left > 0 && !session.isAnswered(oldest); left--);
  }

  /** @returns whether the doorbell will ring; else the alarm goes off soon */
  #arm(onRing: () => void): boolean {
    try {
      this.#connection.session.arm(onRing);
      this.#hasBell = true;
    } catch {
      this.#hasBell = false;
      this.#alarm.setBy(performance.now() + NO_BELL_TICK_MS, true);
    }
    return this.#hasBell;
  }

  /** Nothing is in flight: nothing keeps the process alive. */
  #rest(): void {
    this.#connection.session.disarm();
    this.#lookout.disarm();
    this.#alarm.unref();
    this.#onIdle?.();
  }

  #watchOver(call: Call): void {
    if (call.timeoutMs < LONG_MS) call.startClock(performance.now());
    if (call.deadline !== 0) this.#alarm.setBy(call.deadline, !this.#hasBell);
    // The alarm goes off within TICK_MS, and looks after all whose time is longer.
    else if (!this.#alarm.isSet) this.#alarm.setBy(Infinity, !this.#hasBell);
  }

  #onTick(): void {
    this.advance();
    const { session } = this.#connection;
    if (!this.isIdle && session.isGone) this.#lose(session);
    this.expire();
    if (this.isIdle) return this.#rest();
    this.#alarm.setBy(this.#earliestDeadline(), !this.#hasBell);
    this.#lookout.look();
  }

  /** Ends the calls whose deadline has passed. */
  expire(): void {
    const now = performance.now();
    const unsettled = this.#unsettled();
    for (const call of unsettled) call.startClock(now);
    const late = unsettled.filter((call) => call.deadline <= now);
    if (late.length === 0) return;
    const { options, session } = this.#connection;
    const errorOf = session.isServing && !session.isExpelled ? timedOut : lost(session);
    for (const call of late) this.#end(call, (executed) => errorOf(options.name, executed));
    this.#dropSettled();
  }

  #unsettled(): Call[] {
    return [...this.#inFlight, ...this.#queued.toArray()];
  }

  #earliestDeadline(): number {
    return this.#unsettled().reduce((earliest, { deadline }) => Math.min(earliest, deadline), Infinity);
  }

  /** Ends a call that nobody waits for any more; if it has completed after all, its result stands. */
  endCall(call: Call, errorOf: (executed: Executed) => KvsError): void {
    this.#end(call, errorOf);
    this.#dropSettled();
  }

  /** Leaves the call among the others: of many that end at once, each would walk past all the rest. */
  #end(call: Call, errorOf: (executed: Executed) => KvsError): void {
    if (call.state === 'queued') return this.#reject(call, errorOf('no'));
    if (call.isSettled) return;
    const { session } = this.#connection;
    const result = session.end(call);
    if (result === 'done') this.#settle(session, call);
    else this.#reject(call, errorOf(result));
  }

  #dropSettled(): void {
    this.#inFlight = this.#inFlight.filter((call) => !call.isSettled);
    this.#queued.dropSettled();
  }

  /** Ends all calls: the server is gone. */
  readonly #lose = (session: Session): void => {
    session.lose();
    const errorOf = (executed: Executed): KvsError => lost(session)(this.#connection.options.name, executed);
    // Results that are there stand; what follows up on them ends here too.
    this.#settleAnswered(session);
    for (let call = this.#inFlight.shift(); call !== undefined; call = this.#inFlight.shift()) this.#end(call, errorOf);
    for (const call of this.#queued.toArray()) this.#end(call, errorOf);
    this.#queued.clear();
    this.#lookout.disarm();
  };

  /** The server was found dead by a blocking call. */
  lose(): void {
    this.#lose(this.#connection.session);
  }

  /** Calls `onIdle` as soon as nothing is in flight. */
  whenIdle(onIdle: () => void): void {
    if (this.isIdle) onIdle();
    else this.#onIdle = onIdle;
  }
}
