/** The FIFO that wakes a client's event loop (ADR 4): made when its client first sleeps, rung by whoever answers. */
import { closeSync, constants, openSync } from 'node:fs';

import { RegionState } from '../memory/layout.js';
import { OWN_MODE, shareWith } from '../memory/file-trust.js';
import { removeFile } from '../memory/region-files.js';
import { type Region, regionState } from '../memory/region.js';
import { type Doorbell, native } from '../native.js';

const FLAGS = constants.O_RDWR | constants.O_NONBLOCK | constants.O_NOFOLLOW;

export function openDoorbell(region: Region, client: number, onRing: () => void): Doorbell {
  const path = region.paths.bell(client);
  native.makeFifo(path, OWN_MODE);
  const fd = openSync(path, FLAGS);
  try {
    shareWith(region.group, fd, 'bell');
    // SYNC: a server says that it is stopped before it removes the bells of its region; one made later is ours to remove.
    if (regionState(region) === RegionState.stopped) removeFile(path);
    return native.watchDoorbell(fd, onRing);
  } finally {
    closeSync(fd);
  }
}

/** While the client's index is still its own. */
export function closeDoorbell(region: Region, client: number, bell: Doorbell): void {
  bell.close();
  if (region.group === undefined) return;
  // The next client of the index, or the server, may be another user, who could neither use it nor remove it.
  try {
    removeFile(region.paths.bell(client));
  } catch {
    // It is not ours: somebody else has put it there.
  }
}
