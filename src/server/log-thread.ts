/** Entry of the thread that writes the log: puts its parts together and runs until it is told to stop. */
import { parentPort, workerData } from 'node:worker_threads';

import { BellRinger } from '../exchange/bell-ringer.js';
import { PayloadArena } from '../exchange/payload-arena.js';
import { SlotTable } from '../exchange/slot-table.js';
import { TaskQueue } from '../exchange/task-queue.js';
import { WorkerBells } from '../exchange/worker-bells.js';
import { borrowLogDirectory } from '../log/directory.js';
import { type Geometry, MAX_CLIENTS } from '../memory/layout.js';
import { regionPaths } from '../memory/region-files.js';
import { viewsOf } from '../memory/segment.js';
import { Answers } from './answers.js';
import { LogBoard } from './log-board.js';
import { catchUp } from './log-catch-up.js';
import { type LogEvent, LogKeeper } from './log-keeper.js';
import type { SyncMode } from '../option-schemas.js';
import { Parking } from './parking.js';
import { Unsettled } from '../exchange/unsettled.js';

export interface LogThreadInput {
  readonly name: string;
  readonly shmDir: string;
  readonly geometry: Geometry;
  readonly ctl: SharedArrayBuffer;
  readonly data: SharedArrayBuffer;
  readonly parked: SharedArrayBuffer;
  readonly board: SharedArrayBuffer;
  readonly dir: string;
  readonly sync: SyncMode;
  readonly storeId: string;
  /** undefined: a thread before this one has written, and died. */
  readonly nextSequence: number | undefined;
  readonly segmentBytes: number | undefined;
}

export type LogMessage = LogEvent | { readonly type: 'ready' };

const tell = (message: LogMessage): void => parentPort?.postMessage(message);

function run(input: LogThreadInput): void {
  const { name, shmDir, geometry, sync, storeId, segmentBytes } = input;
  const ctl = viewsOf(input.ctl);
  const data = viewsOf(input.data);
  const directory = borrowLogDirectory(input.dir);
  const nextSequence = input.nextSequence ?? catchUp(directory, data, geometry).lastSequence + 1;
  const queue = new TaskQueue(ctl, geometry);
  const workerBells = new WorkerBells(ctl);
  const bells = new BellRinger(ctl, geometry.clientsOffset, regionPaths(name, shmDir).bell);
  const arena = new PayloadArena(ctl, geometry, MAX_CLIENTS);
  const answers = new Answers(ctl, new SlotTable(ctl, geometry), arena, bells, new Parking(input.parked, queue));
  const unsettled = new Unsettled(data, geometry);
  const answer = (slot: number, executing: number): void => {
    answers.finish(slot, executing);
    unsettled.clear(slot, executing);
  };
  const keeper = new LogKeeper({
    data,
    geometry,
    directory,
    sync,
    storeId,
    nextSequence,
    segmentBytes,
    board: new LogBoard(input.board),
    settle(durableCell) {
      unsettled.each(durableCell, answer);
      bells.flush();
      // What waited for one of them is in the queue now.
      if (!queue.isEmpty()) workerBells.announce();
    },
    isAnyDue: (durableCell) => unsettled.isAnyDue(durableCell),
    onEvent: tell,
  });
  tell({ type: 'ready' });
  keeper.run();
  bells.close();
}

run(workerData as LogThreadInput);
