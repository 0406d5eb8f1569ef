/** Random operations on few keys, each recorded: what a client process of a storm does, and the storm itself in the end. */
import { KvsError } from '#dist/index.js';

import { expand, tokenOf } from './values.mjs';

/** @import { KvsClient } from '#dist/index.js' */
/** @import { Recorder } from './recorder.mjs' */

/** @typedef {'async' | 'sync' | 'task'} Way */
/** @typedef {{ client: KvsClient, session: number, isHasty: boolean }} Seat one client of a process */

export const TEXT_KEYS = 6;
export const NUMBER_KEYS = 3;

/** What a hasty client is told. @type {ReadonlySet<string>} */
const EXPECTED = new Set(['ERR_KVS_TIMEOUT', 'ERR_KVS_ABORTED', 'ERR_KVS_SERVER_GONE']);

/** What operations are to the history: batches to each of their keys; a key that expires at once is deleted. @type {Record<string, string>} */
const SINGLE = { mset: 'set', mget: 'get', mdel: 'del', expire: 'del' };
const TAKES_EXPIRY = new Set(['set', 'post', 'cas', 'mset']);
const DAY_MS = 86_400_000;

/** @param {number} generation */
export function keysOf(generation) {
  const of = (/** @type {string} */ kind, /** @type {number} */ count) =>
    Array.from({ length: count }, (_, i) => `${generation} ${kind} ${i}`);
  return { texts: of('text', TEXT_KEYS), numbers: of('number', NUMBER_KEYS) };
}

export class Workload {
  #recorder;
  #random;
  #writer;
  #written = 0;
  /** Versions seen last, to swap at. @type {Map<string, number>} */
  #versions = new Map();

  /** @param {Recorder} recorder @param {(below: number) => number} random @param {number} writer of all, for ever */
  constructor(recorder, random, writer) {
    this.#recorder = recorder;
    this.#random = random;
    this.#writer = writer;
  }

