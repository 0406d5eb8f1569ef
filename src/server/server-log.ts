/**
 * The server's log as its main thread sees it: boots the thread that writes it, replaces one that dies, asks for snapshots,
 * and ends it. There is one of these only if the server was given a directory.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

import { KvsError } from '../errors.js';
import type { OwnedRegion } from '../memory/region.js';
import { LogControl, LogTrouble } from '../memory/log-layout.js';
import { store } from '../memory/words.js';
import { wakeLog } from '../store/log-lane.js';
import { LogBoard } from './log-board.js';
import type { LogMessage, LogThreadInput } from './log-thread.js';
import type { OpenedLog } from './open-log.js';
import type { LogOptions, ServerEvent } from './options.js';
import { Snapshots } from './snapshots.js';

const RESTART_PAUSE_MS = 500;
/** The disk has so long for the last of the log. */
const STOP_TIMEOUT_MS = 60_000;

/** What a thread threw arrives without its class. */
function withClass(error: Error): Error {
  const { name, code, message, file } = error as KvsError;
  if (name !== 'KvsError') return error;
  return new KvsError(code, message, { cause: error, ...(file !== undefined && { file }) });
}

export class ServerLog {
  readonly board: LogBoard;
  readonly snapshots: Snapshots;
  readonly #region: OwnedRegion;
  readonly #opened: OpenedLog;
  readonly #onEvent: (event: ServerEvent) => void;
  readonly #input: LogThreadInput;
  #thread: Worker | undefined;
  #exit: Promise<void> = Promise.resolve();
  #restart: NodeJS.Timeout | undefined;
  /** Whether there ever was a thread that writes: without one, a snapshot would wait for it. */
  #hasBegun = false;
  #isClosing = false;
  #isStuck = false;

  constructor(
    region: OwnedRegion,
    opened: OpenedLog,
    options: LogOptions,
    board: SharedArrayBuffer,
    parked: SharedArrayBuffer,
    onEvent: (event: ServerEvent) => void,
  ) {
    const { name, shmDir, geometry, ctl, data } = region;
    const { dir, sync, segmentBytes } = options;
    const { storeId, nextSequence } = opened;
    this.board = new LogBoard(board);
    this.#region = region;
    this.#opened = opened;
    this.#onEvent = onEvent;
    this.snapshots = new Snapshots(region, options, storeId, board, onEvent);
    const shared = { ctl: ctl.buffer, data: data.buffer, parked, board };
    this.#input = { name, shmDir, geometry, ...shared, dir, sync, storeId, nextSequence, segmentBytes };
  }

  /** Resolves when the thread writes. @throws KvsError as LogWriter.open(), Error when the thread ends otherwise */
  async start(): Promise<void> {
    try {
      await this.#boot(this.#input);
    } catch (error) {
      throw withClass(error as Error);
    }
  }

  #boot(input: LogThreadInput): Promise<void> {
    const thread = new Worker(new URL('log-thread.js', import.meta.url), {
      name: 'kvs-log',
      execArgv: [],
      workerData: input,
    });
    this.#thread = thread;
    let failure: Error | undefined;
    thread.on('error', (error) => (failure = error instanceof Error ? error : new Error(String(error))));
    return new Promise((resolve, reject) => {
      thread.on('message', (message: LogMessage) => {
        if (message.type !== 'ready') return this.#onEvent(message);
        this.#hasBegun = true;
        resolve();
      });
      this.#exit = new Promise((ended) => {
        thread.once('exit', (code) => {
          const error = failure ?? new Error(`the thread that writes the log ended with code ${code}`);
          reject(error);
          ended();
          if (!this.#isClosing) this.#replace(error);
        });
      });
    });
  }

  #replace(error: Error): void {
    const { data, geometry } = this.#region;
    // Nobody writes the log: nothing may be acknowledged that would not be in it.
    store(data.words, geometry.logControlOffset / 4 + LogControl.trouble, LogTrouble.failed);
    this.#onEvent({ type: 'log-thread-died', error });
    this.#restart = setTimeout(() => this.#bootAgain(), RESTART_PAUSE_MS);
  }

  #bootAgain(): void {
    // That it does not come up is told by its exit.
    this.#boot({ ...this.#input, nextSequence: undefined }).catch(() => {});
  }

  /** The thread, for tests that kill it. */
  get thread(): Worker | undefined {
    return this.#thread;
  }

  #wake(): void {
    const { data, geometry } = this.#region;
    wakeLog(data.words, geometry);
  }

  /**
   * After the last write.
   * @param isFinal whether a snapshot is made of what there is in the end
   * @returns whether all of it is in the files, and durable; false also if that takes the thread longer than a minute
   */
  async stop(isFinal: boolean): Promise<boolean> {
    this.#isClosing = !this.#hasBegun;
    await (isFinal && this.#hasBegun ? this.snapshots.makeLast() : this.snapshots.end());
    this.#isClosing = true;
    clearTimeout(this.#restart);
    this.board.stop();
    this.#wake();
    const timer = new AbortController();
    const late = delay(STOP_TIMEOUT_MS, true, timer).catch(() => false);
    this.#isStuck = await Promise.race([this.#exit.then(() => false), late]);
    timer.abort();
    // Before it has begun nobody is served: there is nothing that is not in the files.
    return this.board.isStopped || !this.#hasBegun;
  }

  /** Gives the directory back, unless the thread may still write to it: then that goes with the process. */
  close(): void {
    if (!this.#isStuck) this.#opened.directory.close();
  }
}
