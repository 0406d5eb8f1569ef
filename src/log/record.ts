/**
 * One record of the log: what a key's entry has become. Records are results, not requests (`incr` is logged as a put of the
 * sum), so replaying one twice changes nothing. Little-endian, 8-aligned, at multiples of 8 of any buffer:
 *
 *  0        4        8                16               24
 *  +--------+--------+----------------+----------------+
 *  | crc32c | bytes  | sequence (f64) | wall ms (f64)  |
 *  +--------+--------+----------------+----------------+----------------------------------------+
 *  | version (f64)   | expires ms(f64)| op·flags·codec · key bytes · value bytes · unsynced (u32 each)
 *  +-----------------+----------------+---------------------------------------------------------+
 *  24                32               40                                                        56: key, pad to 4, value, pad to 8
 *
 * `bytes` is the whole record. The CRC covers all behind itself. Sequence, `unsynced` and CRC are the log writer's to fill:
 * LogWriter.append() does. Whoever encodes leaves them alone. Padding is covered by the CRC and otherwise means nothing.
 */
import { pad4, pad8 } from '../alignment.js';

/** One buffer under three views that all start at its byte 0; a SegmentViews will do. */
export interface RecordViews {
  readonly bytes: Uint8Array;
  readonly words: Int32Array;
  readonly floats: Float64Array;
}

/**
 * What a record says of its key. Part of the format: numbers never change their meaning. There is none that changes the
 * expiry alone: who loads may have dropped the value by then, because it had expired before.
 */
export const RecordOperation = {
  /** The entry is this value now. */
  put: 1,
  /** The key is gone: deleted, expired, or evicted. */
  remove: 2,
  /** Says nothing of any key: tells how far the log was durable when it was written. The log writer's own. */
  mark: 5,
} as const;
export type RecordOperation = (typeof RecordOperation)[keyof typeof RecordOperation];

/** Offsets of fields: in 4-byte words, or where it says so in 8-byte floats, from the start of the record. */
export const RecordField = {
  crc: 0,
  bytes: 1,
  /** Floats. From 1, without gaps within a segment. */
  sequence: 1,
  /** Floats. Milliseconds since 1970. */
  wallTimeMs: 2,
  /** Floats. Of the entry after this record; of a removal, any number that its store orders by. */
  version: 3,
  /** Floats. Milliseconds since 1970, 0: never. */
  expiresAtMs: 4,
  /** operation | flags << 8 | codec << 16. */
  shape: 10,
  keyBytes: 11,
  valueBytes: 12,
  /** How many records before this one were not known to be durable when it was written. */
  unsynced: 13,
} as const;

export const RECORD_HEADER_BYTES = 56;
/** More than any key and value need; a longer one is damage. */
export const MAX_RECORD_BYTES = 80 * 2 ** 20;

/** How long a record is, a multiple of 8. */
export const recordBytes = (keyBytes: number, valueBytes: number): number =>
  RECORD_HEADER_BYTES + pad8(pad4(keyBytes) + valueBytes);

/** Where the key of a record at `offset` starts, a multiple of 8. */
export const keyOffsetOf = (offset: number): number => offset + RECORD_HEADER_BYTES;

/** Where its value starts, a multiple of 4. */
export const valueOffsetOf = (offset: number, keyBytes: number): number =>
  offset + RECORD_HEADER_BYTES + pad4(keyBytes);

/**
 * Writes all of a record but sequence, CRC, key and value; allocates nothing. The caller puts the key at keyOffsetOf() and
 * the value at valueOffsetOf(), before or after; copies of whole words may write into the padding.
 * @param offset in bytes, a multiple of 8, with room for recordBytes(keyBytes, valueBytes)
 * @param flags a byte that the store may use as it likes
 * @param codec the 16 bits that the store keeps with a value
 * @param expiresAtMs wall clock, 0: never
 * @returns the length of the record in bytes
 */
export function writeRecordHeader(
  target: RecordViews,
  offset: number,
  operation: RecordOperation,
  flags: number,
  codec: number,
  keyBytes: number,
  valueBytes: number,
  version: number,
  expiresAtMs: number,
  wallTimeMs: number,
): number {
  const { words, floats } = target;
  const word = offset >> 2;
  const float = offset >> 3;
  const bytes = recordBytes(keyBytes, valueBytes);
  words[word + RecordField.bytes] = bytes;
  floats[float + RecordField.wallTimeMs] = wallTimeMs;
  floats[float + RecordField.version] = version;
  floats[float + RecordField.expiresAtMs] = expiresAtMs;
  words[word + RecordField.shape] = operation | (flags << 8) | (codec << 16);
  words[word + RecordField.keyBytes] = keyBytes;
  words[word + RecordField.valueBytes] = valueBytes;
  return bytes;
}

/**
 * Numbers the records of a batch in their order. Sealing (frame.ts) comes after.
 * @param durableSequence up to where the log is known to be durable
 * @returns how many there are
 * @throws RangeError when the bytes are not whole records
 */
export function numberRecords(
  batch: RecordViews,
  offset: number,
  bytes: number,
  firstSequence: number,
  durableSequence: number,
): number {
  const { words, floats } = batch;
  const end = offset + bytes;
  let sequence = firstSequence;
  let at = offset;
  while (at < end) {
    const length = words[(at >> 2) + RecordField.bytes];
    if (length < RECORD_HEADER_BYTES || (length & 7) !== 0 || at + length > end) {
      throw new RangeError(`a batch of whole records was expected, at byte ${at - offset} is one of ${length} bytes`);
    }
    floats[(at >> 3) + RecordField.sequence] = sequence;
    words[(at >> 2) + RecordField.unsynced] = Math.min(sequence - 1 - durableSequence, 0xffff_ffff);
    sequence++;
    at += length;
  }
  return sequence - firstSequence;
}

const OPERATIONS: ReadonlySet<number> = new Set(Object.values(RecordOperation));

/** Whether the fields of a record agree with its length. Of one whose CRC is right, false means: written by another program. */
export function isRecordShape({ words }: RecordViews, offset: number): boolean {
  const word = offset >> 2;
  const operation = words[word + RecordField.shape] & 0xff;
  const keyBytes = words[word + RecordField.keyBytes] >>> 0;
  const valueBytes = words[word + RecordField.valueBytes] >>> 0;
  if (!OPERATIONS.has(operation)) return false;
  return RECORD_HEADER_BYTES + pad8(pad4(keyBytes) + valueBytes) === words[word + RecordField.bytes];
}

/** Three views over one buffer. @param bytes rounded up to a multiple of 8 */
export function createRecordViews(bytes: number): RecordViews {
  const buffer = new ArrayBuffer(Math.ceil(bytes / 8) * 8);
  return { bytes: new Uint8Array(buffer), words: new Int32Array(buffer), floats: new Float64Array(buffer) };
}