  /** One operation or batch of any kind. @param {Seat} seat @param {number} generation of keys */
  async one(seat, generation) {
    const { texts, numbers } = keysOf(generation);
    const random = this.#random;
    const way = /** @type {const} */ (['async', 'async', 'async', 'task', 'sync'])[random(5)];
    const isNumber = random(4) === 0;
    const key = isNumber ? numbers[random(NUMBER_KEYS)] : texts[random(TEXT_KEYS)];
    const token = () => (isNumber ? this.#number() : this.#text());
    const kind = random(100);
    if (isNumber && kind < 50) await this.perform(seat, way, 'incr', [[key, 1 + random(9)]]);
    else if (kind < 30) await this.perform(seat, way, random(4) === 0 ? 'getEntry' : 'get', [[key]]);
    else if (kind < 50) await this.perform(seat, way, 'set', [[key, token()]]);
    else if (kind < 58) await this.perform(seat, way, 'post', [[key, token()]]);
    else if (kind < 66) await this.#swap(seat, way, key, token());
    else if (kind < 72) await this.perform(seat, way, random(2) === 0 ? 'del' : 'expire', [[key]]);
    else if (kind < 76) await this.perform(seat, way, 'getdel', [[key]]);
    else if (kind < 80) await this.perform(seat, way, 'exists', [[key]]);
    else if (kind < 86) await this.#view(seat, texts[random(TEXT_KEYS)]);
    else await this.#batch(seat, way, texts);
  }

  /** Removes what nobody uses any more. @param {Seat} seat @param {number} generation */
  async remove(seat, generation) {
    const { texts, numbers } = keysOf(generation);
    for (const key of [...texts, ...numbers]) await this.perform(seat, 'async', 'getdel', [[key]]);
  }

  /**
   * @param {Seat} seat @param {Way} way @param {string} name @param {(readonly [string, ...unknown[]])[]} items
   */
  async perform({ client, session, isHasty }, way, name, items) {
    // Some expire after the storm.
    const expiry = TAKES_EXPIRY.has(name) && this.#random(3) === 0 ? { ttlMs: DAY_MS } : {};
    const options = { ...expiry, ...(isHasty ? this.#haste() : {}) };
    const number = this.#recorder.begin(session, SINGLE[name] ?? name, items);
    try {
      const result = await call(client, way, name, [...argumentsOf(name, items), options]);
      const results = this.#results(name, items, result);
      this.#recorder.end(number, 'ok', results);
    } catch (error) {
      this.#failed(number, error, isHasty);
    }
  }

  /** @param {string} name @param {(readonly [string, ...unknown[]])[]} items @param {unknown} result */
  #results(name, items, result) {
    if (name === 'mget') return /** @type {(string | undefined)[]} */ (result).map(tokenOf);
    if (name === 'mset') return items.map(() => true);
    if (name === 'mdel') return [];
    if (name === 'get' || name === 'getdel') return [tokenOf(/** @type {string | undefined} */ (result))];
    if (name !== 'getEntry' || result === undefined) return [result];
    const { value, version } = /** @type {{ value: string, version: number }} */ (result);
    this.#versions.set(items[0][0], version);
    return [{ value: tokenOf(value), version }];
  }

  /** @param {number} number @param {unknown} error @param {boolean} isHasty */
  #failed(number, error, isHasty) {
    if (!(error instanceof KvsError)) throw error;
    this.#recorder.end(number, error.executed === 'no' ? 'no' : 'unknown');
    const isExpected = (isHasty && EXPECTED.has(error.code)) || error.code === 'ERR_KVS_OUT_OF_MEMORY';
    if (!isExpected) this.#recorder.fault(`${error.code}: ${error.message}`);
  }

  /** @param {Seat} seat @param {Way} way @param {string} key @param {string} token */
  async #swap(seat, way, key, token) {
    if (this.#random(2) === 0) await this.perform(seat, way, 'getEntry', [[key]]);
    const expected = this.#random(4) === 0 ? 0 : (this.#versions.get(key) ?? 0);
    await this.perform(seat, way, 'cas', [[key, expected, token]]);
  }

  /** @param {Seat} seat @param {Way} way @param {string[]} keys */
  async #batch(seat, way, keys) {
    const chosen = keys.filter(() => this.#random(2) === 0);
    const kind = this.#random(6);
    if (kind < 3)
      await this.perform(
        seat,
        way,
        'mget',
        chosen.map((key) => [key]),
      );
    else if (kind < 5)
      await this.perform(
        seat,
        way,
        'mset',
        chosen.map((key) => [key, this.#text()]),
      );
    else
      await this.perform(
        seat,
        way,
        'mdel',
        chosen.slice(0, 2).map((key) => [key]),
      );
  }

  /** A view is held for a while, in which its bytes stay what they were. @param {Seat} seat @param {string} key */
  async #view({ client, session, isHasty }, key) {
    const number = this.#recorder.begin(session, 'get', [[key]]);
    try {
      const view = await client.getView(key, isHasty ? this.#haste() : {});
      const text = view?.bytes.toString('latin1');
      this.#recorder.end(number, 'ok', [tokenOf(text)]);
      if (view === undefined) return;
      for (let turns = this.#random(20); turns > 0; turns--) await new Promise(setImmediate);
      if (view.bytes.toString('latin1') !== text) this.#recorder.fault(`a view of ${key} has changed`);
      view.release();
    } catch (error) {
      this.#failed(number, error, isHasty);
    }
  }

  /** A deadline that is often too short, or a signal that may come at any time. */
  #haste() {
    const timeoutMs = [0, 1, 2, 5, 20, 100][this.#random(6)];
    if (this.#random(4) > 0) return { timeoutMs };
    const aborting = new AbortController();
    setTimeout(() => aborting.abort(), timeoutMs);
    return { signal: aborting.signal };
  }

  /** Most are small; some need the arena, some a run of their own in the heap and a view. */
  #text() {
    const kind = this.#random(100);
    const length =
      kind < 75 ? 20 + this.#random(80) : kind < 90 ? this.#random(9000) : this.#random(kind < 99 ? 60_000 : 700_000);
    return `${this.#writer}.${++this.#written}:${length}`;
  }

  #number() {
    return String((this.#writer * 100_000 + ++this.#written) * 1_000_000);
  }
}

/** @param {string} name @param {(readonly [string, ...unknown[]])[]} items @returns {unknown[]} */
function argumentsOf(name, items) {
  if (name === 'mget' || name === 'mdel') return [items.map(([key]) => key)];
  if (name === 'mset') return [items.map(([key, token]) => [key, valueOf(token)])];
  const [key, ...rest] = items[0];
  if (name === 'expire') return [key, { expiresAt: 0 }];
  return [key, ...rest.map((each) => (typeof each === 'string' ? valueOf(each) : each))];
}

/** @param {unknown} token */
const valueOf = (token) => (String(token).includes(':') ? expand(String(token)) : String(token));

/** @param {KvsClient} client @param {Way} way @param {string} name @param {unknown[]} args */
function call(client, way, name, args) {
  const methods = /** @type {Record<string, (...args: unknown[]) => unknown>} */ (/** @type {unknown} */ (client));
  if (way === 'sync') return methods[`${name}Sync`](...args);
  return way === 'task' ? methods['submit'](name, ...args) : methods[name](...args);
}
