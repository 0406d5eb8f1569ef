import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

import { describe, expect, onTestFinished, test, vi } from 'vitest';

import { CTL_MAGIC, CtlHeader, LAYOUT_VERSION } from '#dist/memory/layout.js';
import { checkTrust } from '#dist/memory/file-trust.js';
import {
  closeQuietly,
  openRegionFile,
  readCtlHeader,
  regionIdOf,
  regionPaths,
  removeBells,
  removeFile,
} from '#dist/memory/region-files.js';
import { viewsOf } from '#dist/memory/segment.js';
import { native } from '#dist/native.js';

import { run, temporaryDirectory, temporaryPath } from '../fixtures/processes.js';
import { shapeOf } from '../fixtures/region.js';

const isRoot = process.geteuid?.() === 0;
const error = (code: string, text: string): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(text) as unknown });

/** A plain file of our own with this content; gives a descriptor of it. */
function file(content: string | Uint8Array = '', mode = 0o600) {
  const path = temporaryPath();
  writeFileSync(path, content);
  chmodSync(path, mode);
  const fd = openSync(path, 'r+');
  onTestFinished(() => closeQuietly(fd));
  return { path, fd };
}

describe('regionPaths', () => {
  test('files are named by the region, in its directory', () => {
    const paths = regionPaths('cache.v1_a-B', '/dev/shm');
    expect(paths.ctl).toBe('/dev/shm/kvs.cache.v1_a-B.ctl');
    expect(paths.data).toBe('/dev/shm/kvs.cache.v1_a-B.data');
    expect(paths.bell(7)).toBe('/dev/shm/kvs.cache.v1_a-B.bell.7');
  });

  test.each(['', 'a/b', '../x', 'ä', 'a b', 'a\0', 'x'.repeat(65)])('%j is no name', (name) => {
    expect(() => regionPaths(name, '/dev/shm')).toThrow(
      new TypeError(`name must be 1 to 64 characters of A-Z a-z 0-9 . _ -, got ${JSON.stringify(name)}`),
    );
  });

  test('64 characters are a name, a number is none', () => {
    expect(regionPaths('x'.repeat(64), '/a').ctl).toBe(`/a/kvs.${'x'.repeat(64)}.ctl`);
    expect(() => regionPaths(5 as unknown as string, '/a')).toThrow('got 5');
  });
});

describe('openRegionFile', () => {
  test('a file that does not exist is undefined', () => {
    expect(openRegionFile(temporaryPath(), true)).toBeUndefined();
  });

  test.each([true, false])('a symbolic link is not followed (writable: %s)', (writable) => {
    const target = file();
    const path = temporaryPath();
    symlinkSync(target.path, path);
    expect(() => openRegionFile(path, writable)).toThrow(error('ERR_KVS_NOT_OURS', 'may not be opened (ELOOP)'));
  });

  test.each([true, false])('a FIFO in its place neither blocks nor is trusted (writable: %s)', (writable) => {
    const path = temporaryPath();
    native.makeFifo(path, 0o600);
    const fd = openRegionFile(path, writable)!;
    onTestFinished(() => closeSync(fd));
    expect(() => checkTrust(path, fd)).toThrow(error('ERR_KVS_NOT_OURS', 'is not a plain file'));
  });

  test('a directory in its place is refused with what to do', () => {
    const path = temporaryPath();
    mkdirSync(path);
    expect(() => openRegionFile(path, true)).toThrow(error('ERR_KVS_NOT_OURS', 'remove the file'));
  });

  test('a file that our user may not open is refused with what to do', async () => {
    const { path } = file('', 0o000);
    // Root may open anything: drop to another user for this, in a process of its own.
    const script = `
      import { openRegionFile } from '#dist/memory/region-files.js';
      if (process.geteuid() === 0) process.seteuid(65534);
      try { openRegionFile(process.argv[1], true); } catch (error) { console.log(error.code, error.message); }`;
    chmodSync(join(path, '..'), 0o755);
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', script, path]);
    expect(stdout).toContain(`ERR_KVS_NOT_OURS ${path} may not be opened (EACCES): run as the user that started`);
    // Of a directory that is closed nobody knows whether there is such a file.
    chmodSync(join(path, '..'), 0o700);
    const closed = await run(process.execPath, ['--input-type=module', '-e', script, path]);
    const why = process.geteuid?.() === 0 ? 'ERR_KVS_SHM_DIR shmDir' : 'ERR_KVS_NOT_OURS';
    expect(closed.stdout).toContain(why);
  });

  test('a directory that is none is refused with what to do', () => {
    const { path } = file('');
    expect(() => openRegionFile(join(path, 'kvs.x.ctl'), true)).toThrow(
      error('ERR_KVS_SHM_DIR', `shmDir ${path} cannot hold shared memory (ENOTDIR): name a directory that exists`),
    );
  });
});

