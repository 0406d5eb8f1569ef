/** The client processes of one peer, as the benchmark sees them: orders go out, results come back. */
import { fileURLToPath } from 'node:url';

import { cpuMicrosOf } from '../machine/cpu.mjs';
import { answerQuestion } from '../peers/node-ipc.mjs';
import { startClient, stopProcess } from '../peers/processes.mjs';

/** @import { ChildProcess } from 'node:child_process' */
/** @import { Kind, Load, Peer, Started } from '../peers/peer.mjs' */
/** @import { Order, RunResult } from './client.mjs' */
/** @import { Mode, Workload } from './plan.mjs' */

/**
 * @typedef {object} Round
 * @property {number} opsPerS of all clients together
 * @property {number} ops
 * @property {number} cpuMicrosPerOp of clients and server
 * @property {number} wrong
 * @property {Float32Array[]} timesMs
 */

const program = fileURLToPath(new URL('client.mjs', import.meta.url));
const BARRIER_MS = 60;
/** For each client: all of its code is compiled by then on two CPUs. But not longer than so many rounds take. */
const WARM_UP_MS = 200;
const WARM_UP_ROUNDS = 3;
/** The longest order, filling a store, takes seconds. */
const ORDER_TIMEOUT_MS = 120_000;
/** Room for 100,000 values of 4 KiB in a process that keeps them itself. */
const CLIENT_FLAGS = ['--max-old-space-size=4096', '--expose-gc'];

export class Crew {
  /** @type {ChildProcess[]} */
  #clients = [];
  /** What the peer can do. @type {Set<Mode>} */
  modes = new Set();

  /**
   * @param {Peer} peer
   * @param {Started} started
   * @param {Kind} kind
   * @param {Load} load
   */
  constructor(peer, started, kind, load) {
    this.peer = peer;
    this.started = started;
    this.kind = kind;
    this.load = load;
  }

  get pids() {
    return this.#clients.map((client) => client.pid ?? 0);
  }

  /** Starts clients until there are so many. @param {number} count */
  async hire(count) {
    while (this.#clients.length < count) {
      const client = startClient(program, [], CLIENT_FLAGS);
      client.on('message', (message) => answerQuestion(client, message));
      this.#clients.push(client);
      const { kind, load, peer, started } = this;
      const order = /** @type {const} */ ({ order: 'connect', peer: peer.id, address: started.address, kind, load });
      this.modes = new Set(/** @type {Mode[]} */ (await this.#send(client, order)));
    }
  }

  /**
   * Writes keys `from` to `to`; where each client has a store of its own, in every one.
   * @param {number} from
   * @param {number} to
   */
  async fill(from, to) {
    const order = /** @type {const} */ ({ order: 'load', kind: this.kind, valueBytes: this.load.valueBytes, from, to });
    for (const client of this.peer.isShared ? this.#clients.slice(0, 1) : this.#clients)
      await this.#send(client, order);
  }

  /**
   * @param {Workload} workload
   * @param {{ ms: number, timedMs: number, clients?: number }} times
   * @returns {Promise<Round>}
   */
  async run(workload, { ms, timedMs, clients = 1 }) {
    const serverBefore = cpuMicrosOf(this.started.pids);
    const startAt = clients === 1 ? 0 : Date.now() + BARRIER_MS;
    const running = this.#clients.slice(0, clients).map(async (client, i) => {
      const order = /** @type {const} */ ({ order: 'run', workload, seed: (i + 1) * 1_000_000, startAt, ms, timedMs });
      return /** @type {RunResult} */ (await this.#send(client, order));
    });
    const results = await Promise.all(running);
    const serverMicros = cpuMicrosOf(this.started.pids) - serverBefore;
    const sum = (/** @type {(result: RunResult) => number} */ of) => results.reduce((total, one) => total + of(one), 0);
    const ops = sum((result) => result.allOps);
    return {
      opsPerS: sum((result) => (result.ops / result.elapsedMs) * 1000),
      ops,
      cpuMicrosPerOp: (sum((result) => result.cpuMicros) + serverMicros) / ops,
      wrong: sum((result) => result.wrong),
      timesMs: results.map((result) => result.timesMs),
    };
  }

  /**
   * Makes the plan and warms up, in every client.
   * @param {Workload} workload
   * @param {{ ms: number, timedMs: number, clients?: number }} times of a round
   */
  async prepare(workload, { ms, timedMs, clients = 1 }) {
    return this.run(workload, { ms: Math.min(WARM_UP_ROUNDS * ms, WARM_UP_MS * clients), timedMs, clients });
  }

  async dismiss() {
    await Promise.all(
      this.#clients.map(async (client) => {
        await this.#send(client, { order: 'close' }).catch(() => {});
        await stopProcess(client);
      }),
    );
    this.#clients = [];
  }

  /**
   * @param {ChildProcess} client
   * @param {Order} order
   * @returns {Promise<unknown>}
   */
  #send(client, order) {
    return new Promise((resolve, reject) => {
      const end = () => {
        clearTimeout(timer);
        client.off('message', onMessage);
        client.off('exit', onExit);
      };
      const fail = (/** @type {string} */ message) => {
        end();
        reject(new Error(`${this.peer.id}: ${message}`));
      };
      const onMessage = (/** @type {{ result?: unknown, failure?: string }} */ message) => {
        if (message.failure !== undefined) fail(message.failure);
        else if ('result' in message) {
          end();
          resolve(message.result);
        }
      };
      const onExit = (/** @type {number} */ code) => fail(`a client process ended with code ${code}`);
      // An answer that comes later would be taken for that to the next order: whoever fails here only dismisses the crew.
      const message = `a client has not done what it was ordered (${order.order}) in ${ORDER_TIMEOUT_MS / 1000} s`;
      const timer = setTimeout(fail, ORDER_TIMEOUT_MS, message);
      client.on('message', onMessage);
      client.on('exit', onExit);
      client.send(order);
    });
  }
}
