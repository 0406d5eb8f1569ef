/** Looks at files of a log without changing them, or asking for the lock: `kvs-client log check` and `log dump`. */
import { basename, resolve } from 'node:path';

import { notOfLog, onFile } from './failure.js';
import { type FileLayer, fileSystem } from './file-layer.js';
import { FrameReader, READ_BUFFER_BYTES } from './frame-reader.js';
import { HEADER_BYTES } from './header.js';
import { listLogFiles, type NumberedFile } from './names.js';
import { planRecovery } from './plan.js';
import {
  createRecordViews,
  keyOffsetOf,
  RecordField,
  RecordOperation,
  type RecordViews,
  valueOffsetOf,
} from './record.js';
import { type SegmentSurvey, surveySegment } from './segment-survey.js';
import { MAX_BLOCK_BYTES } from './snapshot-format.js';
import { type SnapshotSurvey, surveySnapshot, visitBlock } from './snapshot-reader.js';

/** How a file is found to be. `isSound`: to its end. */
export interface FileCheck {
  readonly file: string;
  readonly kind: 'segment' | 'snapshot';
  readonly isSound: boolean;
  /** Of a segment: of its first record. Of a snapshot: S0. */
  readonly sequence: number;
  /** Of a segment: of its last sound record, `sequence` - 1 if there is none. Of a snapshot: S1, undefined when it is damaged. */
  readonly lastSequence: number | undefined;
  /** Sound records, or entries in sound blocks. */
  readonly entries: number;
  readonly bytes: number;
  /** Where the sound part ends. */
  readonly soundBytes: number;
}

export interface LogCheck {
  readonly files: readonly FileCheck[];
  /** Of a directory: what a recovery would make of it. */
  readonly recovery:
    | {
        readonly isRefused: boolean;
        readonly snapshot: string | undefined;
        readonly lastSequence: number;
        /** Where the log ends before its files do. */
        readonly end: { readonly file: string; readonly offset: number; readonly what: string } | undefined;
      }
    | undefined;
}

/** One record, or entry of a snapshot. Bytes are copies. */
export interface DumpedRecord {
  readonly file: string;
  readonly operation: keyof typeof RecordOperation | 'entry';
  /** Undefined for entries of snapshots, as the time. */
  readonly sequence: number | undefined;
  readonly wallTimeMs: number | undefined;
  readonly key: Buffer;
  /** Of puts and entries. */
  readonly value: Buffer | undefined;
  readonly codec: number;
  readonly flags: number;
  readonly version: number;
  readonly expiresAtMs: number;
}

const OPERATION_NAMES = Object.fromEntries(
  Object.entries(RecordOperation).map(([name, number]) => [number, name]),
) as Record<number, keyof typeof RecordOperation>;

const NAME = /^(log|snapshot)-(\d{16})\.kv[ls]/;

/** @throws KvsError ERR_KVS_LOG_FORMAT, ERR_KVS_LOG_FAILED, ERR_KVS_LOG_DIR */
export function checkLog(path: string, layer: FileLayer = fileSystem): LogCheck {
  const buffer = createRecordViews(READ_BUFFER_BYTES);
  const absolute = resolve(path);
  if (!isDirectory(absolute, layer)) return { files: [checkFile(absolute, layer, buffer)], recovery: undefined };
  const { segments, snapshots } = onFile('list', absolute, () => listLogFiles(absolute, layer));
  const files = [...snapshots, ...segments].map((file) => checkFile(file.path, layer, buffer));
  const plan = planRecovery(absolute, layer, buffer, undefined);
  const { isDamaged: isRefused, lastSequence, end } = plan;
  return { files, recovery: { isRefused, snapshot: plan.snapshot?.path, lastSequence, end } };
}

/**
 * Of a directory what a recovery would read: a snapshot, then the records behind it. Of a file all that is sound in it.
 * @throws as checkLog()
 */
export function* dumpLog(path: string, layer: FileLayer = fileSystem): Generator<DumpedRecord> {
  const buffer = createRecordViews(READ_BUFFER_BYTES);
  const absolute = resolve(path);
  if (isDirectory(absolute, layer)) {
    const { snapshot, segments, base } = planRecovery(absolute, layer, buffer, undefined);
    if (snapshot !== undefined) yield* dumpSnapshot(snapshot, layer, buffer);
    for (const segment of segments) yield* dumpSegment(segment, layer, buffer, base);
    return;
  }
  const file = numbered(absolute);
  if (file.name.startsWith('snapshot')) yield* dumpSnapshot(file, layer, buffer);
  else yield* dumpSegment(surveySegment(layer, file, buffer), layer, buffer, 0);
}

function isDirectory(path: string, layer: FileLayer): boolean {
  return onFile('look at', path, () => {
    const stats = layer.stat(path);
    if (stats === undefined) throw Object.assign(new Error('no such file'), { code: 'ENOENT', syscall: 'stat' });
    return stats.isDirectory();
  });
}

