/** The hand-written Map server on a Unix socket: what one would write oneself, with as little in between as can be. */
import { join } from 'node:path';

import { startOwnServer, stopProcess } from './processes.mjs';
import { SocketClient, Taken } from './socket-client.mjs';
import { lengthText, KEY_BYTES } from './socket-map-server.mjs';

/** @import { Batch, Peer, Store, Value } from './peer.mjs' */

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

/**
 * @extends {SocketClient<(value: Value | undefined) => void>}
 * @implements {Store}
 */
class SocketMapClient extends SocketClient {
  /** @param {string} key */
  async get(key) {
    this.outbox.addText(`${lengthText(1 + KEY_BYTES)}g${key}`);
    return this.#answer();
  }

  /**
   * @param {string} key
   * @param {Value} value
   * @override
   */
  async set(key, value) {
    this.sendValue(`${lengthText(1 + KEY_BYTES + value.length)}s${key}`, value);
    return this.#answer();
  }

  /** @param {string[]} keys @returns {Promise<Batch>} */
  async mget(keys) {
    return Promise.all(keys.map(async (key) => this.get(key)));
  }

  /** @returns {Promise<Value | undefined>} */
  #answer() {
    return new Promise((resolve) => {
      this.expect(resolve);
    });
  }

  /**
   * One frame.
   * @param {(value: Value | undefined) => void} resolve
   * @override
   */
  take(resolve) {
    const length = this.stream.peekUint32();
    const frame = length === undefined ? undefined : this.stream.take(4 + length);
    if (frame === undefined) return Taken.nothing;
    resolve(frame[4] === 43 ? this.#valueOf(frame) : undefined);
    return Taken.answer;
  }

  /** @param {Buffer} frame */
  #valueOf(frame) {
    return this.kind === 'string' ? frame.toString('latin1', 5) : Buffer.from(frame.subarray(5));
  }
}
