/** How a server asks another one of its name to leave it the region. */
import { KvsError } from '../errors.js';
import { native } from '../native.js';
import { geometryOf, TAKEOVER_LEASE_BYTE } from './layout.js';
import { checkTrust } from './file-trust.js';
import { type ClaimOptions, conflictOf } from './region-claim.js';
import { closeQuietly, openRegionFile, readCtlHeader, regionPaths } from './region-files.js';

/**
 * Asks the server of the name, if one runs, to hand its region over: by a lock that it looks for, which is gone with
 * this process. Close the descriptor to take the request back. @returns undefined when there is nobody to be asked
 * @throws KvsError ERR_KVS_LAYOUT, CORRUPT, NOT_OURS when the region could not be taken over: its server goes on
 */
export function requestTakeover(options: ClaimOptions): number | undefined {
  const paths = regionPaths(options.name, options.shmDir);
  const fd = openRegionFile(paths.ctl, true);
  if (fd === undefined) return undefined;
  try {
    checkTrust(paths.ctl, fd, options.group);
    const { shape, serverPid } = readCtlHeader(paths.ctl, fd);
    const conflict = conflictOf(shape, options.asked);
    if (conflict !== undefined) {
      const message = `cannot take over from the server named ${JSON.stringify(options.name)}: ${conflict}; leave that option out, or stop it first`;
      throw new KvsError('ERR_KVS_LAYOUT', message);
    }
    options.checkTakeover?.(geometryOf(shape), serverPid);
    if (!native.tryLockByte(fd, TAKEOVER_LEASE_BYTE)) {
      const message = `another process takes over from the server named ${JSON.stringify(options.name)} just now`;
      throw new KvsError('ERR_KVS_ALREADY_RUNNING', message);
    }
    return fd;
  } catch (error) {
    closeQuietly(fd);
    throw error;
  }
}
