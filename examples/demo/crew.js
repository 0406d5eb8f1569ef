/**
 * The four client processes, as the main process sees them. One that is killed is replaced by a fresh process that
 * starts the work of its predecessor again.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { CLIENTS } from './words.js';

/** @import { ChildProcess } from 'node:child_process' */
/** @import { Order, Report, Result } from './client.js' */

const program = fileURLToPath(new URL('client.js', import.meta.url));

export class Crew {
  #args;
  /** @type {ChildProcess[]} */
  #processes = [];
  #isClosed = false;
  /** Operations of each client in this phase. */
  #progress = Array.from({ length: CLIENTS }, () => 0);
  /** Called with the operations of all clients in this phase. */
  onProgress = (/** @type {number} */ _operations) => {};
  /** Called when a client is killed and when its replacement is there, with words for people. */
  onReplace = (/** @type {string} */ _text) => {};

  /**
   * @param {string} name of the server
   * @param {number} words
   */
  constructor(name, words) {
    this.#args = [name, words];
  }

  /** Resolves when all clients are connected. */
  async start() {
    await Promise.all(Array.from({ length: CLIENTS }, async (_, client) => this.#start(client)));
  }

  /**
   * All clients do what is ordered, at the same time.
   * @param {(client: number) => Order} orderOf
   * @returns {Promise<Result[]>}
   */
  async perform(orderOf) {
    this.#progress.fill(0);
    return Promise.all(this.#processes.map(async (_, client) => this.#order(client, orderOf(client))));
  }

  /** No more orders: the clients disconnect and end. */
  async end() {
    this.#isClosed = true;
    await Promise.all(
      this.#processes.filter(isAlive).map(async (process) => {
        const ended = once(process, 'exit');
        if (process.connected) process.disconnect();
        await ended;
      }),
    );
  }

  /** Whatever they are doing. */
  kill() {
    this.#isClosed = true;
    for (const process of this.#processes) process.kill('SIGKILL');
  }

  /** @param {number} client */
  async #start(client) {
    if (this.#isClosed) throw new Error('the demo was stopped');
    const [name, words] = this.#args;
    const process = fork(program, [`${name}`, `${client}`, `${words}`], { serialization: 'advanced' });
    this.#processes[client] = process;
    await this.#report(client);
  }

  /**
   * @param {number} client
   * @param {Order} order
   * @returns {Promise<Result>}
   */
  async #order(client, order) {
    // If it cannot be sent, the process is dead: #report tells.
    this.#processes[client].send(order, () => {});
    const report = await this.#report(client);
    if (report.type === 'result') return report.result;
    await this.#replace(client);
    return this.#order(client, { ...order, hangAfter: undefined });
  }

  /** @param {number} client */
  async #replace(client) {
    const process = this.#processes[client];
    const ended = once(process, 'exit');
    process.kill('SIGKILL');
    await ended;
    this.onReplace(`client ${client + 1}, process ${process.pid}, was killed with requests in flight`);
    await this.#start(client);
    this.onReplace(`process ${this.#processes[client].pid} takes over as client ${client + 1}`);
  }

  /**
   * The next report that is more than progress.
   * @param {number} client
   * @returns {Promise<Report>}
   */
  async #report(client) {
    const process = this.#processes[client];
    return new Promise((resolve, reject) => {
      const onMessage = (/** @type {any} */ message) => {
        const report = /** @type {Report} */ (message);
        if (report.type === 'progress') return this.#addProgress(client, report.operations);
        process.off('message', onMessage).off('exit', onExit);
        resolve(report);
      };
      const onExit = () => reject(new Error(`client ${client + 1} ended before its work was done`));
      process.on('message', onMessage).on('exit', onExit);
      if (!isAlive(process)) onExit();
    });
  }

  /**
   * @param {number} client
   * @param {number} operations
   */
  #addProgress(client, operations) {
    this.#progress[client] = operations;
    this.onProgress(this.#progress.reduce((sum, n) => sum + n, 0));
  }
}

/** @param {ChildProcess} process */
const isAlive = (process) => process.exitCode === null && process.signalCode === null;
