/**
 * Exhaustive exploration of small programs that run the shipped code over shared words. Every access through `Atomics`
 * is one scheduling point: an actor's operation is executed anew from its start with the results that it saw before,
 * makes one further access, and is stopped in front of the next. All interleavings are visited, depth first, and
 * states seen before are not visited again.
 * A violation is thrown with the schedule that leads to it.
 */

import { appendFileSync } from 'node:fs';

import { load, store } from '#dist/memory/words.js';

/** One access of a word; `value` is what the word holds afterwards. */
export interface Access {
  readonly kind: 'load' | 'store' | 'cas' | 'add' | 'exchange' | 'or' | 'and' | 'futex';
  readonly index: number;
  readonly before: number;
  readonly value: number;
}

/** Plain data: it is copied with every state. `pc` names the operations that may come next. */
export type Local = Record<string, number> & { pc: number };

/** One call of the shipped code. Whatever it changes in `local` counts when the call has returned. */
export interface Operation<Ghost> {
  readonly name: string;
  run(local: Local): void;
  /** The call is one loop that remembers nothing of its last round: its first access begins the next one. */
  readonly isLoop?: true;
  /** Runs once, in the instant of the call's last access. */
  after?(local: Local, ghost: Ghost): void;
}

export interface Actor<Ghost> {
  readonly name: string;
  readonly start: Local;
  /** The operations among which it may choose now; none: it has finished or waits for others. */
  choices(local: Local, ghost: Ghost, isDead: (actor: string) => boolean): readonly Operation<Ghost>[];
  /** Whether it may stop for ever at any point. */
  readonly mayDie?: boolean;
}

export interface Model<Ghost> {
  /** Prepares the words. */
  readonly setUp: () => void;
  readonly words: Int32Array;
  readonly actors: readonly Actor<Ghost>[];
  readonly ghost: Ghost;
  readonly maxDeaths?: number;
  /**
   * Stores reach the words later, in their order, as on x64: each actor's wait in a buffer, from which it loads itself, and
   * which a read-modify-write empties first. (P. Sewell et al., "x86-TSO", CACM 2010.) Else all happens at once.
   */
  readonly hasStoreBuffers?: boolean;
  /** Words whose accesses are no steps: nobody changes them. */
  isConstant?(index: number): boolean;
  /**
   * Whether an access is no step, because nobody else may look at that word just now: one made under the lock that guards
   * it. It happens together with the step before it, but death may come in front of it. To throw when the lock is not held.
   * `made`: how many accesses the operation has made before. 'unseen': whoever comes after a death does not look at that
   * word either, so that death in front of it is none of its own.
   */
  isHidden?(kind: Access['kind'], index: number, actor: string, made: number): boolean | 'unseen';
  /** Whether an access has to wait until another actor has changed something. */
  isBlocked?(kind: Access['kind'], index: number): boolean;
  /** Sees every access of every actor, a buffered store when it reaches the words. Throws when it must not be. */
  observe?(access: Access, ghost: Ghost, actor: string, words: Int32Array): void;
  /** Whether the system is at rest. Every state must have a way to rest without another death. Throws when it must not be. */
  isAtRest(words: Int32Array, ghost: Ghost, actors: readonly Snapshot[]): boolean;
}

export interface Snapshot {
  readonly local: Local;
  readonly isDead: boolean;
  /** Whether it is within an operation. */
  readonly isBusy: boolean;
}

interface Running {
  local: Local;
  isDead: boolean;
  /** Name of the operation it is within, '': none. */
  operation: string;
  /** What the accesses of the operation so far returned, and the first of them. */
  results: number[];
  first: string;
  /** Index and value in turn, of stores that nobody else sees yet. Even the dead's come through. */
  buffer: readonly number[];
}

interface State<Ghost> {
  /** Index and value in turn, of all words that are not 0. */
  readonly memory: number[];
  readonly actors: Running[];
  readonly ghost: Ghost;
  readonly deaths: number;
}

interface Node {
  readonly parent: number;
  readonly step: string;
  /** States from which one step other than a death leads here. */
  readonly from: number[];
}

class Pause extends Error {}
const PAUSE = new Pause();

/** Thrown by what `atomically` runs: the actor cannot go on before another has changed something. */
export class Blocked extends Error {}

let intercepted: OnAccess | undefined;

