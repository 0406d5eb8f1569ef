/** Commands about the server: ping, stats, snapshot, doctor, bench. */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

import { KvsError } from '../errors.js';
import { numberArgument } from './arguments.js';
import { type Command, type CommandOptions, UsageError } from './command.js';
import { parseByteSize } from './figures.js';

const MS_PER_SECOND = 1000;
/** Between two looks whether a snapshot is there. */
const LOOK_MS = 50;
/** For a snapshot, without --timeout. */
const SNAPSHOT_MS = 3_600_000;

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
    keys: options['keys'] === undefined ? undefined : count('keys', 10_000_000),
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
    name: 'snapshot',
    group: 'Server',
    parameters: '',
    summary: 'write a snapshot of the store to the directory of its log, and wait for it (up to an hour, or --timeout)',
    async *run(session) {
      const client = await session.client();
      const limitMs = session.options.timeoutMs ?? SNAPSHOT_MS;
      const giveUpAt = performance.now() + limitMs;
      const errors = (await client.stats({ signal: session.signal })).log?.errors ?? 0;
      const number = await client.snapshot({ signal: session.signal });
      if (number === 0) throw new UsageError('the server keeps no log: start it with --dir');
      for (;;) {
        const { log } = await client.stats({ signal: session.signal });
        if (log !== undefined && ((log.snapshotsServed - number) | 0) >= 0) {
          const { snapshotEntries: entries, snapshotSequence: sequence, snapshotTookMs: ms } = log;
          yield { json: { entries, sequence, ms }, line: `${entries} entries up to record ${sequence}, in ${ms} ms` };
          return;
        }
        if (log !== undefined && log.errors > errors) {
          const message =
            'the disk takes no snapshot: the server tries again by itself, and its log says why it failed';
          throw new KvsError('ERR_KVS_LOG_FAILED', message);
        }
        if (performance.now() >= giveUpAt) {
          const message = `no snapshot was made within ${limitMs} ms: the server goes on with it; allow more by --timeout`;
          throw new KvsError('ERR_KVS_TIMEOUT', message);
        }
        await delay(LOOK_MS, undefined, { signal: session.signal });
      }
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
    summary: 'measure gets and sets of all kinds on temporary keys, checking every value',
    options: [
      { name: 'clients', argument: '<n>', description: 'threads, each a client', default: '1' },
      { name: 'seconds', argument: '<s>', description: 'time for each measurement', default: '1' },
      { name: 'value-bytes', argument: '<size>', description: 'bytes of each value', default: '64' },
      {
        name: 'keys',
        argument: '<n>',
        description: 'keys in all (default: 100,000, or as many as take 64 MiB, or a quarter of what is free)',
      },
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
