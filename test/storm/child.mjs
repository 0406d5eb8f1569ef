/** A process of a storm: started, told what to do, stopped, continued and killed. */
import { fork } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** @param {string} name */
const program = (name) => fileURLToPath(new URL(`../fixtures/storm/${name}.mjs`, import.meta.url));

/** @typedef {{ result?: unknown, event?: { type: string }, at?: string }} Message */

export class Child {
  /** Whether it was killed on purpose. */
  isCondemned = false;
  isStopped = false;
  #stderr = '';

  /**
   * @param {string} name of test/fixtures/storm/<name>.mjs @param {object} options its argument
   * @param {{ onEvent?: (event: { type: string }, at: string) => void, hasWildClock?: boolean }} [settings]
   */
  constructor(name, options, { onEvent, hasWildClock = false } = {}) {
    this.name = name;
    this.process = fork(program(name), [JSON.stringify(options)], {
      execArgv: [],
      env: hasWildClock ? { ...process.env, NODE_OPTIONS: `--import=${program('wild-clock')}` } : process.env,
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.pid = this.process.pid ?? 0;
    this.process.stderr?.setEncoding('utf8').on('data', (text) => (this.#stderr += text));
    this.process.on('message', (/** @type {Message} */ { event, at = '' }) => {
      if (event !== undefined) onEvent?.(event, at);
    });
    /** Resolves to how it ended. @type {Promise<string>} */
    this.ended = new Promise((resolve) => {
      this.process.once('close', (code, signal) => resolve(`${name} ${this.pid}: ${signal ?? code} ${this.#stderr}`));
    });
    /** Whether it came to be ready. @type {Promise<boolean>} */
    this.ready = this.#answer();
  }

  /** @param {string} command @returns {Promise<boolean>} whether it has done so */
  tell(command) {
    this.process.send([command], () => {});
    return this.#answer();
  }

  stop() {
    this.isStopped = true;
    this.process.kill('SIGSTOP');
  }

  /** Resolves when all its threads are stopped. */
  async standsStill() {
    const tasks = `/proc/${this.pid}/task`;
    const isStopped = (/** @type {string} */ task) => /\) T/.test(readFileSync(`${tasks}/${task}/stat`, 'utf8'));
    while (!readdirSync(tasks).every(isStopped)) await setImmediate();
  }

  goOn() {
    this.isStopped = false;
    this.process.kill('SIGCONT');
  }

  /** SIGKILL; resolves when it is gone. */
  async kill() {
    this.isCondemned = true;
    this.process.kill('SIGKILL');
    await this.ended;
  }

  /** @returns {Promise<boolean>} false: it ended */
  #answer() {
    return new Promise((resolve) => {
      const onMessage = (/** @type {Message} */ message) => {
        if (!('result' in message) && 'event' in message) return;
        this.process.off('message', onMessage);
        resolve(true);
      };
      this.process.on('message', onMessage);
      void this.ended.then(() => resolve(false));
    });
  }
}
