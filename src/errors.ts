/**
 * The one error class of shm-kvs and the table that ties wire status, code and message together.
 * Bad arguments are not KvsErrors: they throw TypeError or RangeError that say expected and got.
 */
import { isProxy } from 'node:util/types';

/**
 * What went wrong, by code:
 * - TIMEOUT: the deadline passed; `executed` says what is known.
 * - ABORTED: the caller's AbortSignal or `cancel()` ended the wait; `executed` says what is known.
 * - SERVER_GONE: the server died, stopped or is stopping; `executed` says what is known.
 * - CLOSED: the client was closed.
 * - TOO_LARGE: a key, value or batch above the region's limits.
 * - OUT_OF_MEMORY: the store's heap is full; nothing changed.
 * - NOT_DURABLE: the server keeps a log and cannot write it just now; nothing changed. It goes on by itself once it can.
 * - CODEC: the value was written by a codec that this client's codec does not read.
 * - NOT_A_NUMBER: `incr` on a value that is no number, or a result out of its range.
 * - INTERNAL: the server failed on this request alone; `executed: 'unknown'`.
 * - BAD_REQUEST: the server refused a malformed request; nothing changed.
 * - EXPELLED: the server does not serve this client for a while (docs/SECURITY.md).
 * - NO_REGION: no server of that name runs on this host.
 * - LAYOUT: the region was made by another version or with a geometry this version cannot read.
 * - NOT_OURS: owner or mode of the region files are not what they must be.
 * - CORRUPT: the region files are truncated or not a shm-kvs region.
 * - NOT_READY: a server is starting but was not ready within `connectTimeoutMs`.
 * - ALREADY_RUNNING: another server owns the name.
 * - TOO_MANY_CLIENTS: all client leases of the region are taken.
 * - NO_SPACE: the shared-memory file system cannot hold the region.
 * - SHM_DIR: the directory for the region's files is missing, not writable, or of a kind that cannot hold them.
 * - LOG_DAMAGED: the log or a snapshot has damage that no crash explains; `file` and `offset` say where.
 * - LOG_FORMAT: a file of the log is of a newer version, of another store, or no such file.
 * - LOG_DIR: the log's directory is missing, not writable, or of a kind that cannot hold it.
 * - LOG_FAILED: writing to the log's disk, or making it durable, failed; what was not acknowledged may be lost.
 * - NATIVE: the native addon could not be loaded on this platform.
 */
export type KvsErrorCode = `ERR_KVS_${
  | 'TIMEOUT'
  | 'ABORTED'
  | 'SERVER_GONE'
  | 'CLOSED'
  | 'TOO_LARGE'
  | 'OUT_OF_MEMORY'
  | 'NOT_DURABLE'
  | 'CODEC'
  | 'NOT_A_NUMBER'
  | 'INTERNAL'
  | 'BAD_REQUEST'
  | 'EXPELLED'
  | 'NO_REGION'
  | 'LAYOUT'
  | 'NOT_OURS'
  | 'CORRUPT'
  | 'NOT_READY'
  | 'ALREADY_RUNNING'
  | 'TOO_MANY_CLIENTS'
  | 'NO_SPACE'
  | 'SHM_DIR'
  | 'LOG_DAMAGED'
  | 'LOG_FORMAT'
  | 'LOG_DIR'
  | 'LOG_FAILED'
  | 'NATIVE'}`;

/** Whether a failed operation took effect: certainly not, or not known. */
export type Executed = 'no' | 'unknown';

export interface KvsErrorDetails {
  cause?: unknown;
  /** Present where a call failed that had reached the client's queue; not on errors of decoding, or of connect(). */
  executed?: Executed;
  /** The first server's process id, on ALREADY_RUNNING (for people; never an identity). */
  pid?: number;
  /** Path of the file, on the LOG errors that are about one. */
  file?: string;
  /** Where in the file, in bytes, on LOG_DAMAGED. */
  offset?: number;
}

/** Every failure that is not a programming error of the caller. */
export class KvsError extends Error {
  override readonly name = 'KvsError';
  readonly code: KvsErrorCode;
  declare readonly executed?: Executed;
  declare readonly pid?: number;
  declare readonly file?: string;
  declare readonly offset?: number;

