/**
 * How far a segment is sound, and what it proves about what had been durable. Each record tells how far the log was known to
 * be durable when it was written. So where a segment ends early, a later record tells whether what is missing had been
 * promised to anybody (damage) or not (a torn tail: the disk wrote blocks in another order than we did).
 */
import { native } from '../native.js';
import { notOfLog, onFile } from './failure.js';
import { type FileLayer, withFile } from './file-layer.js';
import { FrameReader } from './frame-reader.js';
import { decodeHeader, type Header, HEADER_BYTES } from './header.js';
import type { NumberedFile } from './names.js';
import {
  createRecordViews,
  isRecordShape,
  MAX_RECORD_BYTES,
  RECORD_HEADER_BYTES,
  RecordField,
  type RecordViews,
} from './record.js';

export interface SegmentSurvey extends NumberedFile {
  /** undefined: damaged. */
  readonly header: Header | undefined;
  /** The last record of the sound part, the one before the first if there is none. */
  readonly lastSequence: number;
  readonly soundBytes: number;
  /** Without room that was made ahead: more than `soundBytes` says that the segment ends early. */
  readonly fileBytes: number;
  /** That the header or a record names, 0: none. */
  readonly highestVersion: number;
  /** The highest sequence that a header or record of this file proves to have been durable. */
  readonly durableSequence: number;
}

/** Of what follows damage, this much is searched for later records. */
const MAX_SEARCHED_BYTES = 512 * 2 ** 20;
const UNKNOWN_UNSYNCED = 0xffff_ffff;

/** Reads a whole segment. @throws KvsError ERR_KVS_LOG_FORMAT, ERR_KVS_LOG_FAILED */
export function surveySegment(layer: FileLayer, file: NumberedFile, buffer: RecordViews): SegmentSurvey {
  return onFile('read', file.path, () => withFile(layer, file.path, 'read', (fd) => survey(layer, file, fd, buffer)));
}

function survey(layer: FileLayer, file: NumberedFile, fd: number, buffer: RecordViews): SegmentSurvey {
  const fileBytes = layer.size(fd);
  const header = readHeader(layer, file, fd, fileBytes);
  if (header === undefined) {
    // A segment gets its name when its header is durable. What else it held, nobody knows.
    const { sequence } = file;
    const nothing = { lastSequence: sequence - 1, soundBytes: 0, highestVersion: 0 };
    return { ...file, header, ...nothing, fileBytes, durableSequence: sequence };
  }
  const reader = new FrameReader(layer, fd, HEADER_BYTES, fileBytes, buffer);
  let last = file.sequence - 1;
  let durable = header.durableSequence;
  let highestVersion = header.highestVersion ?? 0;
  for (;;) {
    const sound = reader.sound(header.salt, MAX_RECORD_BYTES);
    if (sound === 0) break;
    const { words, floats } = reader.views;
    const end = reader.start + sound;
    let at = reader.start;
    while (at < end && isRecordShape(reader.views, at) && floats[(at >> 3) + RecordField.sequence] === last + 1) {
      durable = Math.max(durable, durableBy(reader.views, at, last + 1));
      highestVersion = Math.max(highestVersion, floats[(at >> 3) + RecordField.version]);
      at += words[(at >> 2) + RecordField.bytes];
      last++;
    }
    reader.start = at;
    if (at < end) break;
  }
  const soundBytes = reader.offset;
  const sound = { ...file, header, lastSequence: last, soundBytes, highestVersion };
  if (soundBytes === fileBytes) return { ...sound, fileBytes, durableSequence: durable };
  const rest = readRest(layer, fd, soundBytes, fileBytes);
  if (header.hasRoom === true && isZero(rest) && soundBytes + rest.bytes.length >= fileBytes) {
    return { ...sound, fileBytes: soundBytes, durableSequence: durable };
  }
  return { ...sound, fileBytes, durableSequence: Math.max(durable, searchProof(rest, header, last)) };
}

const isZero = ({ words }: RecordViews): boolean => words.every((word) => word === 0);

function readHeader(layer: FileLayer, file: NumberedFile, fd: number, fileBytes: number): Header | undefined {
  const bytes = new Uint8Array(Math.min(HEADER_BYTES, fileBytes));
  const length = layer.read(fd, bytes, 0, bytes.length, 0);
  const header = decodeHeader('segment', file.path, bytes.subarray(0, length));
  if (header !== undefined && header.sequence !== file.sequence) {
    throw notOfLog(file.path, `begins with record ${header.sequence}, its name says otherwise: give it its name back`);
  }
  return header;
}

const durableBy = ({ words }: RecordViews, at: number, sequence: number): number => {
  const unsynced = words[(at >> 2) + RecordField.unsynced] >>> 0;
  return unsynced === UNKNOWN_UNSYNCED ? 0 : sequence - 1 - unsynced;
};

function readRest(layer: FileLayer, fd: number, offset: number, fileBytes: number): RecordViews {
  const length = Math.min(fileBytes - offset, MAX_SEARCHED_BYTES);
  const views = createRecordViews(length);
  for (let done = 0; done < length;) {
    const read = layer.read(fd, views.bytes, done, length - done, offset + done);
    if (read === 0) break;
    done += read;
  }
  return views;
}

/** Looks for sound records behind the place where they end. @returns the highest sequence that one proves durable */
function searchProof(views: RecordViews, header: Header, last: number): number {
  const { length } = views.bytes;
  let durable = 0;
  for (let at = 0; at + RECORD_HEADER_BYTES <= length;) {
    const bytes = views.words[(at >> 2) + RecordField.bytes];
    if (isLaterRecord(views, at, length, last, header.salt)) {
      durable = Math.max(durable, durableBy(views, at, views.floats[(at >> 3) + RecordField.sequence]));
      at += bytes;
    } else {
      at += 8;
    }
  }
  return durable;
}

function isLaterRecord(views: RecordViews, at: number, length: number, last: number, salt: number): boolean {
  const bytes = views.words[(at >> 2) + RecordField.bytes];
  if (bytes < RECORD_HEADER_BYTES || at + bytes > length || !isRecordShape(views, at)) return false;
  const sequence = views.floats[(at >> 3) + RecordField.sequence];
  return (
    sequence > last && Number.isSafeInteger(sequence) && native.soundFrames(views.bytes, at, bytes, salt) === bytes
  );
}
