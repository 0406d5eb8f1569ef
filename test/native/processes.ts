/** Real processes for the addon's tests, and the conditions they are waited for with. */
import { type ChildProcess, fork, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { onTestFinished } from 'vitest';

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}.mjs`, import.meta.url));

/** A directory in shared memory that goes when the test ends. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync('/dev/shm/kvs-test-');
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

export function temporaryPath(): string {
  return join(temporaryDirectory(), 'file');
}

/** The watchdog is the test's own timeout. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

const ended = (child: ChildProcess) =>
  new Promise<{ code: number | null; signal: NodeJS.Signals | null }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ code, signal }));
  });

/** Runs a program to its end; `onLine` sees each line it prints. */
export async function run(
  command: string,
  args: readonly string[],
  onLine: (line: string) => void = () => {},
): Promise<Ended> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    for (const line of text.split('\n')) if (line !== '') onLine(line);
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  return { ...(await ended(child)), stdout, stderr };
}

/** Runs a fixture to its end, with `gc` exposed. */
export function runFixture(name: string, args: readonly string[], onLine?: (line: string) => void): Promise<Ended> {
  return run(process.execPath, ['--expose-gc', fixture(name), ...args], onLine);
}

export const fixturePath = fixture;

/** Another process that has the segment open and does what it is told, one command at a time. */
export class Peer {
  readonly process: ChildProcess;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;

  private constructor(path: string, flags: 'r' | 'r+') {
    this.process = fork(fixture('peer'), [path, flags], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    this.ended = ended(this.process);
    onTestFinished(() => void this.process.kill('SIGKILL'));
  }

  static async open(path: string, flags: 'r' | 'r+' = 'r+'): Promise<Peer> {
    const peer = new Peer(path, flags);
    await peer.#answer();
    return peer;
  }

  tell(name: string, ...args: (number | string)[]): Promise<unknown> {
    this.process.send([name, ...args]);
    return this.#answer();
  }

  #answer(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.process.once('message', (message) => resolve((message as { result: unknown }).result));
      this.process.once('exit', () => reject(new Error('the peer ended without an answer')));
    });
  }
}
