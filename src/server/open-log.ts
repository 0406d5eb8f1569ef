/**
 * What a server does with its directory before it serves: fills a new store from the files, or, where the region has
 * survived, writes to the files what the region has beyond them. Then the log's room in the region is made anew.
 */
import { randomFillSync } from 'node:crypto';
import { performance } from 'node:perf_hooks';

import { KvsError } from '../errors.js';
import { type LogDirectory, openLogDirectory } from '../log/directory.js';
import { recover } from '../log/recovery.js';
import { type Repair, repairLog } from '../log/repair.js';
import type { RecoveryReport } from '../log/sink.js';
import { LogWriter } from '../log/writer.js';
import { CtlHeader, DataHeader, EvictionPolicy, type Geometry } from '../memory/layout.js';
import { isBehindGap, laneSize, LogControl } from '../memory/log-layout.js';
import { regionIdOf } from '../memory/region-files.js';
import type { LeftRegion } from '../memory/region-claim.js';
import type { OwnedRegion } from '../memory/region.js';
import type { SegmentViews } from '../memory/segment.js';
import { UseMarks } from '../memory/use-marks.js';
import type { EvictionParts } from '../store/eviction.js';
import { EvictionState } from '../store/eviction-state.js';
import { LogFeed, resetLanes } from '../store/log-feed.js';
import { leastLaneBytes } from '../store/log-lane.js';
import { catchUp, type CaughtUp } from './log-catch-up.js';
import { LogLoader } from './log-loader.js';
import type { LogOptions } from './options.js';
import { loadPacked } from './packed-load.js';
import { SegmentNotes } from './segment-notes.js';
import { snapshotAtRest } from './snapshot.js';
import { resolveIntents } from './warm-restart.js';

/** A directory of a log, and what `repair` asks for. */
export interface Files extends LogDirectory {
  /** Sets the log right, once, if that was asked for. Not while a region goes on, which has all. @throws as repairLog() */
  repair(): void;
}

/** A log that may be written. */
export interface OpenedLog {
  readonly directory: LogDirectory;
  readonly storeId: string;
  readonly nextSequence: number;
}

export interface Loaded extends RecoveryReport {
  readonly entries: number;
  readonly ms: number;
}

/** @throws KvsError as openLogDirectory() */
export function openDirectory({ dir, repair }: LogOptions, onRepair: (repairs: Repair[]) => void): Files {
  const directory = openLogDirectory(dir);
  let isDue = repair;
  return {
    ...directory,
    repair() {
      if (isDue) onRepair(repairLog(directory));
      isDue = false;
    },
  };
}

/**
 * Fills the empty store of a new region. With eviction, what does not fit is dropped; from then on the files say so too, or
 * it could come back in the place of what others have seen missing, or removed, since.
 * @throws KvsError ERR_KVS_OUT_OF_MEMORY without eviction, with what is needed; as repairLog(), recover(), LogLoader and
 *   SnapshotWriter
 */
export function loadStore(
  { ctl, data, geometry }: OwnedRegion,
  directory: Files,
  policy: EvictionPolicy,
): { log: OpenedLog; loaded: Loaded } {
  const startedAt = performance.now();
  directory.repair();
  ctl.words[CtlHeader.eviction] = EvictionPolicy[policy];
  let loader = new LogLoader(data, geometry, policy === 'none' ? undefined : evictionParts(ctl, geometry));
  const report = recover(directory, loader);
  if (loader.isFull) loader = loadPacked(data, geometry, directory);
  const entries = loader.end();
  if (report.storeId === undefined) data.words.set(randomFillSync(new Int32Array(2)), DataHeader.logStore);
  else data.words.set(wordsOf(report.storeId), DataHeader.logStore);
  resetLanes(data, geometry, geometry.workers, report.lastSequence);
  const storeId = regionIdOf(data, DataHeader.logStore);
  if (loader.dropped > 0) snapshotAtRest({ data, geometry, directory, storeId }, report.lastSequence);
  const loaded = { ...report, entries, ms: Math.round(performance.now() - startedAt) };
  return { log: { directory, storeId, nextSequence: report.lastSequence + 1 }, loaded };
}

/** For the load alone: the workers begin anew. Nobody listens to what goes. */
const evictionParts = (ctl: SegmentViews, geometry: Geometry): EvictionParts => ({
  state: new EvictionState(EvictionState.allocate(geometry), geometry),
  marks: new UseMarks(ctl, geometry),
  tell: () => {},
});

/**
 * Makes durable what a region that was taken over has beyond the files; its workers' intents must have been resolved, and
 * no answer that waited for it may have been given.
 * @returns `spoilt`: as CaughtUp's
 * @throws KvsError as catchUp() and LogWriter
 */
