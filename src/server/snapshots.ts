/** When snapshots are made: at intervals, when the log has grown, when somebody asks, at the end. One at a time. */
import { performance } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';

import type { OwnedRegion } from '../memory/region.js';
import { LogFeed } from '../store/log-feed.js';
import { wakeLog } from '../store/log-lane.js';
import { LogBoard } from './log-board.js';
import type { LogOptions, ServerEvent } from './options.js';
import type { SnapshotInput, SnapshotMessage } from './snapshot-thread.js';

/** After one that failed; twice as long after each further one, up to the limit. */
const RETRY_MS = 1000;
const MAX_RETRY_MS = 10_000;

const { Figure } = LogBoard;

export class Snapshots {
  readonly #region: OwnedRegion;
  readonly #options: LogOptions;
  readonly #board: LogBoard;
  readonly #input: Omit<SnapshotInput, 'isThrottled'>;
  readonly #onEvent: (event: ServerEvent) => void;
  #running: Promise<boolean> | undefined;
  #madeAt = performance.now();
  #bytes = 0;
  #notBefore = 0;
  #retryMs = RETRY_MS;
  /** Why the last one was not made. */
  #lastError: string | undefined;

  constructor(
    region: OwnedRegion,
    options: LogOptions,
    storeId: string,
    board: SharedArrayBuffer,
    onEvent: (event: ServerEvent) => void,
  ) {
    const { geometry, data } = region;
    this.#region = region;
    this.#options = options;
    this.#board = new LogBoard(board);
    this.#input = { geometry, data: data.buffer, board, dir: options.dir, storeId };
    this.#onEvent = onEvent;
  }

  /** Begins one if it is time. */
  look(now: number): void {
    if (this.#running !== undefined || now < this.#notBefore || !this.#isDue(now)) return;
    void this.#make(true);
  }

  #isDue(now: number): boolean {
    const board = this.#board;
    if (board.snapshotsAsked !== board.snapshotsServed) return true;
    if (!this.#hasChanged) return false;
    const { snapshotIntervalMs, snapshotLogBytes } = this.#options;
    if (snapshotIntervalMs > 0 && now - this.#madeAt >= snapshotIntervalMs) return true;
    return board.get(Figure.bytes) - this.#bytes >= snapshotLogBytes;
  }

  get #hasChanged(): boolean {
    return this.#board.get(Figure.sequence) > this.#board.get(Figure.snapshotSequence);
  }

  /** Whether there is more in memory than in the last one; the thread that writes the log may not have come to it yet. */
  get #hasMore(): boolean {
    const feed = new LogFeed(this.#region.data, this.#region.geometry);
    return this.#hasChanged || !feed.isEmpty || feed.writtenSequence > this.#board.get(Figure.snapshotSequence);
  }

  /** Makes one of what nobody changes any more, unless the last one has it all. */
  async makeLast(): Promise<void> {
    await this.end();
    if (this.#hasMore || this.#board.snapshotsAsked !== this.#board.snapshotsServed) await this.#make(false);
  }

  /** Resolves when none is being made any more. One that is gives way to nobody from now on. */
  async end(): Promise<void> {
    this.#board.hurrySnapshot();
    await this.#running;
  }

  async #make(isThrottled: boolean): Promise<boolean> {
    const bytes = this.#board.get(Figure.bytes);
    this.#running = this.#run(isThrottled);
    const isMade = await this.#running;
    this.#running = undefined;
    if (isMade) {
      this.#madeAt = performance.now();
      this.#bytes = bytes;
      this.#retryMs = RETRY_MS;
    } else {
      this.#board.noteError();
      this.#notBefore = performance.now() + this.#retryMs;
      this.#retryMs = Math.min(MAX_RETRY_MS, 2 * this.#retryMs);
    }
    return isMade;
  }

  #run(isThrottled: boolean): Promise<boolean> {
    const workerData: SnapshotInput = { ...this.#input, isThrottled };
    const url = new URL('snapshot-thread.js', import.meta.url);
    const thread = new Worker(url, { name: 'kvs-snapshot', execArgv: [], workerData });
    let error: string | undefined = 'its thread died';
    thread.on('message', (message: SnapshotMessage) => {
      error = message.error;
      if (message.made === undefined) return;
      // The thread that writes the log may have waited for it.
      const { data, geometry } = this.#region;
      wakeLog(data.words, geometry);
      this.#onEvent({ type: 'snapshot', ...message.made });
    });
    thread.on('error', (cause) => (error = String(cause)));
    return new Promise((resolve) => {
      thread.once('exit', () => {
        // A disk that stays full is told of once.
        if (error !== undefined && error !== this.#lastError) this.#onEvent({ type: 'snapshot-failed', error });
        this.#lastError = error;
        resolve(error === undefined);
      });
    });
  }
}
