/** Entry of a worker thread: once told what to work on, puts its parts together and runs the task loop until the end. */
import { parentPort } from 'node:worker_threads';
import type { RecordableHistogram } from 'node:perf_hooks';

import { TaskQueue } from '../exchange/task-queue.js';
import { WorkerBells } from '../exchange/worker-bells.js';
import type { Geometry } from '../memory/layout.js';
import { regionPaths } from '../memory/region-files.js';
import { Pins } from '../memory/pins.js';
import { viewsOf } from '../memory/segment.js';
import { store as storeWord } from '../memory/words.js';
import { UseMarks } from '../memory/use-marks.js';
import { BatchReader } from '../operation/batch-reader.js';
import { Scratch } from '../operation/scratch.js';
import type { EvictionParts } from '../store/eviction.js';
import { EvictionState } from '../store/eviction-state.js';
import type { BucketRange } from '../store/expirer.js';
import { LogLane } from '../store/log-lane.js';
import { Store } from '../store/store.js';
import { largestResponseBytes } from '../exchange/payload-arena.js';
import { BellRinger } from '../exchange/bell-ringer.js';
import { Conduct } from './conduct.js';
import { Executor } from './executor.js';
import { LogBoard } from './log-board.js';
import { StatisticsReader } from './statistics.js';
import { TaskLoop } from './task-loop.js';
import { ownThreadId } from './thread-ids.js';

/** What the server decides for all its workers. */
export interface ServerWork {
  readonly parked: SharedArrayBuffer;
  readonly conduct: SharedArrayBuffer;
  /** Of AnswerQuota.allocate(). */
  readonly answers: SharedArrayBuffer;
  readonly maxAnswerChunks: number;
  /** Of LogBoard.allocate(); undefined: changes are not logged. */
  readonly board: SharedArrayBuffer | undefined;
  /** Whether they are answered only once the log is durable. */
  readonly answersDurable: boolean;
}

/** What the pool hands to a thread. */
export interface WorkerInput extends ServerWork {
  readonly name: string;
  readonly shmDir: string;
  readonly worker: number;
  readonly geometry: Geometry;
  readonly ctl: SharedArrayBuffer;
  readonly data: SharedArrayBuffer;
  /** One word, 1: the server leaves the region, its workers take nothing more. */
  readonly leaving: SharedArrayBuffer;
  /** By worker: ownThreadId(), before it takes any lock. */
  readonly threadIds: SharedArrayBuffer;
  readonly histograms: readonly RecordableHistogram[];
  /** Buckets whose entries nobody has looked at for when they expire. */
  readonly unknownBuckets: BucketRange;
  /** Of EvictionState.allocate(); undefined: nothing is evicted. */
  readonly eviction: SharedArrayBuffer | undefined;
}

/** What a thread tells the pool. */
export type WorkerMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'evicted'; readonly keys: Uint8Array[]; readonly dropped: number }
  | { readonly type: 'request-failed'; readonly operation: string; readonly message: string };

/** Room for the largest answer of a batch: a largest value, or many small ones. */
const MIN_SCRATCH_BYTES = 256 * 1024;
const ITEM_OVERHEAD_BYTES = 4096;

function run(input: WorkerInput): void {
  const { name, geometry, worker, histograms } = input;
  storeWord(new Int32Array(input.threadIds), worker, ownThreadId());
  const ctl = viewsOf(input.ctl);
  const data = viewsOf(input.data);
  const eviction: EvictionParts | undefined = input.eviction && {
    state: new EvictionState(input.eviction, geometry),
    marks: new UseMarks(ctl, geometry),
    tell: (keys, dropped) => tell({ type: 'evicted', keys, dropped }),
  };
  const log = input.board === undefined ? undefined : new LogLane(data, geometry, worker);
  const store = new Store(data, geometry, worker, new Pins(ctl, geometry), { log, eviction });
  const expirer = store.startExpiry(input.unknownBuckets);
  const queue = new TaskQueue(ctl, geometry);
  const workerBells = new WorkerBells(ctl);
  const bells = new BellRinger(ctl, geometry.clientsOffset, regionPaths(name, input.shmDir).bell);
  const board = input.board === undefined ? undefined : new LogBoard(input.board);
  const statistics = new StatisticsReader(
    ctl,
    data,
    geometry,
    name,
    store,
    histograms,
    new Conduct(input.conduct),
    board,
  );
  const wanted = Math.max(MIN_SCRATCH_BYTES, geometry.maxValueBytes + ITEM_OVERHEAD_BYTES);
  const scratch = new Scratch(Math.min(wanted, largestResponseBytes(geometry)));
  const executor = new Executor({
    ctl,
    data,
    geometry,
    worker,
    queue,
    workerBells,
    bells,
    latency: histograms[worker],
    parked: input.parked,
    conduct: input.conduct,
    answers: input.answers,
    maxAnswerChunks: input.maxAnswerChunks,
    answersDurable: input.answersDurable,
    serve: (request) => ({
      store,
      maxValueBytes: geometry.maxValueBytes,
      batch: new BatchReader(request),
      scratch,
      askForSnapshot: () => board?.askForSnapshot() ?? 0,
      statistics: () => statistics.read(),
    }),
    onFailure: (operation, error) => tell({ type: 'request-failed', operation, message: String(error) }),
  });
  tell({ type: 'ready' });
  const isLeaving = new Int32Array(input.leaving);
  new TaskLoop(ctl, isLeaving, queue, workerBells, bells, executor, expirer, worker).run();
  bells.close();
}

const tell = (message: WorkerMessage): void => parentPort?.postMessage(message);

parentPort?.once('message', run);
