import { closeSync } from 'node:fs';

import { expect, test } from 'vitest';

import { native } from '#dist/native.js';

/** Function, arguments, the error's message. */
type Call = [string, unknown[], string];

/** The addon as plain JavaScript meets it: untyped. */
const untyped = native as unknown as Record<string, (...args: unknown[]) => unknown>;
const words = new Int32Array(new SharedArrayBuffer(16));

test.each<Call>([
  ['futexWait', [new Uint32Array(4), 0, 0, 0], 'words: expected an Int32Array, got Uint32Array'],
  ['futexWait', [], 'words: expected an Int32Array, got undefined'],
  ['futexWait', [new DataView(new ArrayBuffer(8)), 0, 0, 0], 'words: expected an Int32Array, got DataView'],
  ['futexWait', [words, '0', 0, 0], 'index: expected an integer, got a string'],
  ['futexWait', [words, 0, null, 0], 'expected: expected a number, got null'],
  ['futexWait', [words, 0, 0, undefined], 'timeoutMs: expected a number, got undefined'],
  ['futexWake', [{ length: 4 }, 0, 1], 'words: expected an Int32Array, got Object'],
  ['futexWake', [words, 0, Symbol('one')], 'count: expected an integer, got a symbol'],
  ['createSegment', [undefined, 4096, 0o600], 'directory: expected a path, not empty and without NUL, got undefined'],
  ['createSegment', ['', 4096, 0o600], 'directory: expected a path, not empty and without NUL, got a string'],
  ['createSegment', ['/dev/shm', 4096n, 0o600], 'bytes: expected an integer, got 4096'],
  ['linkSegment', [0, '/dev/shm/a\0b'], 'path: expected a path, not empty and without NUL, got a string'],
  ['mapSegment', [true, 4096, true], 'fd: expected an integer, got true'],
  ['mapSegment', [0, 4096, 1], 'writable: expected a boolean, got 1'],
  ['tryLockByte', [() => 0, 0], 'fd: expected an integer, got a function'],
  ['isByteLocked', [0, [1]], 'byte: expected an integer, got Array'],
  ['makeFifo', [Object.create(null), 0o600], 'path: expected a path, not empty and without NUL, got an object'],
  ['watchDoorbell', [0, 'ring'], 'onRing: expected a function, got a string'],
])('%s throws a TypeError that says what it expected and got (%#)', (name, args, message) => {
  expect(() => untyped[name](...args)).toThrow(new TypeError(message));
});

test.each<Call>([
  ['futexWait', [words, 4, 0, 0], 'index: expected an integer from 0 to 3, got 4'],
  ['futexWait', [words, -1, 0, 0], 'index: expected an integer from 0 to 3, got -1'],
  ['futexWait', [words, 0.5, 0, 0], 'index: expected an integer from 0 to 3, got 0.5'],
  ['futexWake', [words, NaN, 1], 'index: expected an integer from 0 to 3, got NaN'],
  ['futexWake', [words, 0, -1], 'count: expected an integer from 0 to 2147483647, got -1'],
  ['futexWake', [words, 0, Infinity], 'count: expected an integer from 0 to 2147483647, got Infinity'],
  ['futexWake', [words.subarray(0, 0), 0, 1], 'words: expected at least one word, got none'],
  ['createSegment', ['/dev/shm', 0, 0o600], 'bytes: expected an integer from 1 to 9007199254740991, got 0'],
  ['createSegment', ['/dev/shm', 4096, 0o1600], 'mode: expected an integer from 0 to 511, got 896'],
  ['mapSegment', [-1, 4096, true], 'fd: expected an integer from 0 to 2147483647, got -1'],
  ['unlockByte', [0, 2 ** 53], 'byte: expected an integer from 0 to 9007199254740991, got 9007199254740992'],
  ['ringDoorbell', [1.5], 'fd: expected an integer from 0 to 2147483647, got 1.5'],
])('%s throws a RangeError that says what it expected and got (%#)', (name, args, message) => {
  expect(() => untyped[name](...args)).toThrow(new RangeError(message));
});

test('an addon error is an Error whose code, errno and syscall agree', () => {
  const { fd } = native.createSegment('/dev/shm', 4096, 0o600);
  closeSync(fd);
  let error: unknown;
  try {
    native.linkSegment(fd, '/dev/shm/kvs.t-no-such-directory/name');
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(Error);
  expect(error).toMatchObject({
    code: 'ENOENT',
    errno: 2,
    syscall: 'linkat',
    message: 'ENOENT: no such file or directory, linkat',
  });
});
