/** Names of the files in a log's directory. Numbers have 16 digits, so that names sort as they do. */
import { join } from 'node:path';

import type { FileLayer } from './file-layer.js';

export const LOCK_FILE = 'lock';
const DIGITS = 16;
const SEGMENT = /^log-(\d{16})\.kvl$/;
const SNAPSHOT = /^snapshot-(\d{16})\.kvs$/;
const UNFINISHED = /^(snapshot-\d{16}\.kvs|log-\d{16}\.kvl)\.tmp$/;

const padded = (sequence: number): string => String(sequence).padStart(DIGITS, '0');
/** @param first the sequence of its first record */
export const segmentName = (first: number): string => `log-${padded(first)}.kvl`;
export const snapshotName = (sequence: number): string => `snapshot-${padded(sequence)}.kvs`;
export const unfinishedSegmentName = (first: number): string => `${segmentName(first)}.tmp`;
export const unfinishedSnapshotName = (sequence: number): string => `${snapshotName(sequence)}.tmp`;

export interface NumberedFile {
  readonly path: string;
  readonly name: string;
  /** The number in its name: of a segment, of its first record; of a snapshot, its S0. */
  readonly sequence: number;
}

export interface LogFiles {
  /** By rising sequence. */
  readonly segments: readonly NumberedFile[];
  /** By falling sequence: the newest first. */
  readonly snapshots: readonly NumberedFile[];
  /** Paths of segments and snapshots that were never finished. */
  readonly unfinished: readonly string[];
}

/** The highest number that a name has, 0: there is none. */
export const highestNumber = ({ segments, snapshots }: LogFiles): number =>
  Math.max(0, segments.at(-1)?.sequence ?? 0, snapshots[0]?.sequence ?? 0);

/** What is in the directory; names of others are left out. */
export function listLogFiles(directory: string, layer: FileLayer): LogFiles {
  const names = layer.list(directory);
  const numbered = (pattern: RegExp): NumberedFile[] =>
    names.flatMap((name) => {
      const digits = pattern.exec(name)?.[1];
      return digits === undefined ? [] : [{ name, path: join(directory, name), sequence: Number(digits) }];
    });
  return {
    segments: numbered(SEGMENT).sort((a, b) => a.sequence - b.sequence),
    snapshots: numbered(SNAPSHOT).sort((a, b) => b.sequence - a.sequence),
    unfinished: names.filter((name) => UNFINISHED.test(name)).map((name) => join(directory, name)),
  };
}
