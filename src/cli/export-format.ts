/**
 * The file that `export` writes and `import` reads: JSON lines, in UTF-8. The first line names the format, the last one
 * counts the entries, so that a file that was cut off is noticed; each line between them is an entry:
 *
 *   {"format":"shm-kvs export","version":1,"server":"app","exportedAt":"2026-11-21T22:00:00.000Z"}
 *   {"key":"user:1","value":{"name":"Ada"},"codec":"json","expiresAt":"2026-12-24T18:00:00.000Z"}
 *   {"end":true,"entries":1}
 *
 * Keys, values and moments are written as in exact-json.ts. Versions are of one store and not in it.
 */
import { isUtf8 } from 'node:buffer';

import type { StoredValue } from '../codec/codec.js';
import type { VersionedValue } from '../index.js';
import { bytesOfJson, exactJsonOf, momentOf, NotExactJson, shown, storedValueOf, wallMsOf } from './exact-json.js';
import { jsonOfBytes } from './values.js';

const FORMAT = 'shm-kvs export';
const FORMAT_VERSION = 1;
/** What servers take. */
const MAX_KEY_BYTES = 1024;
const ENTRY_FIELDS: readonly string[] = ['key', 'value', 'bytes', 'codec', 'expiresAt'];
const FIRST_LINE = `the first line of an export, {"format":"${FORMAT}",…}`;

/** An entry of an export. */
export interface ExportedEntry {
  readonly key: Buffer;
  readonly value: StoredValue;
  /** In milliseconds since 1970; undefined: it stays. */
  readonly expiresAt: number | undefined;
}

export function headerLine(server: string, prefix: Buffer, exportedAtMs: number): string {
  const of = prefix.length === 0 ? {} : { prefix: jsonOfBytes(prefix) };
  const exportedAt = momentOf(exportedAtMs);
  return `${JSON.stringify({ format: FORMAT, version: FORMAT_VERSION, server, ...of, exportedAt })}\n`;
}

export function entryLine(key: Buffer, { value, expiresAt }: VersionedValue<StoredValue>): string {
  const moment = expiresAt === undefined ? undefined : momentOf(expiresAt);
  return `${JSON.stringify({ key: jsonOfBytes(key), ...exactJsonOf(value), expiresAt: moment })}\n`;
}

export const endLine = (entries: number): string => `${JSON.stringify({ end: true, entries })}\n`;

/** Reads an export line by line, and checks that it is whole. Errors do not say where: the caller knows the line. */
export class ExportReader {
  #entries = 0;
  #isBegun = false;
  #isEnded = false;

  /** Entries so far. */
  get entries(): number {
    return this.#entries;
  }

  /** @returns the line's entry, undefined for the first and the last line. @throws NotExactJson */
  read(line: Buffer): ExportedEntry | undefined {
    if (!this.#isBegun) {
      checkHeader(line);
      this.#isBegun = true;
      return undefined;
    }
    if (this.#isEnded) throw new NotExactJson('expected nothing behind the last line of an export, {"end":true,…}');
    const fields = objectIn(line);
    if ('end' in fields) {
      this.#end(fields['entries']);
      return undefined;
    }
    this.#entries++;
    return entryOf(fields);
  }

  /** To be called where the file ends. @throws NotExactJson when it is cut off */
  finish(): void {
    if (!this.#isBegun) throw new NotExactJson(`expected ${FIRST_LINE}, got an empty file`);
    if (this.#isEnded) return;
    throw new NotExactJson(
      `expected the last line of an export, {"end":true,…}, but the file ends behind ${this.#entries} entries: ` +
        'it was cut off, take a whole one',
    );
  }

  #end(entries: unknown): void {
    if (entries !== this.#entries) {
      const message = `the last line counts ${JSON.stringify(entries)} entries, but ${this.#entries} were there`;
      throw new NotExactJson(`${message}: lines are missing or were added, take a whole file`);
    }
    this.#isEnded = true;
  }
}

function checkHeader(line: Buffer): void {
  let fields: Readonly<Record<string, unknown>>;
  try {
    fields = objectIn(line);
  } catch (cause) {
    throw new NotExactJson(`expected ${FIRST_LINE}, got something else: it is no export`, { cause });
  }
  const { format, version, operation } = fields;
  if (format !== FORMAT) {
    const advice =
      operation === undefined
        ? 'it is no export'
        : 'it seems to be of `log dump`; start a kvs-server with --dir on a copy of that log, and export from it';
    throw new NotExactJson(`expected ${FIRST_LINE}, got "format" ${shown(format)}: ${advice}`);
  }
  if (version === FORMAT_VERSION) return;
  throw new NotExactJson(
    `this kvs-client reads version ${FORMAT_VERSION} of the format, got ${shown(version)}: ` +
      'import it with the kvs-client that wrote it, or a newer one',
  );
}

function objectIn(line: Buffer): Readonly<Record<string, unknown>> {
  if (!isUtf8(line)) throw new NotExactJson('expected JSON in UTF-8, got bytes that are none');
  let json: unknown;
  try {
    json = JSON.parse(line.toString());
  } catch (cause) {
    const got = line.length === 0 ? 'an empty line' : (cause as Error).message;
    throw new NotExactJson(`expected an entry as JSON, got ${got}`, { cause });
  }
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Record<string, unknown>;
  throw new NotExactJson(`expected an entry such as {"key":…,"value":…,"codec":…}, got ${shown(json)}`);
}

function entryOf(fields: Readonly<Record<string, unknown>>): ExportedEntry {
  // A field that is misspelt would make a value stay for good.
  const unknown = Object.keys(fields).find((name) => !ENTRY_FIELDS.includes(name));
  if (unknown !== undefined) {
    throw new NotExactJson(`an entry may have ${ENTRY_FIELDS.join(', ')}, got ${JSON.stringify(unknown)}`);
  }
  const key = bytesOfJson(fields['key'], '"key"');
  if (key.length === 0 || key.length > MAX_KEY_BYTES) {
    throw new NotExactJson(`"key" must have 1 to ${MAX_KEY_BYTES} bytes, got ${key.length}`);
  }
  const { expiresAt } = fields;
  return { key, value: storedValueOf(fields), expiresAt: expiresAt === undefined ? undefined : wallMsOf(expiresAt) };
}
