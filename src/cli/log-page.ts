/** What `log check` has found, as a page to read. */
import type { FileCheck, LogCheck } from '../log/inspect.js';
import { formatBytes, formatCount } from './figures.js';
import { textTable } from './table.js';

export function checkPage({ files, recovery }: LogCheck): string {
  if (files.length === 0) return 'There is no file of a log: a server would begin an empty one.';
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