  constructor(code: KvsErrorCode, message: string, details: KvsErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    if (details.executed !== undefined) this.executed = details.executed;
    if (details.pid !== undefined) this.pid = details.pid;
    if (details.file !== undefined) this.file = details.file;
    if (details.offset !== undefined) this.offset = details.offset;
  }
}

/** Status words that a worker writes into a slot. 0 is success; the rest map to an error by this table. */
export const Status = {
  ok: 0,
  /** Success of the negative kind: key missing, not inserted, version differs. */
  no: 1,
  tooLarge: 2,
  outOfMemory: 3,
  notANumber: 4,
  internal: 5,
  badRequest: 6,
  /** The arena has no room for the answer; never reaches a client, the worker tries again. */
  busy: 7,
  /** The client is expelled: nothing of it is executed. */
  expelled: 8,
  /** The log cannot be written: nothing is changed. */
  notDurable: 9,
  /** The value was written by a codec that the client cannot read: it stays. */
  otherCodec: 10,
  /** As notDurable, in the middle of a flush: some keys are removed. */
  partlyFlushed: 11,
} as const;

export type Status = (typeof Status)[keyof typeof Status];

const STATUS_ERRORS: Partial<Record<number, { code: KvsErrorCode; message: string; executed: Executed }>> = {
  [Status.tooLarge]: {
    code: 'ERR_KVS_TOO_LARGE',
    message: 'the value is larger than this server accepts; raise maxValueBytes on the server',
    executed: 'no',
  },
  [Status.outOfMemory]: {
    code: 'ERR_KVS_OUT_OF_MEMORY',
    message: 'the store is full, nothing was changed; delete keys or restart the server with a larger maxMemory',
    executed: 'no',
  },
  [Status.notDurable]: {
    code: 'ERR_KVS_NOT_DURABLE',
    message:
      'the server cannot write its log (disk full, read-only, or failing), nothing was changed; see the log of the server: ' +
      'it goes on by itself once the disk does',
    executed: 'no',
  },
  [Status.partlyFlushed]: {
    code: 'ERR_KVS_NOT_DURABLE',
    message:
      'the server cannot write its log (disk full, read-only, or failing), and has removed only some of the keys; see the ' +
      'log of the server, and flush again once it goes on',
    executed: 'unknown',
  },
  [Status.otherCodec]: {
    code: 'ERR_KVS_CODEC',
    message:
      'the value was written by another codec than this client reads, nothing was removed: connect with the codec that ' +
      "wrote it, or with 'buffer' for the bytes",
    executed: 'no',
  },
  [Status.notANumber]: {
    code: 'ERR_KVS_NOT_A_NUMBER',
    message: 'incr needs a numeric value and a result within its range; nothing was changed',
    executed: 'no',
  },
  [Status.internal]: {
    code: 'ERR_KVS_INTERNAL',
    message: 'the server failed while it executed this request; see its log',
    executed: 'unknown',
  },
  [Status.badRequest]: {
    code: 'ERR_KVS_BAD_REQUEST',
    message: 'the server refused a malformed request; client and server may be of different builds',
    executed: 'no',
  },
  [Status.expelled]: {
    code: 'ERR_KVS_EXPELLED',
    message:
      'the server does not serve this client for a while: requests in its name were malformed, or held too many slots; ' +
      'see the log of the server',
    executed: 'no',
  },
};

/** The error for a status word other than `ok` and `no`; unknown words (garbage) become BAD_REQUEST. */
export function errorOfStatus(status: number): KvsError {
  const row = STATUS_ERRORS[status];
  if (row === undefined) {
    return new KvsError('ERR_KVS_BAD_REQUEST', `unknown status ${status} in a response slot`, { executed: 'unknown' });
  }
  return new KvsError(row.code, row.message, { executed: row.executed });
}

/** A short description of a wrong argument for an error message. */
export function kindOf(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'string')
    return `string ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`;
  if (isProxy(value)) return 'Proxy';
  if (typeof value === 'object') return (value.constructor as { name?: string } | undefined)?.name ?? 'object';
  return typeof value === 'number' || typeof value === 'boolean' ? `${typeof value} ${String(value)}` : typeof value;
}