describe('checkTrust', () => {
  test('a plain file of our own is trusted, also with access for the group', () => {
    for (const mode of [0o600, 0o640, 0o660]) {
      const { path, fd } = file('', mode);
      expect(checkTrust(path, fd).mode & 0o777).toBe(mode);
    }
  });

  test.each([0o604, 0o602, 0o601, 0o666])('access for others (%o) is refused', (mode) => {
    const { path, fd } = file('', mode);
    expect(() => checkTrust(path, fd)).toThrow(
      error(
        'ERR_KVS_NOT_OURS',
        `has mode ${mode.toString(8)}, others must have no access; if it is a leftover, remove it`,
      ),
    );
  });

  test('a file of another user is refused', () => {
    const { path, fd } = file();
    const uid = process.geteuid!();
    if (isRoot) {
      chownSync(path, 65534, 0);
      expect(() => checkTrust(path, fd)).toThrow(error('ERR_KVS_NOT_OURS', 'belongs to uid 65534, we are uid 0'));
    } else {
      const geteuid = vi.spyOn(process, 'geteuid').mockReturnValue(uid + 1);
      onTestFinished(() => geteuid.mockRestore());
      expect(() => checkTrust(path, fd)).toThrow(
        error('ERR_KVS_NOT_OURS', `belongs to uid ${uid}, we are uid ${uid + 1}`),
      );
    }
  });

  test('a file that a member of a group has made is trusted only where that group is named, and shared', () => {
    const { path, fd } = file('', 0o660);
    const { uid, gid } = fstatSync(fd);
    // For the check, another user made it.
    const geteuid = vi.spyOn(process, 'geteuid').mockReturnValue(uid + 1);
    onTestFinished(() => geteuid.mockRestore());
    expect(checkTrust(path, fd, gid).uid).toBe(uid);
    expect(() => checkTrust(path, fd)).toThrow(error('ERR_KVS_NOT_OURS', `belongs to uid ${uid}`));
    expect(() => checkTrust(path, fd, gid + 1)).toThrow(error('ERR_KVS_NOT_OURS', `belongs to uid ${uid}`));
    chmodSync(path, 0o600);
    expect(() => checkTrust(path, fd, gid)).toThrow(error('ERR_KVS_NOT_OURS', `belongs to uid ${uid}`));
  });

  test('a file of our own that is shared with another group than the one named is refused', () => {
    const { path, fd } = file('', 0o640);
    const { gid } = fstatSync(fd);
    expect(checkTrust(path, fd, gid).gid).toBe(gid);
    expect(() => checkTrust(path, fd, gid + 1)).toThrow(
      error('ERR_KVS_NOT_OURS', `is shared with group ${gid}, not with group ${gid + 1}`),
    );
  });
});

