/** Commands that carry a store elsewhere: export, import. */
import { createReadStream } from 'node:fs';

import { type Command, type CommandOptions, type Session, UsageError } from './command.js';
import { formatBytes, formatCount } from './figures.js';
import type { ImportMode } from './import.js';

const STDIN = '-';

function modeOf({ 'insert-only': insertOnly, check }: CommandOptions): ImportMode {
  if (check === true && insertOnly === true) throw new UsageError('import takes --insert-only or --check, got both');
  return check === true ? 'none' : insertOnly === true ? 'insert' : 'replace';
}

/** @throws UsageError where stdin is not for files */
function inputOf({ readInput }: Session, file: string) {
  if (file !== STDIN) return createReadStream(file);
  if (readInput === undefined || process.stdin.isTTY) {
    throw new UsageError('import: expected a file, or an export on stdin, got neither');
  }
  return process.stdin;
}

export const TRANSFER_COMMANDS: readonly Command[] = [
  {
    name: 'export',
    group: 'Server',
    parameters: '',
    stopsInOrder: true,
    summary: 'print all entries as JSON lines that import takes: a backup, a way to another version or host',
    options: [
      { name: 'output', argument: '<file>', description: 'write them there, durable and whole or not at all' },
      { name: 'prefix', argument: '<prefix>', description: 'only keys that start so' },
    ],
    async *run(session, _args, { output, prefix = '' }) {
      const { exported } = await import('./export.js');
      const chunks = exported(session, Buffer.from(String(prefix)));
      if (output === undefined || output === '-') {
        for await (const { text } of chunks) yield { json: undefined, text };
        return;
      }
      const { OutputFile } = await import('./output-file.js');
      const file = await OutputFile.create(String(output));
      let count = 0;
      try {
        for await (const { text, entries } of chunks) {
          await file.write(text);
          count = entries;
        }
        await file.finish();
      } finally {
        await file.abandon();
      }
      const entries = `${formatCount(count)} ${count === 1 ? 'entry' : 'entries'}`;
      yield {
        json: { file: file.path, entries: count, bytes: file.bytes },
        line: `${entries}, ${formatBytes(file.bytes)}, in ${file.path}`,
      };
    },
  },
  {
    name: 'import',
    group: 'Server',
    parameters: '[file]',
    stopsInOrder: true,
    summary: 'write what export has printed, from a file or stdin; keys that are there are replaced',
    options: [
      { name: 'insert-only', description: 'keys that are there stay as they are' },
      { name: 'check', description: 'only read it: is it whole? needs no server' },
    ],
    async *run(session, [file], options) {
      const mode = modeOf(options);
      const name = file?.toString() ?? STDIN;
      const { imported, importSummary } = await import('./import.js');
      if (mode !== 'none') await session.client();
      const stream = inputOf(session, name);
      const counts = await imported(session, stream, name === STDIN ? 'stdin' : name, mode);
      yield { json: { ...counts }, line: importSummary(counts, mode) };
    },
  },
];