/** One access of one's own making, indivisible as those of Atomics: for stand-ins of system calls. */
export function atomically(index: number, perform: () => number): number {
  if (intercepted === undefined) throw new Error('nothing is being explored');
  return intercepted('futex', index, perform, 0);
}

export interface Explored {
  readonly states: number;
  /** From one state to the next, deaths too. */
  readonly steps: number;
  readonly atRest: number;
}

export function explore<Ghost>(model: Model<Ghost>, maxStates = 2_000_000): Explored {
  const explored = new Explorer(model, maxStates).run();
  // For figures: main.mjs.
  const file = process.env['KVS_EXPLORED'];
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(explored)}\n`);
  return explored;
}

class Explorer<Ghost> {
  readonly #model: Model<Ghost>;
  readonly #maxStates: number;
  readonly #ids = new Map<string, number>();
  readonly #nodes: Node[] = [];
  readonly #stack: { id: number; state: State<Ghost> }[] = [];
  readonly #resting: number[] = [];
  #steps = 0;
  /** Words that any actor ever touched, in order: no others can differ. */
  #touched: number[] = [];
  readonly #isTouched: Uint8Array;
  /** What an access of the words does just now. */
  #onAccess: OnAccess = (_, __, perform) => perform();

  constructor(model: Model<Ghost>, maxStates: number) {
    this.#model = model;
    this.#maxStates = maxStates;
    this.#isTouched = new Uint8Array(model.words.length);
  }

  run(): Explored {
    const { words, setUp, actors, ghost } = this.#model;
    words.fill(0);
    setUp();
    words.forEach((word, index) => word !== 0 && this.#touch(index));
    const idle = { isDead: false, operation: '', results: [], first: '', buffer: [] };
    const start = actors.map(({ start: local }) => ({ ...idle, local: { ...local } }));
    this.#visit({ memory: this.#memory(), actors: start, ghost, deaths: 0 }, -1, 'start', false);
    checkInterception(words);
    const restore = intercept((kind, index, perform, stored) => this.#onAccess(kind, index, perform, stored), words);
    try {
      for (let top = this.#stack.pop(); top !== undefined; top = this.#stack.pop()) this.#expand(top.id, top.state);
    } finally {
      restore();
    }
    this.#checkRest();
    return { states: this.#nodes.length, steps: this.#steps, atRest: this.#resting.length };
  }

  #expand(id: number, state: State<Ghost>): void {
    const isDead = (name: string) => state.actors[this.#model.actors.findIndex((actor) => actor.name === name)].isDead;
    for (const [index, actor] of this.#model.actors.entries()) {
      const running = state.actors[index];
      if (running.buffer.length > 0) this.#drain(id, state, index);
      if (running.isDead) continue;
      const choices = actor.choices(running.local, state.ghost, isDead);
      const isFinished = running.operation === '' && choices.length === 0;
      if (!isFinished) this.#die(id, state, index);
      for (const operation of choices) {
        if (['', operation.name].includes(running.operation)) this.#step(id, state, index, operation);
      }
    }
  }

  #die(id: number, state: State<Ghost>, index: number): void {
    const { mayDie, name } = this.#model.actors[index];
    if (mayDie !== true || state.deaths >= (this.#model.maxDeaths ?? 0)) return;
    // Nobody sees any more what it knew.
    const dead = { ...state.actors[index], local: { pc: -1 }, isDead: true, operation: '', results: [], first: '' };
    const actors = state.actors.with(index, dead);
    this.#visit({ ...state, actors, deaths: state.deaths + 1 }, id, `${name} dies`, true);
  }

  /** Lets the oldest store of an actor reach the words. */
  #drain(id: number, state: State<Ghost>, index: number): void {
    const { name } = this.#model.actors[index];
    const [at, value, ...buffer] = state.actors[index].buffer;
    this.#restore(state.memory);
    const ghost = copyOf(state.ghost);
    const before = this.#model.words[at];
    const step = `${name}: its store reaches [${at}] ${before}→${value}`;
    this.#touch(at);
    this.#model.words[at] = value;
    try {
      this.#model.observe?.({ kind: 'store', index: at, before, value }, ghost, name, this.#model.words);
    } catch (error) {
      throw this.#violation(error, id, step);
    }
    const actors = state.actors.with(index, { ...state.actors[index], buffer });
    this.#visit({ memory: this.#memory(), actors, ghost, deaths: state.deaths }, id, step, false);
  }

  /** Lets an actor make one access. */
  #step(id: number, state: State<Ghost>, index: number, operation: Operation<Ghost>): void {
    const { name } = this.#model.actors[index];
    this.#restore(state.memory);
    const running = state.actors[index];
    const local = { ...running.local };
    const ghost = copyOf(state.ghost);
    let next: Running;
    let label = operation.name;
    /** Memory in front of each hidden change. */
    const instants: number[][] = [];
    const die = () => instants.forEach((memory) => this.#die(id, { ...state, memory }, index));
    try {
      const { results, first, access, buffer, isDone } = this.#access(operation, local, running, name, instants);
      if (access !== undefined) {
        label += ` ${access.kind} [${access.index}] ${access.before}→${access.value}`;
        const isBuffered = buffer.length > running.buffer.length;
        if (!isBuffered) this.#model.observe?.(access, ghost, name, this.#model.words);
      }
      if (isDone) {
        operation.after?.(local, ghost);
        next = { local, isDead: false, operation: '', results: [], first: '', buffer };
      } else {
        next = { ...running, operation: operation.name, results, first, buffer };
      }
    } catch (error) {
      if (error instanceof Blocked) return die();
      throw this.#violation(error, id, `${name}: ${label}`);
    }
    const actors = state.actors.with(index, next);
    this.#visit({ memory: this.#memory(), actors, ghost, deaths: state.deaths }, id, `${name}: ${label}`, false);
    die();
  }

  #access(operation: Operation<Ghost>, local: Local, running: Running, name: string, instants: number[][]) {
    const results = [...running.results];
    let { first } = running;
    let replayed = 0;
    let access: Access | undefined;
    let { buffer } = running;
    let end: Error | undefined;
    // What runs in a `finally` on its way out must change nothing any more.
    const stop = (error: Error) => (end = error);
    this.#onAccess = (kind, at, perform, stored) => {
      if (end !== undefined) throw end;
      if (this.#model.isConstant?.(at) === true) return perform();
      if (replayed < results.length) return results[replayed++];
      const hidden = this.#model.isHidden?.(kind, at, name, results.length) ?? false;
      if (hidden !== false) {
        this.#touch(at);
        if (kind !== 'load' && hidden === true) instants.push(this.#memory());
        replayed = results.push(perform());
        return results[replayed - 1];
      }
      if (access !== undefined) throw stop(PAUSE);
      if (this.#model.isBlocked?.(kind, at) === true) throw stop(new Blocked());
      this.#touch(at);
      const before = this.#model.words[at];
      let result: number;
      if (this.#model.hasStoreBuffers !== true) result = perform();
      else if (kind === 'store') [result, buffer] = [stored, [...buffer, at, stored]];
      else if (kind === 'load') result = inBuffer(buffer, at) ?? perform();
      else if (buffer.length === 0) result = perform();
      else throw stop(new Blocked());
      access = { kind, index: at, before, value: kind === 'store' ? stored : this.#model.words[at] };
      if (results.length === 0) first = `${kind} ${at}`;
      else if (operation.isLoop === true && `${kind} ${at}` === first) results.length = 0;
      results.push(result);
      replayed = results.length;
      return result;
    };
    try {
      operation.run(local);
      return { results, first, access, buffer, isDone: true };
    } catch (error) {
      if (!(error instanceof Pause)) throw error;
      return { results, first, access, buffer, isDone: false };
    } finally {
      this.#onAccess = (_, __, perform) => perform();
    }
  }

  #visit(state: State<Ghost>, parent: number, step: string, isDeath: boolean): void {
    const key = keyOf(state);
    if (parent >= 0) this.#steps++;
    let id = this.#ids.get(key);
    if (id === undefined) {
      id = this.#nodes.length;
      if (id >= this.#maxStates) throw new Error(`more than ${this.#maxStates} states`);
      this.#ids.set(key, id);
      this.#nodes.push({ parent, step, from: [] });
      this.#stack.push({ id, state });
      this.#restore(state.memory);
      const snapshots = state.actors.map(({ local, isDead, operation }) => ({
        local,
        isDead,
        isBusy: operation !== '',
      }));
      const isStored = state.actors.every(({ buffer }) => buffer.length === 0);
      try {
        if (isStored && this.#model.isAtRest(this.#model.words, state.ghost, snapshots)) this.#resting.push(id);
      } catch (error) {
        throw this.#violation(error, id, '');
      }
    }
    if (parent >= 0 && !isDeath) this.#nodes[id].from.push(parent);
  }

  /** Walks back from the states at rest: whatever is not reached can never come to rest. */
  #checkRest(): void {
    const reached = new Uint8Array(this.#nodes.length);
    const stack = [...this.#resting];
    for (const id of stack) reached[id] = 1;
    for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
      for (const from of this.#nodes[id].from) {
        if (reached[from] !== 0) continue;
        reached[from] = 1;
        stack.push(from);
      }
    }
    const stuck = reached.indexOf(0);
    if (stuck >= 0) throw this.#violation(new Error('from here the system never comes to rest'), stuck, '');
  }

  #touch(index: number): void {
    if (this.#isTouched[index] !== 0) return;
    this.#isTouched[index] = 1;
    this.#touched = [...this.#touched, index].sort((a, b) => a - b);
  }

  #memory(): number[] {
    const memory: number[] = [];
    for (const index of this.#touched) {
      const word = this.#model.words[index];
      if (word !== 0) memory.push(index, word);
    }
    return memory;
  }

  #restore(memory: readonly number[]): void {
    for (const index of this.#touched) this.#model.words[index] = 0;
    for (let i = 0; i < memory.length; i += 2) this.#model.words[memory[i]] = memory[i + 1];
  }

  #violation(cause: unknown, id: number, last: string): Error {
    const steps = [last];
    for (let at = id; at >= 0; at = this.#nodes[at].parent) steps.unshift(this.#nodes[at].step);
    const message = cause instanceof Error ? cause.message : String(cause);
    return new Error(`${message}\nafter ${steps.length - 2} steps:\n  ${steps.join('\n  ')}`, { cause });
  }
}

