/**
 * Where `kvs-client export` writes: the file is there as a whole or not at all.
 * Seen to fail when: what was written of a file that failed is left, an output is written in place, a failure to write is not
 * told.
 */
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { beforeAll, describe, expect, test } from 'vitest';

import { KvsClient } from '#dist/index.js';

import { CLIENT, parsedLines, runClient, Running, startServer } from '../fixtures/cli.js';
import { temporaryDirectory } from '../fixtures/processes.js';
import { shareServer } from '../fixtures/service.js';

describe('while there is no room, or whoever writes ends', () => {
  const name = shareServer({ maxMemory: 64 * 2 ** 20 });
  const ENTRIES = 30_000;
  beforeAll(async () => {
    const client = await KvsClient.connect({ name, timeoutMs: 60_000 });
    await client.mset(Array.from({ length: ENTRIES }, (_, i) => [`key ${i}`, 'v'.repeat(100)] as const));
    await client.close();
  });

  /** A file that is there already. */
  function oldFile(): { directory: string; file: string } {
    const directory = temporaryDirectory();
    const file = join(directory, 'backup.jsonl');
    writeFileSync(file, 'old');
    return { directory, file };
  }

  /** What a full disk does, done to one process: it can write files of so many bytes, and no more. */
  const runWithRoom = (bytes: number, ...args: string[]) => {
    const script = `ulimit -f ${bytes / 512}; exec "$0" "$@"`;
    return new Running('sh', ['-c', script, process.execPath, CLIENT, '--name', name, ...args]).ended;
  };

  test.each([0, 512, 1024 * 1024])(
    '--output with room for %d bytes leaves what was there, and nothing else',
    async (room) => {
      const { directory, file } = oldFile();
      const { code, stdout, stderr } = await runWithRoom(room, 'export', '--output', file);
      const reason = 'EFBIG: file too large, write; what was there before is unchanged';
      expect(stderr).toBe(`kvs-client: cannot write ${file}: ${reason}\n`);
      expect({ code, stdout }).toEqual({ code: 5, stdout: '' });
      expect(readFileSync(file, 'utf8')).toBe('old');
      expect(readdirSync(directory)).toEqual(['backup.jsonl']);
    },
  );

  test('stdout on a full disk', async () => {
    for (const command of ['export', 'size']) {
      const script = 'exec "$0" "$@" > /dev/full';
      const running = new Running('sh', ['-c', script, process.execPath, CLIENT, '--name', name, command]);
      const { code, stderr } = await running.ended;
      expect(stderr).toBe('kvs-client: cannot write to stdout: ENOSPC: no space left on device, write\n');
      expect(code).toBe(5);
    }
  });

  test.each(['SIGKILL', 'SIGINT'] as const)('%s during --output leaves what was there', async (signal) => {
    const { directory, file } = oldFile();
    const unfinished = () => readdirSync(directory).filter((entry) => entry !== 'backup.jsonl');
    // It may have finished before the signal came.
    for (let wasInTime = false; !wasInTime;) {
      writeFileSync(file, 'old');
      const running = new Running(process.execPath, [CLIENT, '--name', name, 'export', '--output', file]);
      while (unfinished().length === 0 && running.child.exitCode === null) await nextTurn();
      running.child.kill(signal);
      const { code } = await running.ended;
      const left = unfinished();
      wasInTime = signal === 'SIGKILL' ? left.length > 0 : code === 130;
      if (!wasInTime) {
        expect(parsedLines(readFileSync(file, 'utf8')).at(-1)).toEqual({ end: true, entries: ENTRIES });
        continue;
      }
      expect(readFileSync(file, 'utf8')).toBe('old');
      if (signal === 'SIGINT') expect(left).toEqual([]);
      else expect(left).toEqual([expect.stringMatching(/^backup\.jsonl\.[0-9a-f]{8}\.tmp$/)]);
    }
    // What is left is in nobody's way, and no export.
    for (const left of unfinished()) {
      expect((await runClient(['import', '--check', join(directory, left)])).code).toBe(5);
    }
    const { code } = await runClient(['--name', name, 'export', '--output', file]);
    expect(code).toBe(0);
    const { stdout } = await runClient(['import', '--check', file]);
    expect(stdout).toBe('30,000 entries read: the export is whole, nothing was written\n');
  });
});

test('the file is replaced as a whole; a link to it stays one', async () => {
  const { name } = await startServer();
  const directory = temporaryDirectory();
  mkdirSync(join(directory, 'real'));
  const file = join(directory, 'real', 'backup.jsonl');
  const link = join(directory, 'link.jsonl');
  writeFileSync(file, 'old');
  symlinkSync(file, link);
  expect((await runClient(['--name', 'none', 'export', '--output', link])).code).toBe(3);
  expect(readFileSync(file, 'utf8')).toBe('old');
  expect(readdirSync(join(directory, 'real'))).toEqual(['backup.jsonl']);
  const exported = await runClient(['--name', name, '--json', 'export', '--output', link]);
  expect(JSON.parse(exported.stdout)).toEqual({ file: link, entries: 0, bytes: statSync(file).size });
  expect(parsedLines(readFileSync(file, 'utf8')).at(-1)).toEqual({ end: true, entries: 0 });
  expect(readdirSync(directory)).toEqual(['link.jsonl', 'real']);
  expect(readdirSync(join(directory, 'real'))).toEqual(['backup.jsonl']);
});
