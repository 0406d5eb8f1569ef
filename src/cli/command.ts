/** What a command of kvs-client is, for the command line and the shell alike. */
import { type CodecName, CodecTag, type CustomCodec, type StoredValue, StoredValueCodec } from '../codec/codec.js';
import { KvsClient } from '../index.js';

/** Wrong usage: exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A part of a command's answer. */
export interface Answer {
  /** What --json prints. */
  readonly json: unknown;
  /** A line, without its end; before the value when there are both. */
  readonly line?: string | Uint8Array;
  /** Printed byte for byte; undefined: the key is missing. */
  readonly value?: ShownValue | undefined;
  /** Lines with their ends, written as they are in every style. */
  readonly text?: string;
  /** One value of several: always on a line of its own. */
  readonly isListed?: boolean;
  /** The answer is "no": exit code 1. */
  readonly isNo?: boolean;
}

/** A value as it is printed: exactly, and for people. */
export interface ShownValue {
  readonly exact: Buffer;
  readonly readable: string;
}

export interface CommandOption {
  readonly name: string;
  /** Left out for a switch. */
  readonly argument?: string;
  readonly description: string;
  readonly default?: string;
}

export interface Command {
  readonly name: string;
  readonly group: 'Read' | 'Write' | 'Server';
  /** In commander's notation: `<key> [value]`, `<keys...>`. */
  readonly parameters: string;
  readonly summary: string;
  readonly options?: readonly CommandOption[];
  /** Whether the argument at that position is a key, for completion. */
  readonly takesKey?: (position: number) => boolean;
  /** It has something to put in order when it is interrupted. */
  readonly stopsInOrder?: boolean;
  run(session: Session, args: readonly Buffer[], options: CommandOptions): AsyncGenerator<Answer, void, undefined>;
}

export type CommandOptions = { readonly [name: string]: string | boolean | undefined };

export interface SessionOptions {
  readonly name: string;
  readonly shmDir?: string | undefined;
  readonly group?: number | undefined;
  readonly timeoutMs?: number | undefined;
  readonly codec?: CodecName | undefined;
}

export type StoredValueClient = KvsClient<StoredValue, Buffer>;

/** The connections that commands use: one for each codec that values are written with, opened when first needed. */
export class Session {
  readonly options: SessionOptions;
  /** Reads a value from stdin; undefined where stdin is not for values. */
  readonly readInput: (() => Promise<Buffer>) | undefined;
  /** Asks the user; undefined where there is nobody to ask. */
  confirm: ((question: string) => Promise<boolean>) | undefined;
  /** Ends what is running; replaced before each command of the shell. */
  signal: AbortSignal | undefined;
  readonly #clients = new Map<number, Promise<StoredValueClient>>();

  constructor(options: SessionOptions, readInput?: () => Promise<Buffer>) {
    this.options = options;
    this.readInput = readInput;
  }

  /** A client that reads any value and writes under `tag`. */
  client(tag: number = CodecTag[this.options.codec ?? 'utf8']): Promise<StoredValueClient> {
    const known = this.#clients.get(tag);
    if (known !== undefined) return known;
    const opened = this.#connect(tag);
    this.#clients.set(tag, opened);
    opened.catch(() => this.#clients.delete(tag));
    return opened;
  }

  async close(): Promise<void> {
    // What could not be opened was reported where it was asked for.
    await Promise.allSettled(Array.from(this.#clients.values(), async (opened) => (await opened).close()));
  }

  async #connect(tag: number): Promise<StoredValueClient> {
    const { name, shmDir, group, timeoutMs } = this.options;
    const codec: CustomCodec<StoredValue> = new StoredValueCodec(tag);
    const where = { name, shmDir, group };
    return KvsClient.connect({ ...where, timeoutMs, connectTimeoutMs: timeoutMs, codec, keyEncoding: 'buffer' });
  }
}
