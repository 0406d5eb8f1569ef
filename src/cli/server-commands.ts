/** Commands about the server: ping, stats, doctor, bench. */
import { performance } from 'node:perf_hooks';

import { numberArgument } from './arguments.js';
import { type Command, type CommandOptions, UsageError } from './command.js';
import { parseByteSize } from './figures.js';

const MS_PER_SECOND = 1000;

/** @throws UsageError for counts that make no sense */
function benchOptions(options: CommandOptions) {
  const count = (name: string, max: number): number =>
    numberArgument(String(options[name]), `--${name}`, { isWhole: true, min: 1, max });
  const valueBytes = parseByteSize(String(options['value-bytes']));
  if (valueBytes === undefined) {
    throw new UsageError(
      `--value-bytes: expected a size such as 64 or 16k, got ${JSON.stringify(options['value-bytes'])}`,
    );
  }
  return {
    clients: count('clients', 64),
    keys: count('keys', 10_000_000),
    valueBytes,
    durationMs: numberArgument(String(options['seconds']), '--seconds', { min: 0.001, max: 3600 }) * MS_PER_SECOND,
  };
}

/** One line of a terminal, written over and over. */
class ProgressLine {
  readonly #terminal: NodeJS.WriteStream;

  constructor(terminal: NodeJS.WriteStream) {
    this.#terminal = terminal;
  }

  show(text: string): void {
    this.#terminal.write(`\r\u001B[K${text}`);
  }
}

export const SERVER_COMMANDS: readonly Command[] = [
  {
    name: 'ping',
    group: 'Server',
    parameters: '',
    summary: 'ask for a sign of life',
    async *run(session) {
      const client = await session.client();
      const startedAt = performance.now();
      await client.ping({ signal: session.signal });
      yield { json: { ok: true, ms: performance.now() - startedAt }, line: 'PONG' };
    },
  },
  {
    name: 'stats',
    group: 'Server',
    parameters: '',
    summary: 'print what the server has done and holds',
    async *run(session) {
      const client = await session.client();
      const stats = await client.stats({ signal: session.signal });
      const { statsTable } = await import('./stats-table.js');
      yield { json: stats, line: statsTable(stats) };
    },
  },
  {
    name: 'doctor',
    group: 'Server',
    parameters: '',
    summary: 'account for every slot, chunk, key and block in shared memory; needs no server that answers',
    options: [{ name: 'archived', description: 'look at what was put aside under the name (kvs.<name>.ctl.old)' }],
    async *run({ options: { name, shmDir, group } }, _args, { archived }) {
      const { auditFiles, isSound } = await import('../audit/audit.js');
      const { doctorPage } = await import('./doctor-page.js');
      const report = await auditFiles({ name, shmDir, group, isArchived: archived === true });
      const isOk = isSound(report);
      yield { json: { ok: isOk, ...report }, line: doctorPage(report), isNo: !isOk };
    },
  },
  {
    name: 'bench',
    group: 'Server',
    parameters: '',
    stopsInOrder: true,
    summary: 'measure set and get on temporary keys, checking every value',
    options: [
      { name: 'clients', argument: '<n>', description: 'threads, each a client', default: '1' },
      { name: 'seconds', argument: '<s>', description: 'time for each measurement', default: '1' },
      { name: 'value-bytes', argument: '<size>', description: 'bytes of each value', default: '64' },
      { name: 'keys', argument: '<n>', description: 'keys, shared out among the clients', default: '1000' },
    ],
    async *run(session, _args, options) {
      const settings = benchOptions(options);
      const { bench } = await import('./bench.js');
      const { benchTable } = await import('./bench-table.js');
      const progress = process.stderr.isTTY ? new ProgressLine(process.stderr) : undefined;
      let report;
      try {
        report = await bench(session, { ...settings, onLoad: (name) => progress?.show(`measuring ${name} …`) });
      } finally {
        progress?.show('');
      }
      yield { json: report, line: benchTable(report) };
    },
  },
];
