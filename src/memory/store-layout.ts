/**
 * The store's part of the layout (layout.ts): header, stripes, workers' records, buckets and entries, all in the data
 * segment. Written by the server's workers; clients map it read-only.
 */
import { CtlHeader } from './ctl-header.js';
import { align, f64, floats, i32, LINE, record, words } from './record.js';

export const MAX_OPERATIONS = 32;
const PAGE = 4096;

export const DataHeader = record(PAGE, {
  magic: i32,
  layoutVersion: i32,
  regionId: words(2),
  /** Of the keys' hashes. Here, where no client can write: with another one no key would be found. */
  hashSeed: words(2),
  /** Servers in a row that took the region over and have not come to serve it. */
  recoveries: i32,
  /** Identity of the store in the files of its log, both 0: none is kept. */
  logStore: words(2),
  /** RegionState, as the server has entered it, and what the ctl header begins with: clients can write there, not here. */
  state: i32,
  ctlHeader: words(CtlHeader.state),
});

/** Guards the buckets whose hash ends in its index. */
export const Stripe = record(LINE, {
  /** memory/lock.ts. */
  lock: i32,
  entryCount: i32,
  /** The last version given out in this stripe, 0: none. Modulo the number of stripes they are the stripe's index. */
  version: f64,
});

/** What a worker is doing (read by whoever cleans up after it) and how many operations, by opcode, it has counted. */
export const WorkerRecord = record(LINE * 5, {
  /** Slot being executed + 1, 0: none. */
  slot: i32,
  /** The slot's word while executing. */
  slotWord: i32,
  /** How much of the request has taken effect for good: 1 of a single one, items of a batch, 1 + buckets of a flush. */
  done: i32,
  /** How many bucket words it has replaced. */
  effects: i32,
  /** Bucket word (index into the data segment's words) about to be replaced, 0: none. */
  bucketWord: i32,
  oldWord: i32,
  newWord: i32,
  /** What `done` and `effects` are once it is replaced. */
  nextDone: i32,
  nextEffects: i32,
  /** Granule of a block allocated and not yet published, 0: none. */
  pendingBlock: i32,
  /** Granule of a spare overflow bucket, 0: none. */
  spareBucket: i32,
  /** Granule of a block that was replaced last and is kept for the next entry of its size, 0: none. */
  keptBlock: i32,
  /** 1: the commit that `bucketWord` is about has a record in the worker's lane of the log. */
  logged: i32,
  /** Entries it has evicted, and their bytes, since the region was made. */
  evicted: f64,
  evictedBytes: f64,
  /** Entries that it has removed because they had expired. */
  expired: f64,
  a: align(LINE),
  operations: floats(MAX_OPERATIONS),
  errors: floats(MAX_OPERATIONS),
});

/** A bucket is one cache line: 15 entry words and the granule of an overflow bucket of the same shape. */
export const BUCKET_BYTES = 64;
export const BUCKET_WORDS = BUCKET_BYTES / 4;
export const BUCKET_ENTRIES = BUCKET_WORDS - 1;

/** Unit of addresses in the heap: a granule index is the byte offset in the data segment / 16; 0 is null. */
export const GRANULE_BYTES = 16;

/**
 * A stored entry, immutable once published. Key and value bytes follow the header, and before them, if the shape says
 * so, the moment from which on the entry is absent (hostMs(), f64).
 *
 *  0        4        8        12       16                24                32
 *  +--------+--------+--------+--------+-----------------+-----~
 *  | incarn.| shape  | valLen | hash   | version (f64)   | key, value
 *  +--------+--------+--------+--------+-----------------+-----------------+-----~
 *  | incarn.| shape  | valLen | hash   | version (f64)   | expiresAt (f64) | key, value
 *  +--------+--------+--------+--------+-----------------+-----------------+-----~
 */
export const Entry = record(24, {
  /** Odd: not readable. Even: unique among all entries of all stripes (until 2^31 versions later). */
  incarnation: i32,
  /** keyBytes (low 15) | EXPIRES | codec << 16. */
  shape: i32,
  valueBytes: i32,
  hash: i32,
  version: f64,
});
export const ENTRY_HEADER_BYTES = Entry.sizeBytes;
export const ENTRY_HEADER_WORDS = ENTRY_HEADER_BYTES / 4;

/** Of an entry's shape. */
export const KEY_BYTES_MASK = 0x7fff;
export const EXPIRES = 0x8000;
export const CODEC_SHIFT = 16;
/** Where `expiresAt` stands, in floats from the start of the entry. */
export const EXPIRES_AT = ENTRY_HEADER_BYTES / 8;
/** Bytes and words that the header of an entry of this shape has beyond ENTRY_HEADER_BYTES: 8 and 2, or none. */
export const expiryBytesOf = (shape: number): number => (shape & EXPIRES) >>> 12;
export const expiryWordsOf = (shape: number): number => (shape & EXPIRES) >>> 14;
/** No entry expires later than this (hostMs()): what says so is damaged. */
export const MAX_EXPIRES_AT = 2 ** 43;
