/** memcached on a Unix socket, through a small client of its text protocol that gathers the writes of one turn. */
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { join } from 'node:path';

import { ByteStream } from './byte-stream.mjs';
import { Outbox } from './outbox.mjs';
import { firstLineOf, startListener, stopProcess } from './processes.mjs';

/** @import { Batch, Kind, Peer, Store, Value } from './peer.mjs' */

/** @type {Peer} */
export const memcached = {
  id: 'memcached',
  note: 'on a Unix socket; hand-written client of the text protocol',
  isShared: true,

  async start(folder) {
    const address = join(folder, 'memcached.sock');
    const version = firstLineOf('memcached', ['-V'], 'apt-get install memcached').replace('memcached ', '');
    const args = ['-s', address, '-m', '3072', '-M'];
    if (process.getuid?.() === 0) args.push('-u', 'root');
    const child = await startListener('memcached', args, address);
    return { address, pids: [child.pid ?? 0], version, stop: async () => stopProcess(child) };
  },

  async connect(address, kind) {
    const client = new MemcachedClient(address, kind);
    await client.connected();
    return client;
  },
};

/** A request that waits for `left` more answers; values are collected by key for mget. */
class Pending {
  /** @type {Map<string, Value> | undefined} */
  values;
  /** @type {Value | undefined} */
  value;
  /** @type {(done: Pending) => void} */
  resolve;

  /** @param {(done: Pending) => void} resolve */
  constructor(resolve) {
    this.resolve = resolve;
  }
}

/** @implements {Store} */
export class MemcachedClient {
  isPipelined = true;
  #socket;
  #outbox;
  #kind;
  #stream = new ByteStream();
  /** @type {Pending[]} */
  #waiting = [];
  #answered = 0;

  /**
   * @param {string} address
   * @param {Kind} kind
   */
  constructor(address, kind) {
    this.#socket = createConnection(address);
    this.#outbox = new Outbox(this.#socket);
    this.#kind = kind;
    this.#socket.on('data', (piece) => this.#receive(piece));
  }

  async connected() {
    await once(this.#socket, 'connect');
  }

  /** @param {string} key */
  async get(key) {
    this.#outbox.addText(`get ${key}\r\n`);
    return (await this.#answer()).value;
  }

  /**
   * @param {string} key
   * @param {Value} value
   */
  async set(key, value) {
    const head = `set ${key} 0 0 ${value.length}\r\n`;
    if (typeof value === 'string') this.#outbox.addText(`${head}${value}\r\n`);
    else {
      this.#outbox.addText(head);
      this.#outbox.addBytes(value);
      this.#outbox.addText('\r\n');
    }
    return this.#answer();
  }

  /** @param {string[]} keys @returns {Promise<Batch>} */
  async mget(keys) {
    this.#outbox.addText(`get ${keys.join(' ')}\r\n`);
    const { values } = await this.#answer(new Map());
    return keys.map((key) => values?.get(key));
  }

  /** @param {[string, Value][]} entries */
  async mset(entries) {
    await Promise.all(entries.map(async ([key, value]) => this.set(key, value)));
  }

  close() {
    this.#socket.destroy();
  }

  /**
   * @param {Map<string, Value>} [values]
   * @returns {Promise<Pending>}
   */
  #answer(values) {
    return new Promise((resolve) => {
      const pending = new Pending(resolve);
      pending.values = values;
      this.#waiting.push(pending);
    });
  }

  /** @param {Buffer} piece */
  #receive(piece) {
    this.#stream.push(piece);
    if (!this.#stream.mayHaveMore) return;
    while (this.#takeOne()) void 0;
    if (this.#answered === this.#waiting.length) this.#waiting = [];
    else this.#waiting.splice(0, this.#answered);
    this.#answered = 0;
  }

  /** @returns {boolean} whether there was a whole line, or a whole value */
  #takeOne() {
    const line = this.#stream.peekLine();
    if (line === undefined) return false;
    const pending = this.#waiting[this.#answered];
    if (line.startsWith('VALUE ')) {
      const [, key, , length] = line.split(' ');
      const from = line.length + 2;
      const frame = this.#stream.take(from + Number(length) + 2);
      if (frame === undefined) return false;
      const end = from + Number(length);
      pending.value =
        this.#kind === 'string' ? frame.toString('latin1', from, end) : Buffer.from(frame.subarray(from, end));
      pending.values?.set(key, pending.value);
      return true;
    }
    this.#stream.take(line.length + 2);
    if (line !== 'END' && line !== 'STORED') throw new Error(`memcached answered ${line}`);
    this.#answered++;
    pending.resolve(pending);
    return true;
  }
}
