/** The directory of a log: made, checked and locked before anything in it is touched. */
import type { FileLayer } from './file-layer.js';

export interface LogDirectory {
  readonly path: string;
  readonly layer: FileLayer;
  /** Gives the lock up. Idempotent. */
  close(): void;
}

/**
 * Opens a directory for one server: makes it (0700) if only its last part is missing, checks that it is ours and nobody
 * else may write there, and takes the lock, which ends with close() or the process.
 * @throws KvsError ERR_KVS_ALREADY_RUNNING (with `pid` if known), ERR_KVS_LOG_DIR (missing parent, read-only, no
 *   permission, not a directory), ERR_KVS_NOT_OURS (owner or mode)
 */
export declare function openLogDirectory(path: string, layer?: FileLayer): LogDirectory;
