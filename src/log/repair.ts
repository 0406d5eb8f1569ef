/** What `kvs-server --repair` does with a log that recover() refuses. */
import { join } from 'node:path';

import type { LogDirectory } from './directory.js';
import { onFile } from './failure.js';
import { type FileLayer, writeAll } from './file-layer.js';
import { READ_BUFFER_BYTES } from './frame-reader.js';
import { planRecovery, type RecoveryPlan } from './plan.js';
import { createRecordViews } from './record.js';

export interface Repair {
  readonly file: string;
  /** Where it is damaged, in bytes; 0 for one that is sound, but of no use behind the damage. */
  readonly offset: number;
  /** The whole of the file as it was, in the same directory. */
  readonly copy: string;
  /** `cut`: it ends at `offset` now. `set-aside`: it is there no more. */
  readonly action: 'cut' | 'set-aside';
  /** How many bytes no longer count. */
  readonly lostBytes: number;
}

const MAX_ROUNDS = 1000;
const MAX_COPIES = 10_000;

/**
 * Makes a damaged log one that recover() takes: it ends where the first damage begins. The damaged segment is copied to
 * `<name>.damaged-<n>` and cut there; segments behind it, and snapshots that are damaged or show later effects, get such
 * names. What is behind the damage is lost to the store, but `kvs-client log dump` reads it from those files.
 * @returns what was done, in order; empty: nothing was wrong
 * @throws KvsError as recover() does, but for ERR_KVS_LOG_DAMAGED
 */
export function repairLog(directory: LogDirectory): Repair[] {
  const buffer = createRecordViews(READ_BUFFER_BYTES);
  const repairs: Repair[] = [];
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const plan = planRecovery(directory.path, directory.layer, buffer, undefined);
    if (!plan.isDamaged) return repairs;
    repairs.push(...repairOnce(plan, directory));
  }
  throw new Error(`${directory.path} is still damaged after ${MAX_ROUNDS} rounds of repair`);
}

function repairOnce(plan: RecoveryPlan, directory: LogDirectory): Repair[] {
  const { passedOver, surplus, cut, snapshot, lastSequence } = plan;
  const aside = [...passedOver, ...surplus.toReversed()];
  // Nothing of the log is in the way: it is the snapshot that shows effects which the log has lost.
  if (aside.length === 0 && cut === undefined && snapshot !== undefined) aside.push(snapshot);
  const repairs = aside.map(({ path, soundBytes, fileBytes }): Repair => {
    const offset = soundBytes === fileBytes ? 0 : soundBytes;
    return { file: path, offset, copy: setAside(path, directory), action: 'set-aside', lostBytes: fileBytes };
  });
  if (cut !== undefined) {
    const copy = cutWithCopy(cut.path, cut.soundBytes, directory);
    const lostBytes = cut.fileBytes - cut.soundBytes;
    repairs.push({ file: cut.path, offset: cut.soundBytes, copy, action: 'cut', lostBytes });
  }
  if (repairs.length === 0)
    throw new Error(`nothing can be repaired about a log that ends with record ${lastSequence}`);
  return repairs;
}

function setAside(path: string, { path: parent, layer }: LogDirectory): string {
  const copy = freeName(path, layer);
  onFile('set aside', path, () => {
    layer.rename(path, copy);
    layer.syncDirectory(parent);
  });
  return copy;
}

/** The copy is durable before anything is cut. */
function cutWithCopy(path: string, bytes: number, { path: parent, layer }: LogDirectory): string {
  const copy = freeName(path, layer);
  onFile('copy', path, () => {
    const from = layer.open(path, 'write');
    try {
      const to = layer.open(copy, 'create');
      try {
        copyFile(layer, from, to);
        layer.fdatasync(to);
      } finally {
        layer.close(to);
      }
      layer.syncDirectory(parent);
      layer.truncate(from, bytes);
      layer.fdatasync(from);
    } finally {
      layer.close(from);
    }
  });
  return copy;
}

function copyFile(layer: FileLayer, from: number, to: number): void {
  const { bytes } = createRecordViews(READ_BUFFER_BYTES);
  for (let position = 0; ;) {
    const read = layer.read(from, bytes, 0, bytes.length, position);
    if (read === 0) return;
    writeAll(layer, to, bytes, 0, read, position);
    position += read;
  }
}

function freeName(path: string, layer: FileLayer): string {
  for (let n = 1; n <= MAX_COPIES; n++) {
    const name = `${path}.damaged-${n}`;
    if (layer.stat(name) === undefined) return name;
  }
  throw new Error(`there are ${MAX_COPIES} copies of ${path} already: remove some (${join(path, '..')})`);
}
