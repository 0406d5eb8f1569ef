/**
 * What the ctl header begins with, and the state, once more in the data segment, where no client can write: kept by the server,
 * put back by the next one, and compared by who attaches, whatever clients have made of the header.
 */
import { fstatSync, readSync, writeSync } from 'node:fs';

import { checkTrust } from './file-trust.js';
import {
  CTL_MAGIC,
  CtlHeader,
  DATA_MAGIC,
  DataHeader,
  geometryOf,
  LAYOUT_VERSION,
  RegionState,
  type RegionShape,
} from './layout.js';
import { closeQuietly, isShape, openRegionFile, readShape, type RegionPaths } from './region-files.js';
import { type SegmentViews, viewsOf } from './segment.js';
import { store } from './words.js';

/** What data of a region cannot do without: the number of workers may change. */
const FIXED = ['slots', 'stripes', 'maxValueBytes', 'maxMemoryBytes', 'logBytes'] as const;

export const noteHeader = ({ words }: SegmentViews, header: Int32Array): void =>
  words.set(header, DataHeader.ctlHeader);

export const noteState = ({ words }: SegmentViews, state: number): void => store(words, DataHeader.state, state);

function notedHeader({ words }: SegmentViews): SegmentViews {
  const header = viewsOf(new SharedArrayBuffer(CtlHeader.sizeBytes));
  header.words.set(words.subarray(DataHeader.ctlHeader, DataHeader.ctlHeader + CtlHeader.state));
  header.words[CtlHeader.state] = words[DataHeader.state];
  return header;
}

/** What a data file begins with; zeros, where it is shorter. */
export function readDataHeader(fd: number): SegmentViews {
  const header = viewsOf(new SharedArrayBuffer(DataHeader.sizeBytes));
  readSync(fd, header.bytes, 0, DataHeader.sizeBytes, 0);
  return header;
}

/** Whether a region has the shape that its ctl header tells of; of one that was never served nothing is noted. */
export function isAsNoted(data: SegmentViews, told: RegionShape): boolean {
  if (data.words[DataHeader.state] === RegionState.starting) return true;
  const noted = readShape(notedHeader(data));
  return FIXED.every((name) => noted[name] === told[name]);
}

/**
 * Puts the header of a region that nobody serves back as its server left it, if that one ever served it. `fd` holds its lease.
 * @throws KvsError ERR_KVS_NOT_OURS
 */
export function restoreHeader({ data: path }: RegionPaths, fd: number, group: number | undefined): void {
  const dataFd = openRegionFile(path, false);
  if (dataFd === undefined) return;
  try {
    checkTrust(path, dataFd, group);
    const data = readDataHeader(dataFd);
    if (data.words[DataHeader.magic] !== DATA_MAGIC || data.words[DataHeader.layoutVersion] !== LAYOUT_VERSION) return;
    const header = notedHeader(data);
    const state = header.words[CtlHeader.state];
    if (state === RegionState.starting || state === RegionState.stopped) return;
    const shape = readShape(header);
    if (header.words[CtlHeader.magic] !== CTL_MAGIC || !isShape(shape)) return;
    const { ctlBytes, dataBytes } = geometryOf(shape);
    if (fstatSync(fd).size !== ctlBytes || fstatSync(dataFd).size !== dataBytes) return;
    writeSync(fd, header.bytes, 0, (CtlHeader.state + 1) * 4, 0);
  } finally {
    closeQuietly(dataFd);
  }
}
