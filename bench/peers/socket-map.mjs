/** The hand-written Map server on a Unix socket: what one would write oneself, with as little in between as can be. */
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { join } from 'node:path';

import { ByteStream } from './byte-stream.mjs';
import { Outbox } from './outbox.mjs';
import { startOwnServer, stopProcess } from './processes.mjs';
import { lengthText, KEY_BYTES } from './socket-map-server.mjs';

/** @import { Batch, Kind, Peer, Store, Value } from './peer.mjs' */

/** @type {Peer} */
export const socketMap = {
  id: 'socket Map',
  note: 'a Map in a Node process behind a Unix socket; length-prefixed frames, writes of one turn gathered',
  isShared: true,

  async start(folder) {
    const address = join(folder, 'map.sock');
    const child = await startOwnServer(['socket-map', address]);
    return { address, pids: [child.pid ?? 0], version: process.version, stop: async () => stopProcess(child) };
  },

  async connect(address, kind) {
    const client = new SocketMapClient(address, kind);
    await client.connected();
    return client;
  },
};

/** @implements {Store} */
class SocketMapClient {
  isPipelined = true;
  #socket;
  #outbox;
  #kind;
  #stream = new ByteStream();
  /** In the order of the requests. @type {((value: Value | undefined) => void)[]} */
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
    this.#outbox.addText(`${lengthText(1 + KEY_BYTES)}g${key}`);
    return this.#answer();
  }

  /**
   * @param {string} key
   * @param {Value} value
   */
  async set(key, value) {
    const head = `${lengthText(1 + KEY_BYTES + value.length)}s${key}`;
    if (typeof value === 'string') this.#outbox.addText(head + value);
    else {
      this.#outbox.addText(head);
      this.#outbox.addBytes(value);
    }
    return this.#answer();
  }

  /** @param {string[]} keys @returns {Promise<Batch>} */
  async mget(keys) {
    return Promise.all(keys.map(async (key) => this.get(key)));
  }

  /** @param {[string, Value][]} entries */
  async mset(entries) {
    await Promise.all(entries.map(async ([key, value]) => this.set(key, value)));
  }

  close() {
    this.#socket.destroy();
  }

  /** @returns {Promise<Value | undefined>} */
  #answer() {
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  /** @param {Buffer} piece */
  #receive(piece) {
    const stream = this.#stream;
    stream.push(piece);
    if (!stream.mayHaveMore) return;
    for (;;) {
      const length = stream.peekUint32();
      const frame = length === undefined ? undefined : stream.take(4 + length);
      if (frame === undefined) break;
      this.#waiting[this.#answered++](frame[4] === 43 ? this.#valueOf(frame) : undefined);
    }
    if (this.#answered === this.#waiting.length) this.#waiting = [];
    else this.#waiting.splice(0, this.#answered);
    this.#answered = 0;
  }

  /** @param {Buffer} frame */
  #valueOf(frame) {
    return this.#kind === 'string' ? frame.toString('latin1', 5) : Buffer.from(frame.subarray(5));
  }
}