/** Equal for equal states: all of it is plain data, made in the same order each time. */
function keyOf<Ghost>({ memory, actors, ghost, deaths }: State<Ghost>): string {
  let key = `${deaths}|${memory.join(' ')}`;
  for (const { local, isDead, operation, results, buffer } of actors) {
    key += isDead ? '|dead' : `|${Object.values(local).join(' ')} ${operation} ${results.join(' ')}`;
    if (buffer.length > 0) key += ` then ${buffer.join(' ')}`;
  }
  return `${key}|${JSON.stringify(ghost)}`;
}

/** A copy of plain data. */
function copyOf<T>(value: T): T {
  if (Array.isArray(value)) return value.map(copyOf) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, copyOf(item)])) as T;
}

/** What an actor has stored last at an index, undefined: nothing that waits. */
function inBuffer(buffer: readonly number[], index: number): number | undefined {
  for (let i = buffer.length - 2; i >= 0; i -= 2) if (buffer[i] === index) return buffer[i + 1];
  return undefined;
}

/** `stored` counts for stores only. */
type OnAccess = (kind: Access['kind'], index: number, perform: () => number, stored: number) => number;

/** Sends the Atomics that are used on `words` through `onAccess`. @returns what undoes it */
function intercept(onAccess: OnAccess, words: Int32Array): () => void {
  const { load, store, add, exchange, compareExchange, or, and } = Atomics;
  intercepted = onAccess;
  Object.assign(Atomics, {
    load: (_: Int32Array, i: number) => onAccess('load', i, () => load(words, i), 0),
    store: (_: Int32Array, i: number, v: number) => onAccess('store', i, () => store(words, i, v), v),
    add: (_: Int32Array, i: number, v: number) => onAccess('add', i, () => add(words, i, v), 0),
    exchange: (_: Int32Array, i: number, v: number) => onAccess('exchange', i, () => exchange(words, i, v), 0),
    or: (_: Int32Array, i: number, v: number) => onAccess('or', i, () => or(words, i, v), 0),
    and: (_: Int32Array, i: number, v: number) => onAccess('and', i, () => and(words, i, v), 0),
    compareExchange: (_: Int32Array, i: number, e: number, v: number) =>
      onAccess('cas', i, () => compareExchange(words, i, e, v), 0),
  });
  return () => {
    intercepted = undefined;
    Object.assign(Atomics, { load, store, add, exchange, compareExchange, or, and });
  };
}

/** Without it an exploration would pass over accesses in silence. */
function checkInterception(words: Int32Array): void {
  const seen: string[] = [];
  const restore = intercept((kind, _, perform) => (seen.push(kind), perform()), words);
  store(words, 0, load(words, 0));
  restore();
  if (seen.join() !== 'load,store' || intercepted !== undefined)
    throw new Error('import ./atomic-words.js before anything else');
}