export function drainRegion({ data, geometry }: LeftRegion, directory: Files): OpenedLog & Pick<CaughtUp, 'spoilt'> {
  const { feed, lastSequence, spoilt } = catchUp(directory, data, geometry, () => directory.repair());
  const storeId = regionIdOf(data, DataHeader.logStore);
  let sequence = lastSequence;
  const hasGap = isBehindGap(data.words, geometry);
  // Behind a gap the log has to end with a segment of its own: what is in front of it may be spoilt.
  if (hasGap || !feed.isEmpty) {
    const writer = LogWriter.open(directory, {
      storeId,
      nextSequence: sequence + 1,
      isBehindGap: hasGap,
      observer: new SegmentNotes(data.words, geometry),
    });
    const batch = LogFeed.allocateBatch(geometry);
    for (let bytes = feed.take(batch); bytes > 0; bytes = feed.take(batch)) {
      sequence = writer.append(batch, 0, bytes);
      feed.release(sequence);
    }
    writer.close();
    sequence = writer.nextSequence - 1;
  }
  resetLanes(data, geometry, geometry.workers, sequence);
  return { directory, storeId, nextSequence: sequence + 1, spoilt };
}

type Shared = Pick<OwnedRegion, 'data' | 'geometry'>;

/**
 * After a failed sync the files may lack what has been written to them, also what was not answered yet: makes a snapshot of
 * the rebuilt store, which is at rest. Until then no answer that waits for the log may be given.
 * @throws KvsError as SnapshotWriter
 */
export function closeGap({ data, geometry }: Shared, { directory, storeId, nextSequence }: OpenedLog): void {
  if (!isBehindGap(data.words, geometry)) return;
  snapshotAtRest({ data, geometry, directory, storeId }, nextSequence - 1);
  data.words[geometry.logControlOffset / 4 + LogControl.gap] = 0;
}

/** Whether a region belongs to files. */
export const hasLog = ({ data: { words }, geometry }: LeftRegion): boolean =>
  geometry.logBytes > 0 && (words[DataHeader.logStore] !== 0 || words[DataHeader.logStore + 1] !== 0);

/**
 * Before a region is put aside: brings what only it holds to the files of its store. Files of another store count, as ever.
 * @throws KvsError when that cannot be done: then it must not be put aside
 */
export function salvageLog(left: LeftRegion, directory: Files | undefined): void {
  const { data, geometry, name } = left;
  const refuse = (what: string, cause?: unknown): KvsError => {
    const message =
      `the region named ${JSON.stringify(name)} cannot be gone on with as it is, and ${what}: ` +
      'start with the shape and the directory that it had, or with `fresh`, which drops what is in no file';
    return new KvsError('ERR_KVS_NOT_DURABLE', message, { cause });
  };
  const checkGap = (): void => {
    if (isBehindGap(data.words, geometry)) {
      throw refuse('a sync has failed, or its files are damaged, so that they may lack what it holds');
    }
  };
  checkGap();
  try {
    resolveIntents(left);
    if (directory !== undefined) drainRegion(left, directory);
    else if (!new LogFeed(data, geometry).isEmpty) throw refuse('it holds writes that are in no file, without `dir`');
  } catch (error) {
    if (isOfOtherStore(error)) return checkWritten(left, error);
    throw error instanceof KvsError ? error : refuse('what it holds could not be written to its files', error);
  }
  checkGap();
}

/**
 * Before a region gives way to files of another store. @param cause that they are
 * @throws KvsError ERR_KVS_NOT_DURABLE when it holds what is in no file, which would be lost
 */
export function checkWritten({ data, geometry, name }: LeftRegion, cause: unknown): void {
  if (new LogFeed(data, geometry).isEmpty && !isBehindGap(data.words, geometry)) return;
  const message =
    `${(cause as Error).message}, and the region named ${JSON.stringify(name)} holds writes that are in no file: start it ` +
    'with the directory that it had, if that was another, and stop it; or start with `fresh`, which drops them';
  throw new KvsError('ERR_KVS_NOT_DURABLE', message, { cause });
}

/** Nothing is logged any more: what this region holds is no longer what the files of its store say. */
export function forgetLog({ words }: OwnedRegion['data'], geometry: Geometry): void {
  words.fill(0, DataHeader.logStore, DataHeader.logStore + 2);
  if (geometry.logBytes > 0) words[geometry.logControlOffset / 4 + LogControl.lanes] = 0;
}

/** Whether each of so many workers has room for two of the largest records. */
export const hasRoomForWorkers = ({ logBytes, maxValueBytes }: Geometry, workers: number): boolean =>
  laneSize(logBytes, workers) >= leastLaneBytes(maxValueBytes);

const wordsOf = (id: string): number[] => [
  Number.parseInt(id.slice(0, 8), 16) | 0,
  Number.parseInt(id.slice(8), 16) | 0,
];

/** Whether files count more than the region: of another store, or newer. */
export const isOfOtherStore = (error: unknown): boolean => (error as KvsError | undefined)?.code === 'ERR_KVS_NOT_OURS';
