/**
 * The log of kvs-server, on stdout: lines of JSON, or, in a terminal, lines to read. Every message is a whole sentence;
 * JSON carries its facts as fields besides.
 */
import type { DestinationStream, Logger } from 'pino';

import type { ServerEvent } from '../server/options.js';
import type { LogLevel } from './server-setting-table.js';

/** What happens during a start that takes longer is told before it is over. */
const LONG_START_MS = 1000;
/** Of lines that cannot be written: more than these are lost. */
const MAX_WAITING_BYTES = 1024 * 1024;

/**
 * The log, and the events that go there. To load the logger takes longer than much of a server's start: that is left until
 * the start is over, and what happens before waits.
 */
export class EventLog {
  readonly #level: LogLevel;
  readonly #name: string;
  readonly #waiting: ServerEvent[] = [];
  #opening: Promise<Logger> | undefined;
  #log: Logger | undefined;

  constructor(level: LogLevel, name: string) {
    this.#level = level;
    this.#name = name;
  }

  add(event: ServerEvent): void {
    if (this.#log !== undefined) return logEvent(this.#log, event);
    if (this.#waiting.length === 0) setTimeout(() => void this.open(), LONG_START_MS).unref();
    this.#waiting.push(event);
  }

  /** Writes what waits. */
  async flush(): Promise<void> {
    if (this.#waiting.length > 0) await this.open();
  }

  async open(): Promise<Logger> {
    const log = await (this.#opening ??= createLog(this.#level, this.#name));
    this.#log = log;
    for (const event of this.#waiting.splice(0)) logEvent(log, event);
    return log;
  }
}

async function createLog(level: LogLevel, name: string): Promise<Logger> {
  const { destination, pino } = await import('pino');
  const file = (): DestinationStream =>
    // A log that cannot be written is no reason for a server to go.
    destination({ fd: 1, sync: true, maxLength: MAX_WAITING_BYTES }).on('error', () => {});
  const stream = process.stdout.isTTY ? terminalStream(process.stdout) : file();
  return pino(
    {
      level,
      base: { pid: process.pid, name },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
}

const COLOURS: { readonly [level: string]: number } = { fatal: 31, error: 31, warn: 33, info: 32, debug: 34 };

/** What a line in a terminal is made of. */
interface LogRecord {
  readonly time: string;
  readonly level: string;
  readonly msg: string;
  readonly err?: { readonly stack?: string };
}

function terminalStream(terminal: NodeJS.WriteStream): DestinationStream {
  // A terminal that has gone is no reason for a server to go.
  terminal.on('error', () => {});
  const paint = terminal.hasColors();
  const coloured = (code: number, text: string): string => (paint ? `\u001B[${code}m${text}\u001B[0m` : text);
  return {
    write(line) {
      const { time, level, msg, err } = JSON.parse(line) as LogRecord;
      const clock = new Date(time).toTimeString().slice(0, 8) + time.slice(19, 23);
      terminal.write(`${coloured(2, clock)} ${coloured(COLOURS[level] ?? 0, level.padEnd(5))} ${msg}\n`);
      if (err?.stack !== undefined) terminal.write(`${err.stack.replaceAll(/^/gm, '    ')}\n`);
    },
  };
}

type DurabilityEvent = Extract<ServerEvent, { readonly type: `log-${string}` | 'snapshot' | 'snapshot-failed' }>;

const isDurability = (event: ServerEvent): event is DurabilityEvent => /^(log-|snapshot)/.test(event.type);

function logEvent(log: Logger, event: ServerEvent): void {
  if (isDurability(event)) return logDurability(log, event);
  switch (event.type) {
    case 'recovered': {
      const { type, ...counts } = event;
      const { entries, dropped, replayed, answered, refused, ms } = counts;
      log[dropped + refused > 0 ? 'warn' : 'info'](
        { event: type, ...counts },
        `took over what the last server of this name left: ${entries} entries, ${dropped} dropped as damaged; requests ` +
          `in flight: ${replayed} executed again, ${answered} answered, ${refused} refused; in ${ms} ms`,
      );
      break;
    }
    case 'region-replaced': {
      const { type, reason, archive } = event;
      const kept = archive === undefined ? '' : `; it is kept as ${archive}`;
      log.warn(
        { event: type, reason, archive },
        `what the last server of this name left was replaced: ${reason}${kept}`,
      );
      break;
    }
    case 'takeover-requested':
      log.info({ event: event.type }, 'another server takes over');
      break;
    case 'worker-died':
      log.error(
        { event: event.type, worker: event.worker, err: event.error },
        `worker ${event.worker} died and is replaced: ${event.error.message}`,
      );
      break;
    case 'request-failed': {
      const { worker, operation, message } = event;
      log.error({ event: event.type, worker, operation }, `${operation} failed in worker ${worker}: ${message}`);
      break;
    }
    case 'client-reaped': {
      const { client, slots } = event;
      // The log's own pid is the server's.
      const fields = { event: event.type, client, clientPid: event.pid, slots };
      const level = slots > 0 ? 'info' : 'debug';
      log[level](fields, `client ${client} (process ${event.pid}) ended without leaving; taken back: ${slots} slots`);
      break;
    }
    case 'client-expelled': {
      const { type, client, pid, reason } = event;
      const what = reason === 'too-many-slots' ? 'held too many slots' : 'sent malformed requests';
      log.warn(
        { event: type, client, clientPid: pid, reason },
        `client ${client} (process ${pid}, it says) ${what}: it is not served until it connects again`,
      );
      break;
    }
    case 'drain-timeout':
      log.warn({ event: event.type, pending: event.pending }, `given up: ${event.pending} requests in flight`);
      break;
  }
}

/** About the log of `dir`. */
function logDurability(log: Logger, event: DurabilityEvent): void {
  switch (event.type) {
    case 'log-loaded': {
      const { type, entries, records, snapshot, torn, ms } = event;
      const tail =
        torn === undefined ? '' : `; cut off what was being written at the end: ${torn.bytes} bytes of ${torn.file}`;
      log[torn === undefined ? 'info' : 'warn'](
        { event: type, entries, records, snapshot, torn, loadMs: ms },
        `loaded ${entries} entries, from ${snapshot?.file ?? 'no snapshot'} and ${records} records of the log, in ${ms} ms${tail}`,
      );
      break;
    }
    case 'log-repaired':
      log.warn(
        { event: event.type, repairs: event.repairs },
        event.repairs.length === 0
          ? 'nothing was wrong with the log'
          : `repaired the log: ${event.repairs.length} files, copies are kept`,
      );
      break;
    case 'log-trouble':
      log.error(
        { event: event.type, reason: event.reason },
        `writes are refused, the log cannot be written: ${event.error}`,
      );
      break;
    case 'log-resumed':
      log.warn({ event: event.type }, 'the log can be written again, and so can the store');
      break;
    case 'log-thread-died':
      log.error({ event: event.type, err: event.error }, `the thread that writes the log died: ${event.error.message}`);
      break;
    case 'log-not-written':
      log.error(
        { event: event.type },
        'the log could not be written to its end: the region is kept for the next server',
      );
      break;
    case 'snapshot': {
      const { type, file, entries, bytes, sequence, ms } = event;
      log.info(
        { event: type, file, entries, bytes, sequence, snapshotMs: ms },
        `snapshot of ${entries} entries in ${ms} ms`,
      );
      break;
    }
    case 'snapshot-failed':
      log.error({ event: event.type, error: event.error }, `no snapshot: ${event.error}`);
      break;
  }
}
