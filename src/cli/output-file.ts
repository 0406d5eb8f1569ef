/**
 * A file that is there whole and durable, or not at all: it is written under another name in the same directory, synced and
 * renamed. Readable by its user alone. Who dies on the way leaves `<file>.<8 digits>.tmp`.
 */
import { randomBytes } from 'node:crypto';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';

import { UsageError } from './command.js';
import { CommandFailure, EXIT } from './exit-codes.js';

const OWNER_ONLY = 0o600;
const UNCHANGED = 'what was there before is unchanged';

export class OutputFile {
  readonly path: string;
  /** Written so far. */
  bytes = 0;
  /** What it will be; `path` may be a link to it. */
  readonly #target: string;
  readonly #temporary: string;
  readonly #handle: FileHandle;
  #isOpen = true;

  /** @throws UsageError for a path that is no file; CommandFailure where none can be made */
  static async create(path: string): Promise<OutputFile> {
    const found = await stat(path).catch(() => undefined);
    if (found?.isFile() === false) {
      throw new UsageError(`${path} is no regular file: leave --output out and redirect stdout there, or name a file`);
    }
    // A link stays one, to the new file.
    const target = found === undefined ? path : await realpath(path);
    const temporary = `${target}.${randomBytes(4).toString('hex')}.tmp`;
    const handle = await describing(path, UNCHANGED, () => open(temporary, 'wx', OWNER_ONLY));
    return new OutputFile(path, target, temporary, handle);
  }

  private constructor(path: string, target: string, temporary: string, handle: FileHandle) {
    this.path = path;
    this.#target = target;
    this.#temporary = temporary;
    this.#handle = handle;
  }

  async write(text: string): Promise<void> {
    const content = Buffer.from(text);
    await describing(this.path, UNCHANGED, () => this.#handle.writeFile(content));
    this.bytes += content.length;
  }

  /** Puts the file in place of what was there. */
  async finish(): Promise<void> {
    await describing(this.path, UNCHANGED, async () => {
      await this.#handle.sync();
      await this.#close();
      await rename(this.#temporary, this.#target);
    });
    await describing(this.path, 'it is there, but may be gone after a power failure', () =>
      syncDirectory(dirname(this.#target)),
    );
  }

  /** Removes what was written, unless it is finished. */
  async abandon(): Promise<void> {
    await this.#close();
    await rm(this.#temporary, { force: true });
  }

  async #close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#handle.close();
  }
}

async function syncDirectory(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function describing<R>(path: string, state: string, act: () => Promise<R>): Promise<R> {
  try {
    return await act();
  } catch (cause) {
    throw new CommandFailure(`cannot write ${path}: ${(cause as Error).message}; ${state}`, EXIT.failure);
  }
}
