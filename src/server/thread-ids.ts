/**
 * Whether a thread of this process has ended, by the kernel: Node says so only once the event loop has its turn.
 * Where /proc is hidden, no thread is known to have ended.
 */
import { existsSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

const THREADS = '/proc/self/task';

/** @returns the calling thread's number, 0: it cannot be known */
export function ownThreadId(): number {
  try {
    return Number(basename(readlinkSync('/proc/thread-self')));
  } catch {
    return 0;
  }
}

/** @param id of ownThreadId() */
export const threadHasEnded = (id: number): boolean => id > 0 && existsSync(THREADS) && !existsSync(`${THREADS}/${id}`);
