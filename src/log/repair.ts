/** What `kvs-server --repair` does with a log that recover() refuses. */
import type { LogDirectory } from './directory.js';

export interface Repair {
  readonly file: string;
  readonly offset: number;
  /** Where the damaged file was copied or moved to, in the same directory. */
  readonly copy: string;
  readonly action: 'cut' | 'set-aside';
  /** Bytes that no longer count. */
  readonly lostBytes: number;
}

/**
 * Makes a damaged log one that recover() takes: the log ends where the first damage begins. The damaged segment is copied
 * to `<name>.damaged-<n>` and cut there, segments behind it and snapshots that will not do are renamed to that. What was
 * written later than the damage is lost to the store, but stays in those files (`kvs-client log dump` reads them).
 * @returns what was done, in order; empty: nothing was wrong
 */
export declare function repairLog(directory: LogDirectory): Repair[];
