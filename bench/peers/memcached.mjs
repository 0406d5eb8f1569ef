/** memcached on a Unix socket, through a small client of its text protocol that gathers the writes of one turn. */
import { join } from 'node:path';

import { firstLineOf, startListener, stopProcess } from './processes.mjs';
import { SocketClient, Taken } from './socket-client.mjs';

/** @import { Batch, Peer, Store, Value } from './peer.mjs' */

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

/** Who waits for the answer to one request: its value, or, for mget, all of them by key. */
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

/**
 * @extends {SocketClient<Pending>}
 * @implements {Store}
 */
class MemcachedClient extends SocketClient {
  /** @param {string} key */
  async get(key) {
    this.outbox.addText(`get ${key}\r\n`);
    return (await this.#answer()).value;
  }

  /**
   * @param {string} key
   * @param {Value} value
   * @override
   */
  async set(key, value) {
    this.sendValue(`set ${key} 0 0 ${value.length}\r\n`, value, '\r\n');
    return this.#answer();
  }

  /** @param {string[]} keys @returns {Promise<Batch>} */
  async mget(keys) {
    this.outbox.addText(`get ${keys.join(' ')}\r\n`);
    const { values } = await this.#answer(new Map());
    return keys.map((key) => values?.get(key));
  }

  /**
   * @param {Map<string, Value>} [values]
   * @returns {Promise<Pending>}
   */
  #answer(values) {
    return new Promise((resolve) => {
      const pending = new Pending(resolve);
      pending.values = values;
      this.expect(pending);
    });
  }

  /**
   * One line, or one value.
   * @param {Pending} pending
   * @override
   */
  take(pending) {
    const line = this.stream.peekLine();
    if (line === undefined) return Taken.nothing;
    if (line.startsWith('VALUE ')) {
      const [, key, , length] = line.split(' ');
      const from = line.length + 2;
      const frame = this.stream.take(from + Number(length) + 2);
      if (frame === undefined) return Taken.nothing;
      const end = from + Number(length);
      pending.value =
        this.kind === 'string' ? frame.toString('latin1', from, end) : Buffer.from(frame.subarray(from, end));
      pending.values?.set(key, pending.value);
      return Taken.part;
    }
    this.stream.take(line.length + 2);
    if (line !== 'END' && line !== 'STORED') throw new Error(`memcached answered ${line}`);
    pending.resolve(pending);
    return Taken.answer;
  }
}
