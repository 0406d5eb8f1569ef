/** What operations may use of the server: one context per worker thread. */
import type { Store } from '../store/store.js';
import type { BatchReader } from './batch-reader.js';
import type { KvsStatistics } from './stats.js';
import type { Scratch } from './scratch.js';

export interface ServerContext {
  readonly store: Store;
  readonly maxValueBytes: number;
  /** Over the current request. */
  readonly batch: BatchReader;
  readonly scratch: Scratch;
  /** Asks for a snapshot of the store. @returns its number, 0: no log is kept */
  askForSnapshot(): number;
  /** The statistics of the whole server. */
  statistics(): KvsStatistics;
}
