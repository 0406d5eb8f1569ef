/** Runs an example as a user would: a process of its own, with a region of this test run. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { endWithTest } from '../fixtures/processes.js';

export const examplesFolder = fileURLToPath(new URL('../../examples/', import.meta.url));

let count = 0;

export class ExampleProcess {
  /** Of its server. */
  readonly name = `t-${process.env['KVS_TEST_RUN'] ?? process.pid}-example-${process.pid}-${++count}`;
  readonly ended: Promise<number | null>;
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;
  #onOutput = (): void => {};

  /** @param file below examples/ */
  constructor(file: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}) {
    this.#child = spawn(process.execPath, [examplesFolder + file, ...args], {
      env: { ...process.env, FORCE_COLOR: undefined, KVS_NAME: this.name, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    endWithTest(this.#child);
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#onOutput();
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.ended = new Promise((resolve, reject) => {
      this.#child.once('error', reject);
      // All who hold its output have ended too: no child of the example is left.
      this.#child.once('close', resolve);
    });
  }

  get lines(): string[] {
    return this.stdout.trim().split('\n');
  }

  /** Resolves when it has printed `text`, or has ended. */
  async printed(text: string): Promise<void> {
    const seen = new Promise<void>((resolve) => {
      this.#onOutput = () => {
        if (this.stdout.includes(text)) resolve();
      };
      this.#onOutput();
    });
    await Promise.race([seen, this.ended]);
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** What it has left behind in shared memory. */
  get leftovers(): string[] {
    return readdirSync('/dev/shm').filter((file) => file.startsWith(`kvs.${this.name}`));
  }
}
