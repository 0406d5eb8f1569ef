/**
 * The log's part of the data segment, behind the heap; there is none unless the server was given a directory. Written by
 * the server's threads only, so it survives them: what a killed server had not yet written to its files is still here.
 *
 *   control │ lanes (one per worker) │ order (a ring of cells) │ unsettled slots │ bytes of the lanes
 *
 * A record goes into its worker's lane; a cell in the order then names that worker, once for each record.
 */
import { align, floats, i32, LINE, record, roundUp, words } from './record.js';

const PAGE = 4096;

export const LogControl = record(PAGE, {
  /** Where the next cell goes; lags by one at most, set right by whoever comes next. Counts cells, and wraps at 2^32. */
  orderTail: i32,
  a: align(LINE),
  /** Which of the two pairs below counts: what is written is the other one. */
  written: i32,
  /** All cells in front of it are in the files ... */
  writtenCell: words(2),
  /** ... and this is the sequence of the last of their records. */
  writtenSequence: floats(2),
  /** LogTrouble: why writes are refused, 0: they are not. */
  trouble: i32,
  /** 1: a sync has failed, and the files may lack records that nobody will write again, until there is a snapshot. */
  gap: i32,
  /** Salts of the segment that was begun last, which may not have its name yet, and of the last that has. */
  segmentBegun: i32,
  segmentNamed: i32,
  b: align(LINE),
  /** LogSleep: of the thread that writes the log. */
  asleep: i32,
  /** Its futex: counts rings. */
  bell: i32,
  c: align(LINE),
  /** Cells in front of it are durable. */
  durableCell: i32,
  /** Lanes that the bytes are divided into. */
  lanes: i32,
  /** Futex of writers that wait for room: counts batches that were written. */
  batches: i32,
  /** How many of them there are, or have been: a hint. */
  waiters: i32,
});

/** Whether the files of a region may lack what it holds, after a sync that failed. False where there is no log. */
export const isBehindGap = (
  words: Int32Array,
  { logBytes, logControlOffset }: { logBytes: number; logControlOffset: number },
): boolean => logBytes > 0 && words[logControlOffset / 4 + LogControl.gap] !== 0;

/** Who rings the thread that writes the log: nobody while it is awake; who fills a lane; everybody who logs. */
export const LogSleep = { awake: 0, gathering: 1, idle: 2 } as const;

/** Why writes are refused: `full`: the disk, for the time being; `failed`: a write or a sync. */
export const LogTrouble = { none: 0, full: 1, failed: 2 } as const;

/** One worker's ring of records. Offsets in bytes from the lane's start. */
export const LogLane = record(LINE * 2, {
  /** Where the next record goes. */
  tail: i32,
  /** How many records it has had (wraps). */
  count: i32,
  /** What the two are once the commit that the worker's record names is done. */
  nextTail: i32,
  nextCount: i32,
  a: align(LINE),
  /** Where the first record is that has not been written to the files; lags behind `written`. */
  head: i32,
});

/** A cell of the order: cycle of the ring | count of the lane's record (15 bits) | worker (5 bits). */
export const CELL_WORKER_BITS = 5;
export const CELL_COUNT_BITS = 15;
export const CELL_CYCLE_BITS = 12;

/** The shortest record there can be: so many cells are enough for all that the lanes hold. */
export const MIN_LOG_RECORD_BYTES = 64;
/** One per worker that a cell can name. */
const MAX_LANES = 2 ** CELL_WORKER_BITS;

export interface LogGeometry {
  /** Bytes of all lanes, a power of two; 0: there is no log, and nothing of the below. */
  readonly logBytes: number;
  readonly logControlOffset: number;
  readonly logLanesOffset: number;
  readonly logOrderOffset: number;
  /** Cells; a power of two. */
  readonly logCells: number;
  /** By slot: the word of its use that has taken effect and is answered once the log is durable, 0: none. */
  readonly unsettledOffset: number;
  /** By slot: the cell that must be durable then. */
  readonly unsettledCellOffset: number;
  readonly laneBytesOffset: number;
  readonly logEnd: number;
}

/** @param start where the section begins, in bytes: a multiple of the page */
export function logGeometry(start: number, logBytes: number, slots: number): LogGeometry {
  const isThere = logBytes > 0;
  const logControlOffset = start;
  const logLanesOffset = logControlOffset + (isThere ? LogControl.sizeBytes : 0);
  const logOrderOffset = logLanesOffset + (isThere ? MAX_LANES * LogLane.sizeBytes : 0);
  const logCells = logBytes / MIN_LOG_RECORD_BYTES;
  const unsettledOffset = logOrderOffset + logCells * 4;
  const unsettledCellOffset = unsettledOffset + (isThere ? slots * 4 : 0);
  const laneBytesOffset = roundUp(unsettledCellOffset + (isThere ? slots * 4 : 0), PAGE);
  const logEnd = laneBytesOffset + logBytes;
  return {
    logBytes,
    logControlOffset,
    logLanesOffset,
    logOrderOffset,
    logCells,
    unsettledOffset,
    unsettledCellOffset,
    laneBytesOffset,
    logEnd,
  };
}

/** Bytes of each lane: all alike, and whole words of 8. */
export const laneSize = (logBytes: number, lanes: number): number => Math.floor(logBytes / lanes / 8) * 8;
