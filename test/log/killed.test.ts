/**
 * SIGKILL of the process that writes, at any moment: its successor finds the lock free, a prefix of all effects, and none
 * that was durable missing. Seen to fail: a recovery that leaves out the last segment.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { endWithTest, temporaryDirectory } from '../fixtures/processes.js';

const APPENDER = fileURLToPath(new URL('../fixtures/log/appender.mjs', import.meta.url));
const KILLS = 12;

/** Kills it when it has printed so many lines. @returns all that it printed, and what it complained about */
async function runAndKill(directory: string, lines: number): Promise<{ printed: string[]; complaint: string }> {
  const child: ChildProcess = spawn(process.execPath, [APPENDER, directory], { stdio: 'pipe' });
  endWithTest(child);
  let text = '';
  let complaint = '';
  child.stderr!.setEncoding('utf8').on('data', (part: string) => (complaint += part));
  child.stdout!.setEncoding('utf8').on('data', (part: string) => {
    text += part;
    if (text.split('\n').length > lines) child.kill('SIGKILL');
  });
  await once(child, 'close');
  // What came after the last line end was cut off by the kill.
  return { printed: text.split('\n').slice(0, -1), complaint };
}

test('killed again and again, it never loses what was durable', async () => {
  const directory = join(temporaryDirectory(), 'log');
  let durable = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const { printed, complaint } = await runAndKill(directory, 2 + ((kill * 37) % 130));
    expect(complaint).toBe('');
    const [recovered, ...synced] = printed;
    expect(Number(recovered?.replace('recovered ', ''))).toBeGreaterThanOrEqual(durable);
    durable = Number(synced.at(-1));
    expect(durable).toBeGreaterThan(0);
  }
});
