/** A Redis server of its own on a Unix socket, with an append-only file that is synced before each answer, and a client. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const CONNECT_TRIES = 500;

/** @returns {string | undefined} undefined: there is none on the PATH */
export function redisVersion() {
  const { status, stdout } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' });
  return status === 0 ? /v=(\S+)/.exec(stdout)?.[1] : undefined;
}

/** What Redis answers to what it refuses. */
export class RedisError extends Error {}

/** @typedef {null | number | Buffer | RedisError | (null | number | Buffer | RedisError | Buffer[])[]} Reply */

/** Answers in the order of the commands (RESP2). */
class Connection {
  #received = Buffer.alloc(0);
  /** @type {((reply: Reply) => void)[]} */
  #waiting = [];
  #socket;

  /** @param {import('node:net').Socket} socket */
  constructor(socket) {
    this.#socket = socket;
    socket.on('error', () => {});
    socket.on('data', (/** @type {Buffer} */ bytes) => {
      this.#received = Buffer.concat([this.#received, bytes]);
      for (let reply = this.#parse(0); reply !== undefined; reply = this.#parse(0)) {
        this.#received = this.#received.subarray(reply.end);
        this.#waiting.shift()?.(reply.value);
      }
    });
  }

  /** @param {readonly (string | number | Buffer)[]} words @returns {Promise<Reply>} */
  call(...words) {
    const parts = [Buffer.from(`*${words.length}\r\n`)];
    for (const word of words) {
      const bytes = Buffer.isBuffer(word) ? word : Buffer.from(String(word));
      parts.push(Buffer.from(`$${bytes.length}\r\n`), Buffer.from(bytes), Buffer.from('\r\n'));
    }
    this.#socket.write(Buffer.concat(parts));
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
    });
  }

  end() {
    this.#socket.destroy();
  }

  /** @param {number} start @returns {{ value: Reply, end: number } | undefined} undefined: not all of it is there yet */
  #parse(start) {
    const lineEnd = this.#received.indexOf('\r\n', start);
    if (lineEnd < 0) return undefined;
    const kind = String.fromCharCode(this.#received[start] ?? 0);
    const line = this.#received.subarray(start + 1, lineEnd);
    const end = lineEnd + 2;
    if (kind === '+') return { value: Buffer.from(line), end };
    if (kind === '-') return { value: new RedisError(line.toString()), end };
    const number = Number(line);
    if (kind === ':') return { value: number, end };
    if (number < 0) return { value: null, end };
    if (kind === '$') {
      if (this.#received.length < end + number + 2) return undefined;
      return { value: Buffer.from(this.#received.subarray(end, end + number)), end: end + number + 2 };
    }
    if (kind !== '*') throw new Error(`Redis answered ${kind}${line.toString()}`);
    return this.#parseMany(number, end);
  }

  /** @param {number} count @param {number} start */
  #parseMany(count, start) {
    /** @type {(null | number | Buffer | RedisError | Buffer[])[]} */
    const value = [];
    let end = start;
    for (let index = 0; index < count; index++) {
      const reply = this.#parse(end);
      if (reply === undefined) return undefined;
      // Never deeper than what SCAN answers.
      value.push(/** @type {Buffer} */ (reply.value));
      end = reply.end;
    }
    return { value, end };
  }
}

export class Redis {
  #folder;
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #process;
  /** @type {Connection | undefined} */
  #connection;

  /** @param {string} folder for its files and its socket */
  constructor(folder) {
    this.#folder = folder;
  }

  async start() {
    const address = path.join(this.#folder, 'redis.sock');
    const options = ['--port', '0', '--unixsocket', address, '--dir', this.#folder, '--save', ''];
    const log = ['--appendonly', 'yes', '--appendfsync', 'always'];
    const child = spawn('redis-server', [...options, ...log], { stdio: 'ignore' });
    this.#process = child;
    for (let tries = 0; this.#connection === undefined; tries++) {
      if (child.exitCode !== null || tries === CONNECT_TRIES) throw new Error('redis-server does not come up');
      const socket = createConnection(address);
      /** @type {boolean} */
      const isOpen = await new Promise((resolve) => {
        socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
      });
      if (isOpen) this.#connection = new Connection(socket);
      else await delay(20);
    }
    // While it loads its file it refuses everything.
    while ((await this.call('PING')) instanceof RedisError);
  }

  async kill() {
    const child = this.#process;
    this.#connection?.end();
    this.#connection = undefined;
    this.#process = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
  }

  /** @param {readonly (string | number | Buffer)[]} words */
  call(...words) {
    if (this.#connection === undefined) throw new Error('Redis is not running');
    return this.#connection.call(...words);
  }
}
