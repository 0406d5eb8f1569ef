/**
 * Starts a `kvs-server` of its own, detached from this process. However many clients do so at once: all but one of the
 * servers find the name taken and end at once, and every client attaches to the one that won.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

import type { ResolvedClientOptions } from './options.js';

const SERVER = fileURLToPath(new URL('../../bin/kvs-server.js', import.meta.url));

const FLAGS = {
  workers: '--workers',
  stripes: '--stripes',
  slots: '--slots',
  maxMemory: '--max-memory',
  maxValueBytes: '--max-value',
} as const;

/** Returns at once; whether a server comes up shows by its region. */
export function startDetachedServer({ name, shmDir, group, autostart }: ResolvedClientOptions): void {
  const args = ['--name', name, '--shm-dir', shmDir, '--log-level', 'silent'];
  if (group !== undefined) args.push('--group', String(group));
  for (const [option, flag] of Object.entries(FLAGS)) {
    const value = autostart?.[option as keyof typeof FLAGS];
    if (value !== undefined) args.push(flag, String(value));
  }
  const child = spawn(process.execPath, [SERVER, ...args], { detached: true, stdio: 'ignore', cwd: '/' });
  // A process that cannot be started shows as a region that does not come up.
  child.once('error', () => {});
  child.unref();
}
