/**
 * The log's room in the region: its lanes, and what waits in them to be written to the files. Which records are there is
 * between the workers and the thread that writes them; that all positions are such is what others can tell.
 */
import { LogControl, LogLane, laneSize } from '../memory/log-layout.js';
import { MAX_WORKERS } from '../memory/layout.js';
import { load } from '../memory/words.js';
import type { Look } from './look.js';

export interface LogTotals {
  /** Bytes for records. */
  readonly bytes: number;
  /** Of these with records that are not in the files yet, or are not known to be. */
  readonly waitingBytes: number;
  readonly lanes: number;
}

/** @returns undefined: the region has no room for a log */
export function auditLog({ data, geometry, suspects }: Look): LogTotals | undefined {
  const { logBytes, logControlOffset, logLanesOffset } = geometry;
  if (logBytes === 0) return undefined;
  const { words } = data;
  const control = logControlOffset / 4;
  const written = load(words, control + LogControl.written);
  if (written !== 0 && written !== 1) suspects.add('log-written', 'log', `${written}`);
  const lanes = load(words, control + LogControl.lanes);
  if (lanes < 0 || lanes > MAX_WORKERS) {
    suspects.add('log-lanes', 'log', `${lanes} lanes`);
    return { bytes: logBytes, waitingBytes: 0, lanes: 0 };
  }
  let waitingBytes = 0;
  const size = lanes === 0 ? 0 : laneSize(logBytes, lanes);
  for (let lane = 0; lane < lanes; lane++) {
    const base = (logLanesOffset + lane * LogLane.sizeBytes) / 4;
    const head = load(words, base + LogLane.head);
    const tail = load(words, base + LogLane.tail);
    const isWithin = [head, tail].every((at) => at >= 0 && at < size && at % 8 === 0);
    if (!isWithin) suspects.add('log-lane', `lane ${lane}`, `head ${head}, tail ${tail}, ${size} bytes`);
    else waitingBytes += tail >= head ? tail - head : tail - head + size;
  }
  return { bytes: logBytes, waitingBytes, lanes };
}
