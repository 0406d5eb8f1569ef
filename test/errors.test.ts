import { describe, expect, test } from 'vitest';

import { errorOfStatus, kindOf, KvsError, Status } from '#dist/errors.js';

describe('KvsError', () => {
  test('it is an Error with name, code and message, and only the details it was given', () => {
    const cause = new Error('ENOSPC');
    const error = new KvsError('ERR_KVS_NO_SPACE', 'no room', { cause });
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'KvsError', code: 'ERR_KVS_NO_SPACE', message: 'no room', cause });
    expect(Object.keys(error).sort()).toEqual(['code', 'name']);
    expect(String(error)).toBe('KvsError: no room');
  });

  test('details are kept', () => {
    expect(new KvsError('ERR_KVS_TIMEOUT', 'late', { executed: 'unknown' }).executed).toBe('unknown');
    expect(new KvsError('ERR_KVS_ALREADY_RUNNING', 'two', { pid: 7 }).pid).toBe(7);
    expect('cause' in new KvsError('ERR_KVS_CLOSED', 'closed')).toBe(false);
  });
});

describe('errorOfStatus', () => {
  test.each([
    [Status.tooLarge, 'ERR_KVS_TOO_LARGE', 'no'],
    [Status.outOfMemory, 'ERR_KVS_OUT_OF_MEMORY', 'no'],
    [Status.notANumber, 'ERR_KVS_NOT_A_NUMBER', 'no'],
    [Status.internal, 'ERR_KVS_INTERNAL', 'unknown'],
    [Status.badRequest, 'ERR_KVS_BAD_REQUEST', 'no'],
  ])('status %d is its own error and says whether anything was done', (status, code, executed) => {
    expect(errorOfStatus(status)).toMatchObject({ code, executed });
  });

  test.each([Status.ok, Status.no, Status.busy, -1, 12, 0x7fffffff])(
    'status %d, which names no error, is a bad answer',
    (status) => {
      expect(errorOfStatus(status)).toMatchObject({
        code: 'ERR_KVS_BAD_REQUEST',
        executed: 'unknown',
        message: `unknown status ${status} in a response slot`,
      });
    },
  );
});

test('kindOf describes any argument briefly', () => {
  const described = [null, 'a', 'x'.repeat(50), 1, true, 2n, Symbol('s'), {}, [], new Map(), Object.create(null)].map(
    kindOf,
  );
  expect(described).toEqual([
    'null',
    'string "a"',
    `string "${'x'.repeat(40)}…"`,
    'number 1',
    'boolean true',
    'bigint',
    'symbol',
    'Object',
    'Array',
    'Map',
    'object',
  ]);
});
