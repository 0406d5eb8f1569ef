/**
 * Whether the operations on one key could have taken effect one after the other, each at one moment of its interval:
 * the search of Wing and Gong (1993) with Lowe's (2017) memory of configurations that led nowhere. Keys are independent,
 * so a history is linearizable if each key's is.
 * Operations of one session take effect in the order of their issue: that is promised too, and makes the search short.
 * So does what a value tells that only one operation writes: it is not overwritten while somebody has yet to read it, and
 * the version that anybody has seen it with is its own. What may not have happened is taken for something that did not
 * where the next operation overwrites it unseen.
 * Never a guess: a search that outgrows its budget is `undecided`, which is no pass.
 */
import { isVague, MISSING, stateKey, step, withVersion } from './key-model.mjs';

/** @import { Operation, State } from './key-model.mjs' */

/**
 * @typedef {object} Verdict
 * @property {'linearizable' | 'violation' | 'undecided'} verdict
 * @property {number} configurations how many were looked at
 * @property {Dead | undefined} stuck the longest way that led nowhere, if there was none that led to the end
 */
/** @typedef {{ done: number, state: State, waiting: Operation[] }} Dead */
/** @typedef {{ index: number, isOpen: boolean, next: State }} Move */
/** @typedef {{ moves: Move[], at: number, low: number, rank: number }} Frame */

export const BUDGET = 400_000;

/** @param {readonly Operation[]} operations on one key @param {number} [budget] @returns {Verdict} */
export function checkKey(operations, budget = BUDGET) {
  return new Search(operations).run(budget);
}

/**
 * The operations of one kind, in the order of invocation, and what of their sessions matters: which session, the place
 * in it, and the closed operation that comes right before (-1: none).
 * @typedef {{ operations: Operation[], isDone: Uint8Array, session: number[], rank: number[], previous: number[] }} Track
 */

/** @param {readonly Operation[]} operations @returns {Track} */
const trackOf = (operations) => ({
  operations: operations.toSorted((a, b) => a.invoked - b.invoked),
  isDone: new Uint8Array(operations.length),
  session: [],
  rank: [],
  previous: [],
});

/** The values that one operation writes, and no other: not one that may be a sum. */
class UniqueValues {
  /** How often each has yet to be read. @type {Map<string, number>} */
  #reads = new Map();
  /** What each was seen with. @type {Map<string, number>} */
  #versions = new Map();

