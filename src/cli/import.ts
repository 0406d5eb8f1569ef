/**
 * Reads an export (export-format.ts) and writes its entries to the store, some hundred at a time and of bounded size, those
 * of one key in their order. Stops at the first line that cannot be read or written, and says how far it came.
 */
import { addAbortSignal, type Readable } from 'node:stream';

import { KvsError } from '../errors.js';
import type { Session, StoredValueClient } from './command.js';
import { NotExactJson } from './exact-json.js';
import { CommandFailure, describeError, EXIT, exitCodeOf } from './exit-codes.js';
import { type ExportedEntry, ExportReader } from './export-format.js';
import { formatCount } from './figures.js';
import { LineTooLong, linesOf } from './lines.js';

const MAX_IN_FLIGHT = 256;
const MAX_BYTES_IN_FLIGHT = 8 * 2 ** 20;
/** A file that is something else is noticed without reading much of it. */
const MAX_FIRST_LINE_BYTES = 64 * 1024;
/** The largest value and key that any server takes, with six characters for each byte of theirs. */
const MAX_LINE_BYTES = 6 * (64 * 2 ** 20 + 1024) + 1024;

/** - `replace`: keys that are there get the value of the export. - `insert`: they stay as they are. - `none`: only reads. */
export type ImportMode = 'replace' | 'insert' | 'none';

/** Of entries. */
export interface ImportCounts {
  read: number;
  written: number;
  /** Passed over: their moment had come. */
  expired: number;
  /** Passed over: the key was there. */
  existing: number;
}

interface Failure {
  readonly line: number;
  readonly error: unknown;
}

/** Entries on their way to the server. */
class Writes {
  readonly #session: Session;
  readonly #isInsertOnly: boolean;
  readonly #counts: ImportCounts;
  /** By tag. */
  readonly #clients = new Map<number, StoredValueClient>();
  readonly #keys = new Set<string>();
  #bytes = 0;
  #onSettled: (() => void) | undefined;
  /** Of the first line that failed. */
  failure: Failure | undefined;

  constructor(session: Session, mode: ImportMode, counts: ImportCounts) {
    this.#session = session;
    this.#isInsertOnly = mode === 'insert';
    this.#counts = counts;
  }

  /** Hands an entry over, once there is room for it and nothing of its key on its way. */
  async add(entry: ExportedEntry, line: number): Promise<void> {
    const key = entry.key.toString('latin1');
    const bytes = key.length + entry.value.bytes.length;
    while (!this.#hasRoom(key, bytes)) await this.#settled();
    const client = await this.#clientOf(entry.value.tag);
    if (this.failure !== undefined) return;
    this.#keys.add(key);
    this.#bytes += bytes;
    const settle = (): void => {
      this.#keys.delete(key);
      this.#bytes -= bytes;
      this.#onSettled?.();
    };
    this.#write(client, entry).then(
      (isWritten) => {
        if (isWritten) this.#counts.written++;
        else this.#counts.existing++;
        settle();
      },
      (error: unknown) => {
        if (this.failure === undefined || line < this.failure.line) this.failure = { line, error };
        settle();
      },
    );
  }

  /** Until nothing is on its way. */
  async drain(): Promise<void> {
    while (this.#keys.size > 0) await this.#settled();
  }

  #hasRoom(key: string, bytes: number): boolean {
    if (this.#keys.size === 0) return true;
    return this.#keys.size < MAX_IN_FLIGHT && this.#bytes + bytes <= MAX_BYTES_IN_FLIGHT && !this.#keys.has(key);
  }

  #settled(): Promise<void> {
    return new Promise((resolve) => {
      this.#onSettled = resolve;
    });
  }

  /** @returns a promise only where the client is to be connected */
  #clientOf(tag: number): StoredValueClient | Promise<StoredValueClient> {
    return this.#clients.get(tag) ?? this.#connect(tag);
  }

  async #connect(tag: number): Promise<StoredValueClient> {
    const client = await this.#session.client(tag);
    this.#clients.set(tag, client);
    return client;
  }

  #write(client: StoredValueClient, { key, value, expiresAt }: ExportedEntry): Promise<boolean> {
    const options = expiresAt === undefined ? undefined : { expiresAt };
    return this.#isInsertOnly ? client.post(key, value, options) : client.set(key, value, options);
  }
}

/**
 * @param name of the stream, for messages
 * @throws CommandFailure, with the line and what was written, for whatever ends it early
 */
export async function imported(
  session: Session,
  stream: Readable,
  name: string,
  mode: ImportMode,
): Promise<ImportCounts> {
  const counts: ImportCounts = { read: 0, written: 0, expired: 0, existing: 0 };
  const writes = new Writes(session, mode, counts);
  if (session.signal !== undefined) addAbortSignal(session.signal, stream);
  let line = 0;
  let failure: Failure | undefined;
  try {
    const reader = new ExportReader();
    for await (const lines of linesOf(stream, (number) => (number === 1 ? MAX_FIRST_LINE_BYTES : MAX_LINE_BYTES))) {
      for (const bytes of lines) {
        line++;
        const entry = reader.read(bytes);
        counts.read = reader.entries;
        if (entry === undefined) continue;
        if (entry.expiresAt !== undefined && entry.expiresAt <= Date.now()) counts.expired++;
        else if (mode !== 'none') await writes.add(entry, line);
        if (writes.failure !== undefined) break;
      }
      if (writes.failure !== undefined) break;
    }
    line++;
    if (writes.failure === undefined) reader.finish();
  } catch (error) {
    failure = { line: error instanceof LineTooLong ? line + 1 : line, error };
  } finally {
    stream.destroy();
    await writes.drain();
  }
  // What was handed over comes before what could not be read.
  const first = writes.failure ?? failure;
  if (first !== undefined) throw failureOf(first, name, mode, counts, session.signal);
  return counts;
}

function failureOf(
  { line, error }: Failure,
  name: string,
  mode: ImportMode,
  { written }: ImportCounts,
  signal: AbortSignal | undefined,
): CommandFailure {
  const isInterrupted = signal?.aborted === true && !isOurs(error);
  const where = line === 0 ? name : `${name}: line ${line}`;
  const what = isInterrupted ? 'interrupted' : describeError(error);
  const far =
    written === 0
      ? ' (nothing was written)'
      : ` (${formatCount(written)} ${written === 1 ? 'entry was' : 'entries were'} written and ` +
        `${written === 1 ? 'stays' : 'stay'}; to import again from the start does no harm)`;
  return new CommandFailure(
    `${where}: ${what}${mode === 'none' ? '' : far}`,
    isInterrupted ? EXIT.interrupted : error instanceof KvsError ? exitCodeOf(error) : EXIT.failure,
  );
}

const isOurs = (error: unknown): boolean => error instanceof NotExactJson || error instanceof LineTooLong;

/** `12 entries read: 9 written, 2 passed over: expired, 1 passed over: there already`. */
export function importSummary({ read, written, expired, existing }: ImportCounts, mode: ImportMode): string {
  const parts = [
    mode === 'none' ? 'the export is whole, nothing was written' : `${formatCount(written)} written`,
    ...(expired === 0 ? [] : [`${formatCount(expired)} passed over: expired`]),
    ...(existing === 0 ? [] : [`${formatCount(existing)} passed over: there already`]),
  ];
  return `${formatCount(read)} ${read === 1 ? 'entry' : 'entries'} read: ${parts.join(', ')}`;
}