/** Copies that a repair has kept have something behind their old names. */
function numbered(path: string): NumberedFile {
  const name = basename(path);
  const digits = NAME.exec(name)?.[2];
  if (digits === undefined)
    throw notOfLog(path, 'has not the name of a file of a log: log-<16 digits>.kvl, snapshot-….kvs');
  return { path, name, sequence: Number(digits) };
}

function checkFile(path: string, layer: FileLayer, buffer: RecordViews): FileCheck {
  const file = numbered(path);
  return file.name.startsWith('snapshot')
    ? checkSnapshot(surveySnapshot(layer, file, buffer))
    : checkSegment(surveySegment(layer, file, buffer));
}

const checkSnapshot = ({ path, sequence, footer, entries, soundBytes, fileBytes }: SnapshotSurvey): FileCheck => ({
  file: path,
  kind: 'snapshot',
  isSound: footer !== undefined,
  sequence,
  lastSequence: footer?.lastSequence,
  entries,
  bytes: fileBytes,
  soundBytes: footer === undefined ? soundBytes : fileBytes,
});

const checkSegment = ({ path, header, sequence, lastSequence, soundBytes, fileBytes }: SegmentSurvey): FileCheck => ({
  file: path,
  kind: 'segment',
  isSound: header !== undefined && soundBytes === fileBytes,
  sequence,
  lastSequence,
  entries: lastSequence - sequence + 1,
  bytes: fileBytes,
  soundBytes,
});

function* dumpSnapshot(file: NumberedFile, layer: FileLayer, buffer: RecordViews): Generator<DumpedRecord> {
  // Where its sound blocks end; a footer is no block.
  const { soundBytes } = surveySnapshot(layer, file, buffer);
  for (const reader of framesOf(file.path, layer, soundBytes, buffer)) {
    const entries: DumpedRecord[] = [];
    visitBlock(reader.views, reader.start, {
      put({ bytes }, keyOffset, keyBytes, valueOffset, valueBytes, codec, flags, version, expiresAtMs) {
        entries.push({
          file: file.path,
          operation: 'entry',
          sequence: undefined,
          wallTimeMs: undefined,
          key: Buffer.from(bytes.slice(keyOffset, keyOffset + keyBytes)),
          value: Buffer.from(bytes.slice(valueOffset, valueOffset + valueBytes)),
          codec,
          flags,
          version,
          expiresAtMs,
        });
      },
    });
    yield* entries;
  }
}

function* dumpSegment(
  { path, soundBytes }: SegmentSurvey,
  layer: FileLayer,
  buffer: RecordViews,
  base: number,
): Generator<DumpedRecord> {
  for (const { views, start } of framesOf(path, layer, soundBytes, buffer)) {
    if (views.floats[(start >> 3) + RecordField.sequence] > base) yield recordAt(views, start, path);
  }
}

/** Yields the reader at each frame of the sound part of a file. */
function* framesOf(path: string, layer: FileLayer, soundBytes: number, buffer: RecordViews): Generator<FrameReader> {
  const fd = onFile('open', path, () => layer.open(path, 'read'));
  try {
    const reader = new FrameReader(layer, fd, HEADER_BYTES, soundBytes, buffer);
    for (let whole = reader.whole(MAX_BLOCK_BYTES); whole > 0; whole = reader.whole(MAX_BLOCK_BYTES)) {
      const end = reader.start + whole;
      while (reader.start < end) {
        const bytes = reader.views.words[(reader.start >> 2) + RecordField.bytes];
        yield reader;
        reader.start += bytes;
      }
    }
  } finally {
    layer.close(fd);
  }
}

function recordAt({ bytes, words, floats }: RecordViews, at: number, file: string): DumpedRecord {
  const [word, float] = [at >> 2, at >> 3];
  const shape = words[word + RecordField.shape];
  const keyBytes = words[word + RecordField.keyBytes];
  const [keyOffset, valueOffset] = [keyOffsetOf(at), valueOffsetOf(at, keyBytes)];
  const operation = OPERATION_NAMES[shape & 0xff];
  const value = bytes.slice(valueOffset, valueOffset + words[word + RecordField.valueBytes]);
  return {
    file,
    operation,
    sequence: floats[float + RecordField.sequence],
    wallTimeMs: floats[float + RecordField.wallTimeMs],
    key: Buffer.from(bytes.slice(keyOffset, keyOffset + keyBytes)),
    value: operation === 'put' ? Buffer.from(value) : undefined,
    codec: shape >>> 16,
    flags: (shape >>> 8) & 0xff,
    version: floats[float + RecordField.version],
    expiresAtMs: floats[float + RecordField.expiresAtMs],
  };
}
