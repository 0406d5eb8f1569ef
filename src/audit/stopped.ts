/**
 * Whether the server stands still (SIGSTOP, a debugger): then nothing follows from what it has not set right. The pid is
 * the header's word, which anybody may have written: it counts only if that process has mapped this very file. In a
 * container of its own, or frozen by a cgroup, a server cannot be told from one that runs.
 */
import { fstatSync, readFileSync } from 'node:fs';

import { CtlHeader } from '../memory/layout.js';
import { load } from '../memory/words.js';
import type { AuditedRegion } from './audited-region.js';

export function isServerStopped({ ctl, ctlFd }: AuditedRegion): boolean {
  const pid = load(ctl.words, CtlHeader.serverPid);
  if (pid <= 0) return false;
  try {
    // The name in front of the state may contain anything.
    const isStopped = /^.*\) [Tt] /s.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
    return isStopped && readFileSync(`/proc/${pid}/maps`, 'latin1').includes(mappingOf(ctlFd));
  } catch {
    return false; // No such process, or another user's.
  }
}

/** Device and inode of a file as /proc/<pid>/maps has them. */
function mappingOf(fd: number): string {
  const { dev, ino } = fstatSync(fd);
  const hex = (number: number): string => number.toString(16).padStart(2, '0');
  // As glibc's major() and minor() take them apart.
  return ` ${hex((dev >>> 8) & 0xfff)}:${hex((dev & 0xff) | ((dev >>> 12) & 0xfff00))} ${ino} `;
}
