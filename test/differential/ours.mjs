/** Our server in a process of its own, with a log that is synced before each answer, and a client of it. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { KvsClient } from '#dist/index.js';

const SERVER = fileURLToPath(new URL('../fixtures/service/server.mjs', import.meta.url));
const MAX_VALUE_BYTES = 2 ** 17;

export class Ours {
  #name = `t-differential-${process.pid}`;
  #dir;
  /** @type {import('node:child_process').ChildProcess | undefined} */
  #process;
  /** @type {KvsClient<Buffer> | undefined} */
  #client;

  /** @param {string} dir for its log */
  constructor(dir) {
    this.#dir = dir;
  }

  get client() {
    if (this.#client === undefined) throw new Error('the server is not running');
    return this.#client;
  }

  async start() {
    const shape = { maxMemory: 16 * 2 ** 20, maxValueBytes: MAX_VALUE_BYTES, workers: 1, segmentBytes: 2 ** 18 };
    const options = { name: this.#name, dir: this.#dir, sync: 'always', snapshotLogBytes: 2 ** 20, ...shape };
    const child = fork(SERVER, [JSON.stringify(options)]);
    this.#process = child;
    const isUp = await Promise.race([once(child, 'message').then(() => true), once(child, 'exit').then(() => false)]);
    if (!isUp) throw new Error('the server does not come up');
    this.#client = await KvsClient.connect({ name: this.#name, codec: 'buffer', timeoutMs: 60_000 });
  }

  /** @param {boolean} isLost whether its memory goes, as when the machine fails */
  async kill(isLost) {
    const child = this.#process;
    this.#process = undefined;
    if (child !== undefined && child.exitCode === null) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    await this.#client?.close();
    this.#client = undefined;
    if (isLost) this.clean();
  }

  clean() {
    for (const file of readdirSync('/dev/shm')) {
      if (file.startsWith(`kvs.${this.#name}.`)) rmSync(`/dev/shm/${file}`);
    }
  }
}