  /** @param {readonly Operation[]} operations */
  constructor(operations) {
    const hasSums = operations.some(({ name }) => name === 'incr');
    const written = operations.flatMap(({ value }) => (value === undefined ? [] : [value]));
    /** @type {Set<string>} */
    const once = new Set();
    /** @type {Set<string>} */
    const again = new Set();
    for (const value of written) (once.has(value) ? again : once).add(value);
    for (const value of once) {
      if (!again.has(value) && !(hasSums && Number.isFinite(Number(value)))) this.#reads.set(value, 0);
    }
    for (const operation of operations) {
      if (operation.isOpen) continue;
      this.noteRead(operation, 1);
      const { result } = operation;
      if (operation.name !== 'getEntry' || result === undefined) continue;
      const { value, version } = /** @type {{ value: string, version: number }} */ (result);
      if (this.#reads.has(value)) this.#versions.set(value, version);
    }
  }

  /** One more read is outstanding, or one less. @param {Operation} operation closed @param {1 | -1} by */
  noteRead(operation, by) {
    const value = readBy(operation);
    const reads = value === undefined ? undefined : this.#reads.get(value);
    if (value !== undefined && reads !== undefined) this.#reads.set(value, reads + by);
  }

  /** Whether any other operation has yet to read it. @param {string | undefined} value @param {Operation} operation */
  isAwaited(value, operation) {
    if (value === undefined) return false;
    const own = !operation.isOpen && readBy(operation) === value ? 1 : 0;
    return (this.#reads.get(value) ?? 0) > own;
  }

  /** @param {State} state just written @returns {State | undefined} with the version that was seen; undefined: it is too low */
  withVersion(state) {
    const version = state.value === undefined ? undefined : this.#versions.get(state.value);
    return version === undefined ? state : withVersion(state, version);
  }
}

/** The value that it has read. @param {Operation} operation closed @returns {string | undefined} */
function readBy({ name, result }) {
  if (name === 'get' || name === 'getdel') return /** @type {string | undefined} */ (result);
  if (name === 'getEntry') return /** @type {{ value: string } | undefined} */ (result)?.value;
  return undefined;
}

class Search {
  #closed;
  #open;
  /** Of each session: its open operations, and the highest rank that is done. @type {number[][]} */
  #opens = [];
  /** @type {number[]} */
  #highest = [];
  #low = 0;
  #done = 0;
  #seen = new Set();
  /** @type {Dead | undefined} */
  #dead;
  #values;

  /** @param {readonly Operation[]} operations */
  constructor(operations) {
    this.#values = new UniqueValues(operations);
    this.#closed = trackOf(operations.filter(({ isOpen }) => !isOpen));
    this.#open = trackOf(operations.filter(({ isOpen }) => isOpen));
    /** @type {Map<string, { track: Track, index: number, issue: number }[]>} */
    const sessions = new Map();
    for (const track of [this.#closed, this.#open]) {
      for (const [index, { session, issue }] of track.operations.entries()) {
        const list = sessions.get(session) ?? [];
        if (list.length === 0) sessions.set(session, list);
        list.push({ track, index, issue });
      }
    }
    for (const list of sessions.values()) this.#enterSession(list.toSorted((a, b) => a.issue - b.issue));
  }

  /** @param {{ track: Track, index: number }[]} list in the order of issue */
  #enterSession(list) {
    const session = this.#opens.length;
    let previous = -1;
    this.#opens.push([]);
    this.#highest.push(-1);
    for (const [rank, { track, index }] of list.entries()) {
      track.session[index] = session;
      track.rank[index] = rank;
      track.previous[index] = previous;
      if (track === this.#closed) previous = index;
      else this.#opens[session].push(index);
    }
  }

  /** @param {number} budget @returns {Verdict} */
  run(budget) {
    const total = this.#closed.operations.length;
    /** @type {Frame[]} */
    const stack = [];
    let state = MISSING;
    let configurations = 0;
    /** @type {Verdict['verdict']} */
    let verdict = 'violation';
    for (;;) {
      if (this.#done === total) {
        verdict = 'linearizable';
        break;
      }
      if (++configurations > budget) {
        verdict = 'undecided';
        break;
      }
      const last = stack.at(-1);
      const isAfterOpen = last?.moves[last.at].isOpen ?? false;
      stack.push({ moves: this.#moves(state, isAfterOpen), at: 0, low: this.#low, rank: 0 });
      const next = this.#advance(stack);
      if (next === undefined) break;
      state = next;
    }
    return { verdict, configurations, stuck: verdict === 'linearizable' ? undefined : this.#dead };
  }

  /** Takes the next move there is, going back as far as must be. @param {Frame[]} stack @returns {State | undefined} */
  #advance(stack) {
    for (let frame = stack.at(-1); frame !== undefined; frame = stack.at(-1)) {
      const move = frame.moves[frame.at];
      if (move !== undefined) {
        this.#make(move, frame);
        return move.next;
      }
      stack.pop();
      const before = stack.at(-1);
      if (before !== undefined) this.#takeBack(before.moves[before.at++], before);
    }
    return undefined;
  }

  /** @param {Move} move @param {Frame} frame */
  #make({ index, isOpen }, frame) {
    const track = isOpen ? this.#open : this.#closed;
    track.isDone[index] = 1;
    frame.rank = this.#highest[track.session[index]];
    this.#highest[track.session[index]] = Math.max(frame.rank, track.rank[index]);
    if (isOpen) return;
    this.#values.noteRead(track.operations[index], -1);
    this.#done++;
    while (this.#closed.isDone[this.#low] === 1) this.#low++;
  }

  /** @param {Move} move @param {Frame} frame */
  #takeBack({ index, isOpen }, frame) {
    const track = isOpen ? this.#open : this.#closed;
    track.isDone[index] = 0;
    this.#highest[track.session[index]] = frame.rank;
    this.#low = frame.low;
    if (isOpen) return;
    this.#values.noteRead(track.operations[index], 1);
    this.#done--;
  }

  /**
   * What may come next. @param {State} state @param {boolean} isAfterOpen @returns {Move[]} none: nothing, or all of it
   * was tried before
   */
  #moves(state, isAfterOpen) {
    const { operations, isDone, previous } = this.#closed;
    /** @type {Move[]} */
    const moves = [];
    /** @type {Operation[]} */
    const waiting = [];
    let shape = '';
    let firstReturn = Infinity;
    for (let index = this.#low; index < operations.length; index++) {
      const operation = operations[index];
      if (operation.invoked > firstReturn) break;
      if (isDone[index] === 1) {
        shape += `,${index}`;
        continue;
      }
      firstReturn = Math.min(firstReturn, operation.returned);
      waiting.push(operation);
      if (previous[index] >= 0 && isDone[previous[index]] === 0) continue;
      const next = this.#step(state, operation, isAfterOpen);
      if (next === undefined) continue;
      // What can only be a look may as well be now, unless it would end the chance of an open one before it.
      if (next === state && !isVague(operation) && !this.#hasChance(index)) return [{ index, isOpen: false, next }];
      moves.push({ index, isOpen: false, next });
    }
    moves.sort((a, b) => operations[a.index].returned - operations[b.index].returned);
    shape += this.#addOpen(state, firstReturn, moves, isAfterOpen);
    const configuration = `${this.#low}${shape}|${stateKey(state)}`;
    if (this.#seen.has(configuration)) return [];
    this.#seen.add(configuration);
    if (moves.length === 0 && this.#done >= (this.#dead?.done ?? 0)) this.#dead = { done: this.#done, state, waiting };
    return moves;
  }

  /**
   * @param {State} state @param {number} firstReturn @param {Move[]} moves @param {boolean} isAfterOpen
   * @returns {string} which open ones are done
   */
  #addOpen(state, firstReturn, moves, isAfterOpen) {
    const { operations, isDone, previous } = this.#open;
    let shape = ';';
    for (const [index, operation] of operations.entries()) {
      if (operation.invoked > firstReturn) break;
      if (isDone[index] === 1) shape += `,${index}`;
      else if (this.#isAlive(index) && (previous[index] < 0 || this.#closed.isDone[previous[index]] === 1)) {
        const next = this.#step(state, operation, isAfterOpen);
        if (next !== undefined && next !== state) moves.push({ index, isOpen: true, next });
      }
    }
    return shape;
  }

  /**
   * @param {State} state @param {Operation} operation @param {boolean} isAfterOpen whether `state` is of an open one
   * @returns {State | undefined} undefined: it cannot come next, or need not
   */
  #step(state, operation, isAfterOpen) {
    // Without the open one before, all would be the same.
    if (isAfterOpen && (operation.name === 'set' || isVague(operation))) return undefined;
    const next = step(state, operation);
    if (next === undefined || next.value === state.value) return next;
    return this.#values.isAwaited(state.value, operation) ? undefined : this.#values.withVersion(next);
  }

  /** Whether an open operation may still take effect: none that was issued later has. @param {number} index */
  #isAlive(index) {
    return this.#open.isDone[index] === 0 && this.#open.rank[index] > this.#highest[this.#open.session[index]];
  }

  /** @param {number} index of a closed operation @returns whether an open one of its session, issued before, is alive */
  #hasChance(index) {
    const { session, rank } = this.#closed;
    const opens = this.#opens[session[index]];
    return opens.some((open) => this.#open.rank[open] < rank[index] && this.#isAlive(open));
  }
}
