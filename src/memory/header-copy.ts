/**
 * What the ctl header begins with, and the state, once more in the data segment, where no client can write: kept by the server,
 * and put back by the next one, whatever clients have made of the header.
 */
import { fstatSync, readSync, writeSync } from 'node:fs';

import { checkTrust } from './file-trust.js';
import { CTL_MAGIC, CtlHeader, DATA_MAGIC, DataHeader, geometryOf, LAYOUT_VERSION, RegionState } from './layout.js';
import { closeQuietly, isShape, openRegionFile, readShape, type RegionPaths } from './region-files.js';
import { type SegmentViews, viewsOf } from './segment.js';
import { store } from './words.js';

export const noteHeader = ({ words }: SegmentViews, header: Int32Array): void =>
  words.set(header, DataHeader.ctlHeader);

export const noteState = ({ words }: SegmentViews, state: number): void => store(words, DataHeader.state, state);

/**
 * Puts the header of a region that nobody serves back as its server left it, if that one ever served it. `fd` holds its lease.
 * @throws KvsError ERR_KVS_NOT_OURS
 */
export function restoreHeader({ data: path }: RegionPaths, fd: number, group: number | undefined): void {
  const data = openRegionFile(path, false);
  if (data === undefined) return;
  try {
    checkTrust(path, data, group);
    const noted = viewsOf(new SharedArrayBuffer(DataHeader.sizeBytes));
    if (readSync(data, noted.bytes, 0, DataHeader.sizeBytes, 0) < DataHeader.sizeBytes) return;
    const { words } = noted;
    const state = words[DataHeader.state];
    if (words[DataHeader.magic] !== DATA_MAGIC || words[DataHeader.layoutVersion] !== LAYOUT_VERSION) return;
    if (state === RegionState.starting || state === RegionState.stopped) return;
    const header = viewsOf(new SharedArrayBuffer(CtlHeader.sizeBytes));
    header.words.set(words.subarray(DataHeader.ctlHeader, DataHeader.ctlHeader + CtlHeader.state));
    const shape = readShape(header);
    if (header.words[CtlHeader.magic] !== CTL_MAGIC || !isShape(shape)) return;
    const { ctlBytes, dataBytes } = geometryOf(shape);
    if (fstatSync(fd).size !== ctlBytes || fstatSync(data).size !== dataBytes) return;
    header.words[CtlHeader.state] = state;
    writeSync(fd, header.bytes, 0, (CtlHeader.state + 1) * 4, 0);
  } finally {
    closeQuietly(data);
  }
}
