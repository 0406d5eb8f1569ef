/** Reads back what a log and its snapshots hold. */
import type { LogDirectory } from './directory.js';
import type { RecoverOptions, RecoveryReport, RecoverySink } from './sink.js';

/**
 * Gives the sink the newest sound snapshot and the records behind it, cuts off a torn tail, and makes durable what it found,
 * so that LogWriter.open() may follow with `report.lastSequence + 1`. Files that a crash left half-made are removed.
 * @throws KvsError ERR_KVS_LOG_DAMAGED (with `file` and `offset`: what is not a torn tail; see repairLog),
 *   ERR_KVS_LOG_FORMAT (a newer version, or not ours), ERR_KVS_LOG_FAILED, ERR_KVS_NO_SPACE, ERR_KVS_LOG_DIR
 */
export declare function recover(
  directory: LogDirectory,
  sink: RecoverySink,
  options?: RecoverOptions,
): RecoveryReport;
