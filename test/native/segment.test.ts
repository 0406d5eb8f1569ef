import { closeSync, fstatSync, openSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { native } from '#dist/native.js';

import { Peer, fixturePath, run, runFixture, temporaryDirectory } from '../fixtures/processes.js';

function linkedSegment(bytes = 4096, mode = 0o600) {
  const path = join(temporaryDirectory(), 'segment');
  const { fd, buffer } = native.createSegment(join(path, '..'), bytes, mode);
  native.linkSegment(fd, path);
  return { path, fd, buffer, words: new Int32Array(buffer) };
}

describe('createSegment', () => {
  test('a new segment is zeroed, has exactly the size asked for and reserves all of it', () => {
    const { fd, buffer } = native.createSegment(temporaryDirectory(), 10_000_001, 0o600);
    const { size, blocks } = fstatSync(fd);
    closeSync(fd);
    expect(buffer).toBeInstanceOf(SharedArrayBuffer);
    expect(buffer.byteLength).toBe(10_000_001);
    expect(size).toBe(10_000_001);
    expect(blocks * 512).toBeGreaterThanOrEqual(10_000_001);
    expect(new Uint8Array(buffer).every((byte) => byte === 0)).toBe(true);
  });

  test('the mapping outlives its descriptor', () => {
    const { fd, buffer } = native.createSegment(temporaryDirectory(), 4096, 0o600);
    closeSync(fd);
    const words = new Int32Array(buffer);
    words[1023] = -5;
    expect(Atomics.load(words, 1023)).toBe(-5);
  });

  test.each([0o077, 0o000, 0o777])('the mode is exact under umask %o', (umask) => {
    const before = process.umask(umask);
    try {
      for (const mode of [0o600, 0o640, 0o660]) {
        expect(statSync(linkedSegment(4096, mode).path).mode & 0o7777).toBe(mode);
      }
    } finally {
      process.umask(before);
    }
  });

  test('a segment that is never linked leaves no name behind', () => {
    const directory = temporaryDirectory();
    closeSync(native.createSegment(directory, 4096, 0o600).fd);
    expect(readdirSync(directory)).toEqual([]);
  });

  test('a missing directory throws ENOENT of open', () => {
    const create = () => native.createSegment('/dev/shm/kvs.t-no-such-directory', 4096, 0o600);
    expect(create).toThrow(
      expect.objectContaining({
        code: 'ENOENT',
        errno: 2,
        syscall: 'open',
        message: 'ENOENT: no such file or directory, open',
      }),
    );
  });

  test('a full file system throws ENOSPC of posix_fallocate and leaves no file, descriptor or mapping', async () => {
    const directory = temporaryDirectory();
    const create = `"$0" "$1" "$2" ${8 << 20}`;
    const arguments_ = [process.execPath, fixturePath('native/full'), directory];
    const mount = 'mount -t tmpfs -o size=1m kvs-test "$2" || exit 77';
    let ended = await run('unshare', ['-Urm', 'sh', '-c', `${mount}; exec ${create}`, ...arguments_]);
    let expected = { code: 'ENOSPC', errno: 28, message: 'ENOSPC: no space left on device, posix_fallocate' };
    if (ended.stdout === '') {
      // No mount is allowed here: a limit on the file's size fails the same call.
      ended = await run('sh', ['-c', `ulimit -f 2048; exec ${create}`, ...arguments_]);
      expected = { code: 'EFBIG', errno: 27, message: 'EFBIG: file too large, posix_fallocate' };
    }
    expect(ended.stderr).toBe('');
    expect(JSON.parse(ended.stdout)).toEqual({
      ...expected,
      name: 'Error',
      syscall: 'posix_fallocate',
      left: [0, 0, 0],
      small: 4096,
    });
  });

  test('a file size limit throws EFBIG of posix_fallocate', async () => {
    const script = `ulimit -f 2048; exec "$0" "$1" "$2" ${8 << 20}`;
    const { stdout } = await run('sh', [
      '-c',
      script,
      process.execPath,
      fixturePath('native/full'),
      temporaryDirectory(),
    ]);
    expect(JSON.parse(stdout)).toMatchObject({ code: 'EFBIG', syscall: 'posix_fallocate', left: [0, 0, 0] });
  });
});

describe('linkSegment', () => {
  test('a taken name throws EEXIST and keeps the file that has it', () => {
    const directory = temporaryDirectory();
    const path = join(directory, 'taken');
    writeFileSync(path, 'first');
    const { fd } = native.createSegment(directory, 4096, 0o600);
    expect(() => native.linkSegment(fd, path)).toThrow(
      expect.objectContaining({ code: 'EEXIST', errno: 17, syscall: 'linkat' }),
    );
    closeSync(fd);
    expect(readFileSync(path, 'utf8')).toBe('first');
  });
});

describe('mapSegment', () => {
  test('two processes see each other’s words', async () => {
    const { path, words } = linkedSegment();
    const peer = await Peer.open(path);
    Atomics.store(words, 5, 0x12345678);
    expect(await peer.tell('load', 5)).toBe(0x12345678);
    await peer.tell('store', 1023, -2);
    expect(Atomics.load(words, 1023)).toBe(-2);
  });

  test('a read-only mapping reads what another process writes', async () => {
    const { path, words } = linkedSegment();
    const peer = await Peer.open(path, 'r');
    for (const value of [1, -1, 77]) {
      Atomics.store(words, 9, value);
      expect(await peer.tell('load', 9)).toBe(value);
    }
  });

  test('a write through a read-only mapping kills the writer with SIGSEGV and changes nothing', async () => {
    const { path, words } = linkedSegment();
    const peer = await Peer.open(path, 'r');
    await expect(peer.tell('store', 9, 1)).rejects.toThrow('ended without an answer');
    expect(await peer.ended).toEqual({ code: null, signal: 'SIGSEGV' });
    expect(Atomics.load(words, 9)).toBe(0);
  });

  test('a descriptor without write access cannot be mapped writable', () => {
    const { fd, path } = linkedSegment();
    closeSync(fd);
    const other = linkedSegment();
    const reader = openSync(other.path, 'r');
    expect(new Int32Array(native.mapSegment(reader, 4096, false))[0]).toBe(0);
    closeSync(reader);
    const unmapped = openSync(path, 'r');
    // The creator's mapping is 4096 bytes; another size needs a mapping of its own, which the kernel refuses.
    expect(() => native.mapSegment(unmapped, 4095, true)).toThrow(
      expect.objectContaining({ code: 'EACCES', errno: 13, syscall: 'mmap' }),
    );
    closeSync(unmapped);
  });

  test('more bytes than the file has throw instead of leaving a SIGBUS for later', () => {
    const { fd } = linkedSegment();
    expect(() => native.mapSegment(fd, 4097, true)).toThrow(
      new RangeError("bytes: expected at most the file's 4096, got 4097"),
    );
  });

  test('a process maps a file once per access mode and unmaps it once, when its last buffer is collected', async () => {
    const { stdout, stderr } = await runFixture('native/collect', ['unmapsOnce', temporaryDirectory()]);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      both: 2,
      seen: [7, 7],
      stillThere: 7,
      others: 16,
      othersReadable: true,
      again: [1, 7],
    });
  });

  test('10,000 times attached and detached leaves no descriptor and no mapping', async () => {
    const { stdout, stderr } = await runFixture('native/collect', ['attachesAndDetaches', temporaryDirectory()]);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({ sum: 0, leakedDescriptors: 0, mappings: 0 });
  });
});

describe('worker threads', () => {
  test('a buffer in workerData outlives its creator’s reference, in one mapping', async () => {
    const { stdout, stderr } = await runFixture('native/workers', ['outlives', temporaryDirectory()]);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({ whileInUse: 1, code: 0, answer: 42 });
  });

  test('threads that map one file each for themselves share its mapping, which goes after all of them', async () => {
    const { stdout, stderr } = await runFixture('native/workers', ['manyEnvironments', temporaryDirectory()]);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({ sum: 1000, mappings: 1, left: 0 });
  });
});