describe('readCtlHeader', () => {
  /** A header that is sound but for what `spoil` does. */
  function header(spoil: (words: Int32Array, floats: Float64Array) => void) {
    const { words, floats, bytes } = viewsOf(new SharedArrayBuffer(CtlHeader.sizeBytes));
    const shape = shapeOf();
    words[CtlHeader.magic] = CTL_MAGIC;
    words[CtlHeader.layoutVersion] = LAYOUT_VERSION;
    words[CtlHeader.slots] = shape.slots;
    words[CtlHeader.stripes] = shape.stripes;
    words[CtlHeader.workers] = shape.workers;
    words[CtlHeader.maxValueBytes] = shape.maxValueBytes;
    floats[CtlHeader.maxMemoryBytes] = shape.maxMemoryBytes;
    spoil(words, floats);
    return file(bytes);
  }

  test.each([
    ['an empty file', new Uint8Array(0), 'only 0 bytes'],
    ['a truncated header', new Uint8Array(CtlHeader.sizeBytes - 1), 'only 4095 bytes'],
    ['zeros', new Uint8Array(8192), 'no magic number'],
    ['garbage', new Uint8Array(8192).fill(0xa5), 'no magic number'],
  ])('%s is no region', (_, content, found) => {
    const { path, fd } = file(content);
    expect(() => readCtlHeader(path, fd)).toThrow(
      error(
        'ERR_KVS_CORRUPT',
        `${path} is not a shm-kvs region (${found}): stop its processes, remove the file and start the server again`,
      ),
    );
  });

  test.each([LAYOUT_VERSION + 1, LAYOUT_VERSION - 1, -1])('layout version %d is refused', (version) => {
    const { path, fd } = header((words) => void (words[CtlHeader.layoutVersion] = version));
    expect(() => readCtlHeader(path, fd)).toThrow(
      error(
        'ERR_KVS_LAYOUT',
        `has layout version ${version}, this shm-kvs reads ${LAYOUT_VERSION}: use the same version of shm-kvs`,
      ),
    );
  });

  test.each<[string, (words: Int32Array, floats: Float64Array) => void]>([
    ['no slots', (words) => void (words[CtlHeader.slots] = 0)],
    ['negative slots', (words) => void (words[CtlHeader.slots] = -0x80000000)],
    ['slots that are no power of two', (words) => void (words[CtlHeader.slots] = 24)],
    ['more slots than a queue entry can name', (words) => void (words[CtlHeader.slots] = 8192)],
    ['stripes that are no power of two', (words) => void (words[CtlHeader.stripes] = 3)],
    ['too many stripes', (words) => void (words[CtlHeader.stripes] = 2048)],
    ['no workers', (words) => void (words[CtlHeader.workers] = 0)],
    ['too many workers', (words) => void (words[CtlHeader.workers] = 1000)],
    ['a negative value limit', (words) => void (words[CtlHeader.maxValueBytes] = -1)],
    ['an enormous value limit', (words) => void (words[CtlHeader.maxValueBytes] = 0x7fffffff)],
    ['no memory', (_, floats) => void (floats[CtlHeader.maxMemoryBytes] = 0)],
    ['memory that is not a number', (_, floats) => void (floats[CtlHeader.maxMemoryBytes] = NaN)],
    ['endless memory', (_, floats) => void (floats[CtlHeader.maxMemoryBytes] = Infinity)],
    ['memory of broken pages', (_, floats) => void (floats[CtlHeader.maxMemoryBytes] = 4 * 2 ** 20 + 1)],
  ])('a geometry with %s is impossible', (_, spoil) => {
    const { path, fd } = header(spoil);
    expect(() => readCtlHeader(path, fd)).toThrow(
      error('ERR_KVS_CORRUPT', `${path} names an impossible geometry {"slots"`),
    );
  });

  test('a file whose size is not what its header says is refused', () => {
    const { path, fd } = header(() => {});
    expect(() => readCtlHeader(path, fd)).toThrow(error('ERR_KVS_CORRUPT', `${path} has 4096 bytes, its header says `));
  });
});

test('an identity is 16 hexadecimal digits, whatever the words', () => {
  const views = viewsOf(new SharedArrayBuffer(16));
  views.words.set([-1, 10], 1);
  expect(regionIdOf(views, 1)).toBe('ffffffff0000000a');
});

test('removeFile takes a file that is gone already for removed, and reports what it cannot remove', () => {
  const { path } = file();
  removeFile(path);
  removeFile(path);
  expect(existsSync(path)).toBe(false);
  const directory = temporaryDirectory();
  expect(() => removeFile(directory)).toThrow(/EISDIR|EPERM/);
});

test('removeBells removes the FIFOs of this region alone', () => {
  const directory = temporaryDirectory();
  for (const name of ['kvs.a.bell.0', 'kvs.a.bell.12', 'kvs.ab.bell.0', 'kvs.a.ctl', 'other']) {
    writeFileSync(join(directory, name), '');
  }
  removeBells('a', directory);
  expect(readdirSync(directory).sort()).toEqual(['kvs.a.ctl', 'kvs.ab.bell.0', 'other']);
});

test('closing twice changes nothing', () => {
  const { fd } = file();
  closeQuietly(fd);
  expect(() => closeQuietly(fd)).not.toThrow();
});
