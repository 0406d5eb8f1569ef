/** Node's own IPC: the process that forked the clients holds a Map, they ask it with process.send(). */

/** @import { ChildProcess } from 'node:child_process' */
/** @import { Batch, Peer, Store, Value } from './peer.mjs' */

/** @typedef {{ ask: number, keys: string[], values?: Value[] | undefined }} Question without values: a read */
/** @typedef {{ answer: number, values: (Value | undefined)[] }} Answer */

/** @type {Map<string, Value>} */
const entries = new Map();

/** @type {Peer} */
export const nodeIpc = {
  id: 'node IPC',
  note: 'process.send() to the parent process, which keeps a Map; serialization advanced; the parent is the benchmark itself',
  isShared: true,

  async start() {
    return { address: '', pids: [process.pid], version: process.version, stop: () => entries.clear() };
  },

  connect: async () => new IpcClient(),
};

/**
 * The parent's side. @returns whether the message was a question
 * @param {ChildProcess} client
 * @param {unknown} message
 */
export function answerQuestion(client, message) {
  const { ask, keys, values } = /** @type {Question} */ (message);
  if (ask === undefined) return false;
  if (values === undefined) {
    client.send({ answer: ask, values: keys.map((key) => entries.get(key)) });
    return true;
  }
  for (let i = 0; i < keys.length; i++) entries.set(keys[i], values[i]);
  client.send({ answer: ask, values: [] });
  return true;
}

/** @implements {Store} */
class IpcClient {
  isPipelined = true;
  #lastId = 0;
  /** @type {Map<number, (values: Batch) => void>} */
  #waiting = new Map();

  constructor() {
    process.on('message', this.#receive);
  }

  /** @param {string} key */
  async get(key) {
    return (await this.#ask([key]))[0];
  }

  /**
   * @param {string} key
   * @param {Value} value
   */
  async set(key, value) {
    return this.#ask([key], [value]);
  }

  /** @param {string[]} keys */
  async mget(keys) {
    return this.#ask(keys);
  }

  /** @param {[string, Value][]} batch */
  async mset(batch) {
    const keys = batch.map(([key]) => key);
    const values = batch.map(([, value]) => value);
    return this.#ask(keys, values);
  }

  close() {
    process.off('message', this.#receive);
  }

  /**
   * @param {string[]} keys
   * @param {Value[]} [values]
   * @returns {Promise<Batch>}
   */
  #ask(keys, values) {
    const ask = ++this.#lastId;
    return new Promise((resolve) => {
      this.#waiting.set(ask, resolve);
      process.send?.({ ask, keys, values });
    });
  }

  #receive = (/** @type {unknown} */ message) => {
    const { answer, values } = /** @type {Answer} */ (message);
    const resolve = this.#waiting.get(answer);
    if (resolve === undefined) return;
    this.#waiting.delete(answer);
    resolve(values);
  };
}
