/** Removes what no recovery needs any more: snapshots but the newest, and segments that all kept snapshots cover. */
import { join } from 'node:path';

import type { LogDirectory } from './directory.js';
import { onFile } from './failure.js';
import { listLogFiles } from './names.js';

/**
 * After a snapshot has become durable. Segments that a crash removes in another order are no gap to anybody: recovery looks
 * only at those behind the snapshot that it uses.
 * @param keep how many snapshots, at least 1
 * @param removed gets the names of what was removed, also of what was before an error
 */
export function pruneLog({ path, layer }: LogDirectory, keep: number, removed: string[]): void {
  const { snapshots, segments } = onFile('list', path, () => listLogFiles(path, layer));
  const remove = (name: string): void => {
    onFile('remove', join(path, name), () => layer.unlink(join(path, name)));
    removed.push(name);
  };
  const kept = Math.max(1, keep);
  const oldest = snapshots[Math.min(kept, snapshots.length) - 1];
  // What one snapshot alone covers stays: if that is damaged, the log takes its place.
  if (oldest === undefined || snapshots.length < kept) return;
  for (const { name } of snapshots.slice(kept)) remove(name);
  // The last segment is being written to.
  for (const [i, { name }] of segments.slice(0, -1).entries()) {
    if (segments[i + 1].sequence > oldest.sequence + 1) break;
    remove(name);
  }
}
