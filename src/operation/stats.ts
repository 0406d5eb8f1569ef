/** STATS: the server's statistics, as JSON. */
import type { Operation } from './operation.js';
import { overwritten } from './response-view.js';

/** Read while workers go on: what is counted as expired is no longer in `entries` and `memory`, what was evicted not in `entries`. */
export interface KvsStatistics {
  readonly name: string;
  readonly version: string;
  readonly pid: number;
  readonly uptimeMs: number;
  readonly workers: number;
  /** Keys held. */
  readonly entries: number;
  /**
   * Executed requests by operation, and how many of them failed: the store was full, the value no number, the log not
   * writable, … A key that is missing or taken is no failure. Operations never asked for are left out.
   */
  readonly operations: { readonly [operation: string]: { readonly count: number; readonly errors: number } };
  /** How long a worker took per request, in nanoseconds; every 16th is measured. */
  readonly latencyNs: LatencySummary;
  readonly memory: {
    readonly totalBytes: number;
    readonly usedBytes: number;
    readonly freeBytes: number;
    /** Of the payload arena, which carries what does not fit a slot. */
    readonly arenaBytes: number;
    readonly arenaUsedBytes: number;
    readonly compactions: number;
    readonly movedBytes: number;
  };
  readonly eviction: {
    /** What goes when memory is full: `none`, or `s3-fifo`. */
    readonly policy: string;
    /** Keys evicted, and their bytes, since the region was made. */
    readonly evicted: number;
    readonly evictedBytes: number;
  };
  readonly slots: { readonly total: number; readonly inUse: number };
  /** Connected clients. */
  readonly clients: number;
  /** Clients that this server has expelled so far. */
  readonly expelled: number;
  /** Keys removed because they had expired; those that were replaced or deleted before do not count. */
  readonly expired: number;
  /** With `dir`; undefined: no log is kept. */
  readonly log?: LogStatistics;
}

export interface LogStatistics {
  /** The last record written to the files, and the last that survives a failing machine. */
  readonly sequence: number;
  readonly durableSequence: number;
  /** Written to the log since the server started. */
  readonly bytes: number;
  readonly segments: number;
  /** Why writes are refused, if they are. */
  readonly trouble: 'none' | 'full' | 'failed';
  /** Failures of the disk so far, those of snapshots included. */
  readonly errors: number;
  /** Snapshots made since the server started, and the number (KvsClient.snapshot()) of the last that was asked for and made. */
  readonly snapshots: number;
  readonly snapshotsServed: number;
  /** Of the last one; 0: there is none yet. */
  readonly snapshotSequence: number;
  readonly snapshotEntries: number;
  /** By the wall clock. */
  readonly snapshotAtMs: number;
  readonly snapshotTookMs: number;
}

export interface LatencySummary {
  readonly count: number;
  readonly mean: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export const stats: Operation<KvsStatistics> = {
  name: 'stats',
  opcode: 12,
  scope: 'key',
  apply(_request, response, server) {
    const text = JSON.stringify(server.statistics());
    if (response.reserve(Buffer.byteLength(text))) response.target.bytes.write(text, response.offset);
  },
  decode(response) {
    try {
      return JSON.parse(response.source.utf8Slice(response.start, response.end)) as KvsStatistics;
    } catch (cause) {
      throw overwritten(cause);
    }
  },
};
