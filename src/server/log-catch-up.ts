/** What a region holds of its log beyond the files: found out after a server, or the thread that wrote them, has died. */
import { KvsError, type KvsErrorCode } from '../errors.js';
import type { LogDirectory } from '../log/directory.js';
import { onFile } from '../log/failure.js';
import { highestNumber, listLogFiles } from '../log/names.js';
import { ownersOf } from '../log/owners.js';
import { checkRecoverable, recover } from '../log/recovery.js';
import type { RecoverySink } from '../log/sink.js';
import { DataHeader, type Geometry } from '../memory/layout.js';
import { isBehindGap, LogControl } from '../memory/log-layout.js';
import { regionIdOf } from '../memory/region-files.js';
import type { SegmentViews } from '../memory/segment.js';
import { store } from '../memory/words.js';
import { LogFeed } from '../store/log-feed.js';
import { SegmentNotes } from './segment-notes.js';

export interface CaughtUp {
  /** Stands behind what the files have. */
  readonly feed: LogFeed;
  readonly lastSequence: number;
  /** Why the files are not gone on with where they end: then a snapshot of the region has to follow. */
  readonly spoilt: KvsError | undefined;
}

/** What a disk may make of a log: pages that it never got, and that read as they were, or as zeros, or not at all. */
const SPOILT = new Set<string | undefined>(['ERR_KVS_LOG_DAMAGED', 'ERR_KVS_LOG_FAILED'] satisfies KvsErrorCode[]);

/**
 * Compares a region and the files of its store, which it was the last to write. What is in the files and not yet known to be
 * there is passed over. Files that cannot be read to their end are not needed: the region has all, so the log goes on
 * beyond them, behind a gap.
 * @param repair called before files are judged that count more than the region
 * @throws KvsError as recover(); ERR_KVS_NOT_OURS for files of another store, or that another server has written to since,
 *   which could be loaded; ERR_KVS_NOT_DURABLE for such that end before what the region has
 */
export function catchUp(
  directory: LogDirectory,
  data: SegmentViews,
  geometry: Geometry,
  repair: () => void = () => {},
): CaughtUp {
  checkOwner(directory, data, geometry, repair);
  try {
    return passOver(directory, data, geometry);
  } catch (error) {
    if (!(error instanceof KvsError) || !SPOILT.has(error.code)) throw error;
    return goBeyond(directory, data, geometry, error);
  }
}

/** First: the sequences of two stores, or of two servers, are not to be compared. */
function checkOwner(directory: LogDirectory, data: SegmentViews, geometry: Geometry, repair: () => void): void {
  const { path, layer } = directory;
  const storeId = regionIdOf(data, DataHeader.logStore);
  const { storeIds, hasFiles, lastSalt } = ownersOf(path, layer);
  const isSpoilt = hasFiles && storeIds.size === 0 && isBehindGap(data.words, geometry);
  const isOwn = storeIds.has(storeId) || isSpoilt;
  if (isOwn && (lastSalt === undefined || new SegmentNotes(data.words, geometry).isOwn(lastSalt))) return;
  repair();
  // A start that fails leaves the region.
  const lastSequence = checkRecoverable(directory);
  const [other] = storeIds;
  const found = other === undefined ? 'is empty' : `holds the log of store ${other}`;
  if (!isOwn) throw new KvsError('ERR_KVS_NOT_OURS', `${path} ${found}, the region is of store ${storeId}`);
  const { writtenSequence } = new LogFeed(data, geometry);
  const what = `${path} was written to by another server since the region was`;
  if (lastSequence >= writtenSequence) throw new KvsError('ERR_KVS_NOT_OURS', what);
  const message =
    `${what}, and ends with record ${lastSequence}, where the region has effects up to ${writtenSequence}: start with ` +
    '`fresh` to go on with the files';
  throw new KvsError('ERR_KVS_NOT_DURABLE', message);
}

function passOver(directory: LogDirectory, data: SegmentViews, geometry: Geometry): CaughtUp {
  const feed = new LogFeed(data, geometry);
  let beyond = 0;
  const count = (): void => {
    beyond++;
  };
  const sink: RecoverySink = { put: count, remove: count };
  const report = recover(directory, sink, { after: feed.writtenSequence });
  for (; beyond > 0 && feed.skip(); beyond--);
  const lastSequence = Math.max(report.lastSequence, feed.writtenSequence);
  feed.release(lastSequence);
  return { feed, lastSequence, spoilt: undefined };
}

/**
 * Goes on under numbers that no record has, whatever the files hold: each was written from a cell, but for the mark at the end
 * of a log, and a write that failed is followed by a segment with a number of its own.
 */
function goBeyond({ path, layer }: LogDirectory, data: SegmentViews, geometry: Geometry, spoilt: KvsError): CaughtUp {
  const feed = new LogFeed(data, geometry);
  const named = highestNumber(onFile('list', path, () => listLogFiles(path, layer)));
  const lastSequence = Math.max(named, feed.writtenSequence) + geometry.logCells + 1;
  // First: who comes after a death in between needs the snapshot as well.
  store(data.words, geometry.logControlOffset / 4 + LogControl.gap, 1);
  feed.release(lastSequence);
  return { feed, lastSequence, spoilt };
}
