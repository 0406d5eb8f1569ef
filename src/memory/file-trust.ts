/**
 * Who may use the files of a region, and which files found under its names are trusted. Its user alone, unless a group is
 * named on both sides: then members may write the ctl segment and read the store, and the kernel sees to it.
 */
import { fchmodSync, fchownSync, fstatSync, type Stats } from 'node:fs';

import { KvsError } from '../errors.js';

/** What members of the group may do to a file. */
const GROUP_MODES = { ctl: 0o660, data: 0o640, bell: 0o620 } as const;

/** Of files that no group shares, and of all while they are made. */
export const OWN_MODE = 0o600;

/** Opens a file that is ours to the group, if there is one. The group comes before its access. */
export function shareWith(group: number | undefined, fd: number, kind: keyof typeof GROUP_MODES): void {
  if (group === undefined) return;
  fchownSync(fd, -1, group);
  fchmodSync(fd, GROUP_MODES[kind]);
}

/** The same for a file of another server's, where that is ours to do. */
export function shareAgain(group: number | undefined, fd: number, kind: keyof typeof GROUP_MODES): void {
  if (fstatSync(fd).uid !== process.geteuid?.()) return;
  if (group === undefined) fchmodSync(fd, OWN_MODE);
  else shareWith(group, fd, kind);
}

/**
 * @param group whose members may have made the file; undefined: only our user may
 * @throws KvsError ERR_KVS_NOT_OURS unless it is a plain file of ours, or of the group, that others cannot open
 */
export function checkTrust(path: string, fd: number, group?: number): Stats {
  const stats = fstatSync(fd);
  const complain = (what: string): never => {
    throw new KvsError(
      'ERR_KVS_NOT_OURS',
      `${path} ${what}; if it is a leftover, remove it and start the server again`,
    );
  };
  if (!stats.isFile()) complain('is not a plain file');
  const uid = process.geteuid?.() ?? -1;
  const isShared = group !== undefined && stats.gid === group && (stats.mode & 0o040) !== 0;
  if (stats.uid !== uid && !isShared) complain(`belongs to uid ${stats.uid}, we are uid ${uid}`);
  if ((stats.mode & 0o007) !== 0) complain(`has mode ${(stats.mode & 0o777).toString(8)}, others must have no access`);
  // Access for a group is given to one that was named: of members of any other, nothing is known.
  if (group !== undefined && (stats.mode & 0o070) !== 0 && stats.gid !== group) {
    complain(`is shared with group ${stats.gid}, not with group ${group}`);
  }
  return stats;
}
