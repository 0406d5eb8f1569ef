/** What a region holds of its log beyond the files: found out after a server, or the thread that wrote them, has died. */
import { KvsError, type KvsErrorCode } from '../errors.js';
import type { LogDirectory } from '../log/directory.js';
import { onFile } from '../log/failure.js';
import { highestNumber, listLogFiles } from '../log/names.js';
import { checkRecoverable, recover } from '../log/recovery.js';
import type { RecoverySink } from '../log/sink.js';
import { storeIdsOf } from '../log/store-id.js';
import { DataHeader, type Geometry } from '../memory/layout.js';
import { isBehindGap } from '../memory/log-layout.js';
import { regionIdOf } from '../memory/region-files.js';
import type { SegmentViews } from '../memory/segment.js';
import { LogFeed } from '../store/log-feed.js';

export interface CaughtUp {
  /** Stands behind what the files have. */
  readonly feed: LogFeed;
  readonly lastSequence: number;
}

/** What a failed sync may leave of a log: pages that read as they were, or as zeros, or not at all. */
const LOST_BY_SYNC = new Set<string | undefined>([
  'ERR_KVS_LOG_DAMAGED',
  'ERR_KVS_LOG_FAILED',
] satisfies KvsErrorCode[]);

/**
 * Compares region and files. What is in the files and not yet known to be there is passed over; behind a gap, where a
 * snapshot of the region is to follow, files that cannot be read to their end are not needed: the log goes on beyond them.
 * @throws KvsError as recover(); ERR_KVS_NOT_OURS for files of another store, which could be loaded
 */
export function catchUp(directory: LogDirectory, data: SegmentViews, geometry: Geometry): CaughtUp {
  const storeId = regionIdOf(data, DataHeader.logStore);
  const found = storeIdsOf(directory.path, directory.layer);
  // First: the sequences of two stores are not to be compared.
  if (!found.has(storeId)) {
    // A start that fails leaves the region.
    checkRecoverable(directory);
    throw ofOtherStore(directory, [...found][0], storeId);
  }
  try {
    return passOver(directory, data, geometry, storeId);
  } catch (error) {
    if (!isBehindGap(data.words, geometry) || !LOST_BY_SYNC.has((error as KvsError).code)) throw error;
    return goBeyond(directory, data, geometry);
  }
}

function passOver(directory: LogDirectory, data: SegmentViews, geometry: Geometry, storeId: string): CaughtUp {
  const feed = new LogFeed(data, geometry);
  let beyond = 0;
  const count = (): void => {
    beyond++;
  };
  const sink: RecoverySink = { put: count, remove: count };
  const report = recover(directory, sink, { after: feed.writtenSequence });
  if (report.storeId !== storeId) throw ofOtherStore(directory, report.storeId, storeId);
  for (; beyond > 0 && feed.skip(); beyond--);
  const lastSequence = Math.max(report.lastSequence, feed.writtenSequence);
  feed.release(lastSequence);
  return { feed, lastSequence };
}

/** Numbers that no record has, whatever the files hold: each was written from a cell, into a segment with a number of its own. */
function goBeyond({ path, layer }: LogDirectory, data: SegmentViews, geometry: Geometry): CaughtUp {
  const feed = new LogFeed(data, geometry);
  const named = highestNumber(onFile('list', path, () => listLogFiles(path, layer)));
  const lastSequence = Math.max(named, feed.writtenSequence) + geometry.logCells;
  feed.release(lastSequence);
  return { feed, lastSequence };
}

function ofOtherStore({ path }: LogDirectory, storeId: string | undefined, expected: string): KvsError {
  const found = storeId === undefined ? 'is empty' : `holds the log of store ${storeId}`;
  return new KvsError('ERR_KVS_NOT_OURS', `${path} ${found}, the region is of store ${expected}`);
}
