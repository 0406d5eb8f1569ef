/**
 * The exchange's part of the layout (layout.ts): a request and its response, and the unit of the arena that carries large
 * ones. In the ctl segment, written by clients and workers.
 */
import { align, bytes, f64, i32, record } from './record.js';

/** Bytes that a request or a response can carry without an arena extent. */
export const INLINE_BYTES = 960;
/**
 * One request and its response. Line 0 is written by the client (its `word` by both sides), line 1 by the worker.
 *
 *  0        4        8        12       16       20       24       28       32
 *  +--------+--------+--------+--------+--------+--------+--------+--------+
 *  | word   | waiter | op     | keyLen | valLen | extent | chunks | after  |
 *  +--------+--------+--------+--------+--------+--------+--------+--------+
 *  | argument (f64)  | codec  | async  | expiresAt (f64) |                 |
 *  +--------+--------+--------+--------+-----------------+-----------------+ 64
 *  | status | codec  | length | extent | chunks | count  | number (f64)    |
 *  +--------+--------+--------+--------+--------+--------+-----------------+
 *  | version (f64)   | replay | done   | effects| hint   |                 |
 *  +-----------------+-----------------------------------------------------+ 128
 *  | request inline (960) ... | response inline (960) ...                  | 2048
 */
export const Slot = record(2048, {
  /** state | owner | generation: the one truth about the slot (exchange/slot-word.ts). */
  word: i32,
  /** 1: a blocking caller sleeps on `word`. */
  waiter: i32,
  op: i32,
  keyBytes: i32,
  valueBytes: i32,
  /** First chunk + 1 of the request's extent, 0: inline. */
  extent: i32,
  extentChunks: i32,
  /** Slot and generation (slot-word.ts) of an operation that must finish before this one; -1: none. */
  after: i32,
  argument: f64,
  codec: i32,
  /** 1: complete by doorbell; 0: a blocking caller. */
  isAsync: i32,
  /** When what is written expires (hostMs()), 0: never, KEEP_EXPIRY: when what it replaces does. */
  expiresAt: f64,
  a: align(64),
  status: i32,
  responseCodec: i32,
  responseBytes: i32,
  responseExtent: i32,
  responseChunks: i32,
  count: i32,
  number: f64,
  version: f64,
  /** Use | replays << 30 of a request that a dead server had begun (server/in-flight.ts); 0: none. */
  replay: i32,
  /** What had been done of it then, as in WorkerRecord. */
  replayDone: i32,
  replayEffects: i32,
  /** The word of a use that has been answered, as the step to DONE leaves it: a hint for who waits. */
  answered: i32,
  b: align(128),
  request: bytes(INLINE_BYTES),
  response: bytes(INLINE_BYTES),
});

/** In `Slot.expiresAt`. */
export const KEEP_EXPIRY = -1;

/** Unit of the payload arena. */
export const CHUNK_BYTES = 4096;
