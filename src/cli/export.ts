/** Writes the store out as an export (export-format.ts), some entries at a time. */
import type { Session } from './command.js';
import { endLine, entryLine, headerLine } from './export-format.js';

/** Lines are handed on when there are more characters of them than this. */
const CHUNK_CHARS = 64 * 1024;

export interface ExportedChunk {
  /** Whole lines. */
  readonly text: string;
  /** Entries up to here. */
  readonly entries: number;
}

/** @param prefix of the keys to export. @throws what the walk over the store throws */
export async function* exported(session: Session, prefix: Buffer): AsyncGenerator<ExportedChunk, void, undefined> {
  const client = await session.client();
  let lines = [headerLine(session.options.name, prefix, Date.now())];
  let chars = 0;
  let entries = 0;
  for await (const [key, entry] of client.versionedEntries(prefix, { signal: session.signal })) {
    const line = entryLine(key, entry);
    lines.push(line);
    chars += line.length;
    entries++;
    if (chars < CHUNK_CHARS) continue;
    yield { text: lines.join(''), entries };
    lines = [];
    chars = 0;
  }
  lines.push(endLine(entries));
  yield { text: lines.join(''), entries };
}
