/** What dropping a file's memory must not change: the file. */
import { closeSync, fdatasyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { expect, onTestFinished, test } from 'vitest';

import { native } from '#dist/native.js';

test('a file is the same before and after, whether it was on the disk yet or not', () => {
  const directory = mkdtempSync(path.join(tmpdir(), 'kvs-drop-'));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const file = path.join(directory, 'file');
  const fd = openSync(file, 'w+');
  const content = Buffer.from(Array.from({ length: 20_000 }, (_, i) => i % 251));
  for (let from = 0; from < content.length; from += 1000) {
    writeSync(fd, content, from, 1000);
    native.dropBehind(fd, from + 1000);
    if (from % 3000 === 0) fdatasyncSync(fd);
    native.dropBehind(fd, from);
    expect(readFileSync(file).equals(content.subarray(0, from + 1000))).toBe(true);
  }
  closeSync(fd);
  expect(() => native.dropBehind(fd, 1)).toThrow(expect.objectContaining({ code: 'EBADF', syscall: 'posix_fadvise' }));
  expect(() => native.dropBehind(fd, -1)).toThrow(RangeError);
});
