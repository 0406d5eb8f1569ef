/**
 * What dropping a file's memory changes, and what it must not: the file. Seen to fail when nothing is dropped, and when it is
 * not said from where on to write.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { native } from '#dist/native.js';

const MIB = 2 ** 20;

function temporaryFile(): { file: string; fd: number } {
  const directory = mkdtempSync(path.join(tmpdir(), 'kvs-drop-'));
  const file = path.join(directory, 'file');
  const fd = openSync(file, 'w+');
  onTestFinished(() => {
    closeSync(fd);
    rmSync(directory, { recursive: true });
  });
  return { file, fd };
}

const DROP = 'os.posix_fadvise(fd, 0, 14 << 20, os.POSIX_FADV_DONTNEED)';
const MINCORE = `
import ctypes, mmap, os, sys
fd = os.open(sys.argv[1], os.O_RDWR)
exec(sys.argv[2])
size = os.fstat(fd).st_size
mapping = mmap.mmap(fd, size)
pages = (ctypes.c_ubyte * (size // mmap.PAGESIZE))()
start = ctypes.addressof(ctypes.c_char.from_buffer(mapping))
if ctypes.CDLL(None).mincore(ctypes.c_void_p(start), ctypes.c_size_t(size), pages) != 0: sys.exit('mincore failed')
print(sum(page & 1 for page in pages) * mmap.PAGESIZE)
`;

/** Bytes of the file that are in memory, after a line of Python. */
function residentBytes(file: string, line = ''): number {
  const { stdout, stderr, error } = spawnSync('python3', ['-c', MINCORE, file, line], { encoding: 'utf8' });
  if (error !== undefined) throw new Error('python3 is missing, which node-gyp needs as well', { cause: error });
  expect(stderr).toBe('');
  return Number(stdout);
}

/** Pages that the kernel has taken back of its own accord, ever. */
function reclaimedPages(): number {
  const counts = readFileSync('/proc/vmstat', 'utf8').matchAll(/^(?:pgsteal_\w+|drop_pagecache) (\d+)$/gm);
  return Array.from(counts, ([, count]) => Number(count)).reduce((sum, count) => sum + count, 0);
}

test('a file is the same before and after, whether it was on the disk yet or not', () => {
  const { file, fd } = temporaryFile();
  const content = Buffer.from(Array.from({ length: 20_000 }, (_, i) => i % 251));
  for (let from = 0; from < content.length; from += 1000) {
    writeSync(fd, content, from, 1000);
    native.dropBehind(fd, 0, from + 1000, 0);
    if (from % 3000 === 0) fdatasyncSync(fd);
    native.dropBehind(fd, from, from + 1000, from);
    expect(readFileSync(file).equals(content.subarray(0, from + 1000))).toBe(true);
  }
  expect(() => native.dropBehind(fd, -1, 1, 0)).toThrow(RangeError);
  expect(() => native.dropBehind(fd, 2, 1, 0)).toThrow(RangeError);
  expect(() => native.dropBehind(fd, 1, 2, 2)).toThrow(RangeError);
});

test('what is on the disk is no longer in memory, but for the stretch at the end', () => {
  const { file, fd } = temporaryFile();
  const reclaimed = reclaimedPages();
  writeSync(fd, Buffer.alloc(16 * MIB, 7));
  native.dropBehind(fd, 0, 16 * MIB, 0);
  fdatasyncSync(fd);
  native.dropBehind(fd, 16 * MIB, 16 * MIB, 14 * MIB);
  const left = residentBytes(file);
  // The kernel takes such memory from anybody when it is short of some kind of it.
  if (reclaimedPages() === reclaimed) expect(left).toBeGreaterThanOrEqual(2 * MIB);
  // Some file systems keep their memory whoever asks (tmpfs, also below others). It is freed in pages of up to 2 MiB.
  if (residentBytes(file, DROP) <= 4 * MIB) expect(left).toBeLessThanOrEqual(4 * MIB);
});
