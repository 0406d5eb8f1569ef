/**
 * A snapshot behind its header: blocks of entries and a footer, each a frame. Little-endian, 8-aligned.
 *
 *  block   0        4        8        12       16
 *          +--------+--------+--------+--------+- - - - -
 *          | crc32c | bytes  | index  | entries| entries
 *          +--------+--------+--------+--------+- - - - -
 *  entry   0        4        8                16               24       28       32
 *          +--------+--------+----------------+----------------+--------+--------+- - - - - - - - - - - - - - - -
 *          | bytes  |fl·codec| version (f64)  | expires (f64)  | key len| val len| key, pad to 4, value, pad to 8
 *          +--------+--------+----------------+----------------+--------+--------+- - - - - - - - - - - - - - - -
 *  footer  0        4        8        12       16               24               32               40               48
 *          +--------+--------+--------+--------+----------------+----------------+----------------+----------------+
 *          | crc32c | bytes  | blocks | ~0     | entries (f64)  | S1 (f64)       | finished (f64) | version (f64)  |
 *          +--------+--------+--------+--------+----------------+----------------+----------------+----------------+
 *
 * Blocks are numbered from 0; the footer ends the file, and its version is the highest of all entries.
 */
import { pad4, pad8 } from '../alignment.js';
import type { RecordViews } from './record.js';

export const BLOCK_HEADER_BYTES = 16;
export const ENTRY_HEADER_BYTES = 32;
export const FOOTER_BYTES = 48;
/** A block holds at least one entry, whatever its size. */
export const MAX_BLOCK_BYTES = 96 * 2 ** 20;
/** Where a block says how many entries it has. */
export const FOOTER_MARK = 0xffff_ffff;

/** In 4-byte words. */
export const BlockField = { bytes: 1, index: 2, entries: 3 } as const;
/** In 4-byte words; `version` and `expiresAtMs` in floats. */
export const EntryField = { bytes: 0, shape: 1, version: 1, expiresAtMs: 2, keyBytes: 6, valueBytes: 7 } as const;
/** In floats. */
export const FooterField = { entries: 2, lastSequence: 3, finishedMs: 4, highestVersion: 5 } as const;

export const entryBytes = (keyBytes: number, valueBytes: number): number =>
  ENTRY_HEADER_BYTES + pad8(pad4(keyBytes) + valueBytes);

/** Whether the block at `offset`, whose CRC is right, holds what it says: whole entries that agree with their lengths. */
export function isBlockShape({ words }: RecordViews, offset: number): boolean {
  const end = offset + words[(offset >> 2) + BlockField.bytes];
  const entries = words[(offset >> 2) + BlockField.entries];
  let at = offset + BLOCK_HEADER_BYTES;
  for (let i = 0; i < entries; i++) {
    if (at + ENTRY_HEADER_BYTES > end) return false;
    const word = at >> 2;
    const bytes = words[word + EntryField.bytes];
    const keyBytes = words[word + EntryField.keyBytes] >>> 0;
    const valueBytes = words[word + EntryField.valueBytes] >>> 0;
    if (ENTRY_HEADER_BYTES + pad8(pad4(keyBytes) + valueBytes) !== bytes) return false;
    at += bytes;
  }
  return at === end;
}
