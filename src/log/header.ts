/**
 * The first 64 bytes of a segment and of a snapshot. Little-endian.
 *
 *  0                8        12       16                24               32               40               48       52
 *  +----------------+--------+--------+----------------+----------------+----------------+----------------+--------+- - -+
 *  | magic          | crc32c | format | store id       | sequence (f64) | created (f64)  | durable (f64)  | salt   |     |
 *  +----------------+--------+--------+----------------+----------------+----------------+----------------+--------+- - -+
 *  52: flags (u32; 1: zeros may follow the records of a segment). 56: of a segment a version (f64), of a snapshot a hash seed
 *
 * The CRC covers bytes 12 to 64. The salt is random, and the seed of all other CRCs in the file: blocks of an older file
 * that the disk shows after a crash, or a value that looks like a record, are not taken for records of this one.
 */
import { randomBytes } from 'node:crypto';

import { KvsError } from '../errors.js';
import { native } from '../native.js';
import { createRecordViews } from './record.js';

export const HEADER_BYTES = 64;
/** Raised by whatever an older version could not read. */
export const FORMAT_VERSION = 1;

/** Bytes above 127 and line ends: a transfer as text would not go unnoticed. */
const MAGIC = { segment: 'KVSL\xE6\r\n\x1A', snapshot: 'KVSS\xE6\r\n\x1A' } as const;
export type FileKind = keyof typeof MAGIC;

const CRC_WORD = 2;
const FORMAT_WORD = 3;
const STORE_WORD = 4;
const SEQUENCE_FLOAT = 3;
const CREATED_FLOAT = 4;
const DURABLE_FLOAT = 5;
const SALT_WORD = 12;
const FLAGS_WORD = 13;
const VERSION_FLOAT = 7;
const SEED_WORD = 14;
const HAS_ROOM = 1;
const CRC_START = 12;

export interface Header {
  /** 16 hex digits. */
  readonly storeId: string;
  /** Of a segment: of its first record. Of a snapshot: S0. */
  readonly sequence: number;
  /** Milliseconds since 1970. */
  readonly createdMs: number;
  /** Of a segment: up to where the log before it was known to be durable when it began; less than `sequence` - 1 behind a gap. */
  readonly durableSequence: number;
  readonly salt: number;
  /** Of a segment: zeros behind its records are room for more, and no torn tail. */
  readonly hasRoom?: boolean;
  /** Of a segment: no version above this one had been given to an entry when it began, 0: not known. */
  readonly highestVersion?: number;
  /** Of a snapshot: its entries are in the order of the buckets that keys have with this seed. undefined: in any order. */
  readonly hashSeed?: HashSeed | undefined;
}

export type HashSeed = readonly [number, number];

export const randomSalt = (): number => randomBytes(4).readUInt32LE();
export const randomStoreId = (): string => randomBytes(8).toString('hex');

export function encodeHeader(kind: FileKind, header: Header): Uint8Array {
  const { bytes, words, floats } = createRecordViews(HEADER_BYTES);
  for (let i = 0; i < MAGIC[kind].length; i++) bytes[i] = MAGIC[kind].charCodeAt(i);
  words[FORMAT_WORD] = FORMAT_VERSION;
  words[STORE_WORD] = Number.parseInt(header.storeId.slice(0, 8), 16);
  words[STORE_WORD + 1] = Number.parseInt(header.storeId.slice(8), 16);
  floats[SEQUENCE_FLOAT] = header.sequence;
  floats[CREATED_FLOAT] = header.createdMs;
  floats[DURABLE_FLOAT] = header.durableSequence;
  words[SALT_WORD] = header.salt;
  words[FLAGS_WORD] = header.hasRoom === true ? HAS_ROOM : 0;
  if (kind === 'segment') floats[VERSION_FLOAT] = header.highestVersion ?? 0;
  else if (header.hashSeed !== undefined) words.set(header.hashSeed, SEED_WORD);
  words[CRC_WORD] = native.crc32c(bytes, CRC_START, HEADER_BYTES - CRC_START);
  return bytes;
}

/**
 * @param bytes what the file begins with, 64 bytes or less
 * @returns undefined: damaged
 * @throws KvsError ERR_KVS_LOG_FORMAT for another program's file or a newer version's
 */
export function decodeHeader(kind: FileKind, path: string, bytes: Uint8Array): Header | undefined {
  const views = createRecordViews(HEADER_BYTES);
  views.bytes.set(bytes.subarray(0, HEADER_BYTES));
  const isWhole = bytes.length >= HEADER_BYTES;
  const crc = native.crc32c(views.bytes, CRC_START, HEADER_BYTES - CRC_START);
  const isOurs = isWhole && crc === views.words[CRC_WORD] >>> 0;
  const magic = String.fromCharCode(...views.bytes.subarray(0, MAGIC[kind].length));
  const format = views.words[FORMAT_WORD] >>> 0;
  if (magic === MAGIC[kind] && isWhole && format > FORMAT_VERSION) throw newerVersion(path, format);
  if (magic !== MAGIC[kind] || !isOurs) {
    if (isOurs || isForeign(magic, MAGIC[kind])) throw foreign(path, kind);
    return undefined;
  }
  const isSegment = kind === 'segment';
  const hashSeed: HashSeed = [views.words[SEED_WORD], views.words[SEED_WORD + 1]];
  const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
  return {
    storeId: hex(views.words[STORE_WORD]) + hex(views.words[STORE_WORD + 1]),
    sequence: views.floats[SEQUENCE_FLOAT],
    createdMs: views.floats[CREATED_FLOAT],
    durableSequence: views.floats[DURABLE_FLOAT],
    salt: views.words[SALT_WORD] >>> 0,
    hasRoom: (views.words[FLAGS_WORD] & HAS_ROOM) !== 0,
    highestVersion: isSegment ? views.floats[VERSION_FLOAT] : 0,
    hashSeed: isSegment || hashSeed.every((word) => word === 0) ? undefined : hashSeed,
  };
}

/** Another program's file has nothing of the magic number; damage leaves some of it, or zeros. */
function isForeign(magic: string, expected: string): boolean {
  let equal = 0;
  let zeros = 0;
  for (let i = 0; i < expected.length; i++) {
    if (magic[i] === expected[i]) equal++;
    else if (magic[i] === '\0') zeros++;
  }
  return equal + zeros < expected.length / 2;
}

function newerVersion(path: string, format: number): KvsError {
  return new KvsError(
    'ERR_KVS_LOG_FORMAT',
    `${path} has format version ${format}, this shm-kvs reads up to ${FORMAT_VERSION}: use the version of shm-kvs that wrote it`,
    { file: path },
  );
}

function foreign(path: string, kind: FileKind): KvsError {
  return new KvsError(
    'ERR_KVS_LOG_FORMAT',
    `${path} is not a ${kind} of a shm-kvs log: move it elsewhere, or choose another directory`,
    { file: path },
  );
}
