/** Reads snapshots: first whether one is sound, to its end, then its entries. */
import { pad4 } from '../alignment.js';
import { notOfLog, onFile } from './failure.js';
import { type FileLayer, withFile } from './file-layer.js';
import { FrameReader } from './frame-reader.js';
import { decodeHeader, type Header, HEADER_BYTES } from './header.js';
import type { NumberedFile } from './names.js';
import type { RecordViews } from './record.js';
import type { RecoverySink } from './sink.js';
import {
  BLOCK_HEADER_BYTES,
  BlockField,
  ENTRY_HEADER_BYTES,
  EntryField,
  FOOTER_BYTES,
  FOOTER_MARK,
  FooterField,
  isBlockShape,
  MAX_BLOCK_BYTES,
} from './snapshot-format.js';

export interface SnapshotSurvey extends NumberedFile {
  readonly header: Header | undefined;
  /** In sound blocks. */
  readonly entries: number;
  /** Of its footer; undefined: it is damaged, at `soundBytes`. */
  readonly footer: SnapshotFooter | undefined;
  readonly soundBytes: number;
  readonly fileBytes: number;
}

export interface SnapshotFooter {
  /** S1. */
  readonly lastSequence: number;
  readonly finishedMs: number;
  readonly highestVersion: number;
}

type EntryVisitor = Pick<RecoverySink, 'put'>;

/** Reads a whole snapshot. @throws KvsError ERR_KVS_LOG_FORMAT, ERR_KVS_LOG_FAILED */
export function surveySnapshot(layer: FileLayer, file: NumberedFile, buffer: RecordViews): SnapshotSurvey {
  return readSnapshot(layer, file, buffer, undefined);
}

/** Gives all entries of its sound blocks to the sink. @returns how it is found to be */
export function readSnapshot(
  layer: FileLayer,
  file: NumberedFile,
  buffer: RecordViews,
  sink: EntryVisitor | undefined,
): SnapshotSurvey {
  return onFile('read', file.path, () =>
    withFile(layer, file.path, 'read', (fd) => readBlocks(layer, file, fd, buffer, sink)),
  );
}

function readBlocks(
  layer: FileLayer,
  file: NumberedFile,
  fd: number,
  buffer: RecordViews,
  sink: EntryVisitor | undefined,
): SnapshotSurvey {
  const fileBytes = layer.size(fd);
  const start = new Uint8Array(Math.min(HEADER_BYTES, fileBytes));
  const header = decodeHeader('snapshot', file.path, start.subarray(0, layer.read(fd, start, 0, start.length, 0)));
  if (header === undefined) return { ...file, header, entries: 0, footer: undefined, soundBytes: 0, fileBytes };
  if (header.sequence !== file.sequence) {
    throw notOfLog(file.path, `is of record ${header.sequence}, its name says otherwise: give it its name back`);
  }
  const reader = new FrameReader(layer, fd, HEADER_BYTES, fileBytes, buffer);
  let entries = 0;
  let blocks = 0;
  let footer: SnapshotFooter | undefined;
  for (;;) {
    const sound = reader.sound(header.salt, MAX_BLOCK_BYTES);
    const end = reader.start + sound;
    while (reader.start < end && reader.views.words[(reader.start >> 2) + BlockField.index] === blocks) {
      const word = reader.start >> 2;
      const { words } = reader.views;
      if (words[word + BlockField.entries] >>> 0 === FOOTER_MARK) {
        footer = footerAt(reader, entries, fileBytes);
        break;
      }
      if (!isBlockShape(reader.views, reader.start)) break;
      if (sink !== undefined) visitBlock(reader.views, reader.start, sink);
      entries += words[word + BlockField.entries];
      blocks++;
      reader.start += words[word + BlockField.bytes];
    }
    if (sound === 0 || reader.start < end) break;
  }
  return { ...file, header, entries, footer, soundBytes: reader.offset, fileBytes };
}

/** @returns undefined unless it ends the file and counts what was read */
function footerAt(reader: FrameReader, entries: number, fileBytes: number): SnapshotFooter | undefined {
  const { words, floats } = reader.views;
  const float = reader.start >> 3;
  if (words[(reader.start >> 2) + BlockField.bytes] !== FOOTER_BYTES) return undefined;
  if (reader.offset + FOOTER_BYTES !== fileBytes || floats[float + FooterField.entries] !== entries) return undefined;
  return {
    lastSequence: floats[float + FooterField.lastSequence],
    finishedMs: floats[float + FooterField.finishedMs],
    highestVersion: floats[float + FooterField.highestVersion],
  };
}

/** Gives the entries of a sound block to the sink. */
export function visitBlock(views: RecordViews, offset: number, sink: EntryVisitor): void {
  const { words, floats } = views;
  const end = offset + words[(offset >> 2) + BlockField.bytes];
  for (let at = offset + BLOCK_HEADER_BYTES; at < end;) {
    const word = at >> 2;
    const float = at >> 3;
    const shape = words[word + EntryField.shape];
    const keyBytes = words[word + EntryField.keyBytes];
    const keyOffset = at + ENTRY_HEADER_BYTES;
    sink.put(
      views,
      keyOffset,
      keyBytes,
      keyOffset + pad4(keyBytes),
      words[word + EntryField.valueBytes],
      shape >>> 16,
      shape & 0xff,
      floats[float + EntryField.version],
      floats[float + EntryField.expiresAtMs],
    );
    at += words[word + EntryField.bytes];
  }
}
