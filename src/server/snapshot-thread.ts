/** Entry of a thread that makes one snapshot and ends. */
import { readlinkSync } from 'node:fs';
import { setPriority } from 'node:os';
import { basename } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parentPort, workerData } from 'node:worker_threads';

import { borrowLogDirectory } from '../log/directory.js';
import type { Geometry } from '../memory/layout.js';
import { LogControl } from '../memory/log-layout.js';
import { viewsOf } from '../memory/segment.js';
import { load } from '../memory/words.js';
import { LogBoard } from './log-board.js';
import { RunQueue } from './run-queue.js';
import { SnapshotPace } from './snapshot-pace.js';
import { makeSnapshot, type SnapshotMade } from './snapshot.js';

export interface SnapshotInput {
  readonly geometry: Geometry;
  readonly data: SharedArrayBuffer;
  readonly board: SharedArrayBuffer;
  readonly dir: string;
  readonly storeId: string;
  readonly isThrottled: boolean;
}

export type SnapshotMessage =
  | { readonly made: SnapshotMade; readonly error: undefined }
  | { readonly made: undefined; readonly error: string };

const NICENESS = 10;

/** Whoever works comes first. */
function stepBack(): void {
  try {
    // The kernel takes a thread's id for a process' here.
    setPriority(Number(basename(readlinkSync('/proc/thread-self'))), NICENESS);
  } catch {
    // Then it runs as everybody does.
  }
}

function run({ geometry, data, board, dir, storeId, isThrottled }: SnapshotInput): SnapshotMessage {
  if (isThrottled) stepBack();
  const directory = borrowLogDirectory(dir);
  const logBoard = new LogBoard(board);
  const views = viewsOf(data);
  const gap = geometry.logControlOffset / 4 + LogControl.gap;
  const isUrgent = (): boolean => logBoard.isSnapshotUrgent || load(views.words, gap) !== 0;
  const runQueue = isThrottled ? new RunQueue() : undefined;
  try {
    const made = makeSnapshot({
      data: views,
      geometry,
      directory,
      storeId,
      board: logBoard,
      pace: runQueue && new SnapshotPace(runQueue, isUrgent, performance.now()),
    });
    return { made, error: undefined };
  } catch (error) {
    return { made: undefined, error: String(error) };
  } finally {
    runQueue?.close();
  }
}

parentPort?.postMessage(run(workerData as SnapshotInput));
