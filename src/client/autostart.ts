/**
 * Starts a `kvs-server` of its own, detached from this process. However many clients do so at once: all but one of the
 * servers find the name taken and end at once, and every client attaches to the one that won.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

import { KvsError, type KvsErrorCode } from '../errors.js';
import type { ResolvedClientOptions } from './options.js';

const SERVER = fileURLToPath(new URL('../../bin/kvs-server.js', import.meta.url));

/**
 * A shell that ends at once, so that the server is no descendant of this process: those who stop processes (PM2, say)
 * stop all their descendants with them.
 */
const SHELL = ['/bin/sh', '-c', '"$@" &', 'sh'] as const;
/** As much as is kept of what it says on stderr. */
const MAX_TEXT = 4096;
/** What ends a line of an error with a code. */
const CODE = / \((ERR_KVS_[A-Z_]+)\)$/;

/** As kvs-server names it: without the unit, which flags take with the number. */
const flagOf = (option: string): string =>
  `--${option.replace(/(Bytes|Ms)$/, '').replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

function argumentsOf({ name, shmDir, group, autostart = {} }: ResolvedClientOptions): string[] {
  const args = ['--name', name, '--shm-dir', path.resolve(shmDir), '--log-level', 'silent'];
  if (group !== undefined) args.push('--group', String(group));
  for (const [option, value] of Object.entries<string | number | boolean | undefined>({ ...autostart })) {
    if (option === 'keep') args.push(...(value === true ? ['--keep'] : []));
    // It works elsewhere.
    else if (option === 'dir') args.push('--dir', path.resolve(`${value}`));
    else if (value !== undefined) args.push(flagOf(option), String(value));
  }
  return args;
}

/** A server on its way. Whether it comes up shows by its region. */
export class DetachedServer {
  readonly #options: ResolvedClientOptions;
  #starter: ChildProcess;
  #said = '';
  #hasEnded = false;

  constructor(options: ResolvedClientOptions) {
    this.#options = options;
    const args = [process.execPath, SERVER, ...argumentsOf(options)];
    const [shell, ...start] = SHELL;
    this.#starter = this.#spawn(shell, [...start, ...args]);
    // Where there is no shell, it is a child.
    this.#starter.once('error', () => {
      const [node = '', ...rest] = args;
      this.#starter = this.#spawn(node, rest);
      this.#starter.once('error', ({ message }) => this.#end(message));
      this.#listen();
    });
    this.#listen();
  }

  #spawn(program: string, args: readonly string[]): ChildProcess {
    const child = spawn(program, args, { detached: true, stdio: ['ignore', 'ignore', 'pipe'], cwd: '/' });
    child.unref();
    return child;
  }

  /** The other end of its stderr is closed when it has ended. */
  #listen(): void {
    const { stderr, pid } = this.#starter;
    if (pid === undefined || stderr === null) return;
    stderr.setEncoding('utf8');
    stderr.on('data', (text: string) => {
      this.#said = (this.#said + text).slice(0, MAX_TEXT);
    });
    stderr.on('error', () => {});
    stderr.once('end', () => this.#end(''));
  }

  #end(text: string): void {
    this.#said += text;
    this.#hasEnded = true;
  }

  /** Why no server comes of it. Undefined: one may yet, or another has the name. */
  get failure(): Error | undefined {
    if (!this.#hasEnded) return undefined;
    const lines = this.#said.split('\n').map((line) => line.replace(/^kvs-server: /, ''));
    const [first = ''] = lines;
    const code = CODE.exec(first)?.[1] as KvsErrorCode | undefined;
    if (code === 'ERR_KVS_ALREADY_RUNNING') return undefined;
    if (code !== undefined) return new KvsError(code, `autostart: ${first.replace(CODE, '')}`);
    const text = lines.filter((line) => line !== '' && !line.startsWith('see ')).join('; ');
    if (text.startsWith('--'))
      return new TypeError(`invalid client options: autostart: ${this.#inTermsOfOptions(text)}`);
    const { name } = this.#options;
    return new KvsError(
      'ERR_KVS_NOT_READY',
      `the server named ${JSON.stringify(name)} that was started has ended: ${text || 'nobody knows why'}`,
    );
  }

  #inTermsOfOptions(text: string): string {
    return Object.keys({ ...this.#options.autostart, shmDir: '', group: '' }).reduce(
      (rest, option) => rest.replaceAll(new RegExp(`${flagOf(option)}\\b(?!-)`, 'g'), option),
      text,
    );
  }

  /** From now on it is on its own. */
  release(): void {
    this.#starter.stderr?.destroy();
  }
}
