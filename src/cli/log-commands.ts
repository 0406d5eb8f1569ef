/** Commands on files of a log, which need no server: log check, log dump. */
import { codecNameOf, type StoredValue } from '../codec/codec.js';
import type { FileCheck, LogCheck } from '../log/inspect.js';
import { type Command, UsageError } from './command.js';
import { formatBytes, formatCount } from './figures.js';
import { textTable } from './table.js';
import { jsonOfBytes, jsonOfValue } from './values.js';

const ACTIONS = ['check', 'dump'];
const MAX_DATE_MS = 8.64e15;

export const LOG_COMMANDS: readonly Command[] = [
  {
    name: 'log',
    group: 'Server',
    parameters: '<check|dump> <path>',
    summary: 'check a log, or print it as JSON lines: a directory as the server would read it, or one file',
    async *run(_session, [action, path]) {
      const { checkLog, dumpLog } = await import('../log/inspect.js');
      const name = action?.toString() ?? '';
      if (!ACTIONS.includes(name) || path === undefined) {
        throw new UsageError(`log: expected check or dump and a path, got ${JSON.stringify(name)}`);
      }
      if (name === 'check') {
        const check = checkLog(path.toString());
        const isOk = check.files.every(({ isSound }) => isSound) && check.recovery?.isRefused !== true;
        yield { json: { ok: isOk, ...check }, line: checkPage(check), isNo: !isOk };
        return;
      }
      for (const { key, value, codec, wallTimeMs, expiresAtMs, ...facts } of dumpLog(path.toString())) {
        const json = {
          ...facts,
          at: wallTimeMs === undefined ? undefined : momentOf(wallTimeMs),
          key: jsonOfBytes(key),
          ...(value === undefined ? {} : jsonOfStored({ bytes: value, tag: codec })),
          expiresAt: expiresAtMs === 0 ? undefined : momentOf(expiresAtMs),
        };
        yield { json, line: JSON.stringify(json) };
      }
    },
  },
];

/** A moment as ISO 8601, or as the number that it is where no calendar has it. */
function momentOf(ms: number): string | number {
  return Math.abs(ms) <= MAX_DATE_MS ? new Date(ms).toISOString() : ms;
}

/** As commands that read print it; whatever its codec says, there is something to print. */
function jsonOfStored(stored: StoredValue): object {
  try {
    return jsonOfValue(stored, undefined);
  } catch {
    return { value: jsonOfBytes(stored.bytes), codec: codecNameOf(stored.tag) ?? 'unknown' };
  }
}

function checkPage({ files, recovery }: LogCheck): string {
  const table = textTable(['file', 'records', 'entries', 'size', ''], files.map(checkRow));
  if (recovery === undefined) return table;
  const { isRefused, snapshot, lastSequence, end } = recovery;
  const start = snapshot === undefined ? 'no snapshot' : snapshot;
  const where = end === undefined ? '' : ` (${end.file}, byte ${end.offset}: ${end.what})`;
  const verdict = isRefused
    ? `A server would refuse this log${where}; --repair keeps copies and ends it with record ${lastSequence}.`
    : end === undefined
      ? `A server would recover everything, up to record ${lastSequence}; from ${start}.`
      : `A server would recover up to record ${lastSequence} and cut a torn tail${where}; from ${start}.`;
  return `${table}\n\n${verdict}`;
}

const checkRow = ({ file, sequence, lastSequence, entries, bytes, soundBytes, isSound }: FileCheck): string[] => [
  file,
  `${sequence} to ${lastSequence ?? '?'}`,
  formatCount(entries),
  formatBytes(bytes),
  isSound ? 'sound' : `not sound from byte ${soundBytes} on`,
];
