/** Every operation in each of its three ways: awaited, blocking and as a task. */
import { describe, expect, test } from 'vitest';

import type { TaskName } from '#dist/index.js';

import { openClient, shareServer } from '../fixtures/service.js';

const name = shareServer();

type Ask = (operation: TaskName, ...args: unknown[]) => Promise<unknown>;
type Methods = Record<string, (...args: unknown[]) => unknown>;

const WAYS: Record<string, (methods: Methods) => Ask> = {
  awaited:
    (methods) =>
    async (operation, ...args) =>
      methods[operation](...args),
  blocking:
    (methods) =>
    async (operation, ...args) =>
      methods[`${operation}Sync`](...args),
  'as a task':
    (methods) =>
    async (operation, ...args) =>
      methods['submit'](operation, ...args),
};

const CASES = Object.keys(WAYS).flatMap((way) => (['server', 'direct'] as const).map((reads) => ({ way, reads })));

describe.each(CASES)('$way, $reads reads', ({ way, reads }) => {
  async function setUp(): Promise<Ask> {
    const client = await openClient({ name, reads });
    await client.flush();
    return WAYS[way](client as unknown as Methods);
  }

  test('set and get', async () => {
    const ask = await setUp();
    expect(await ask('get', 'k')).toBeUndefined();
    expect(await ask('set', 'k', 'one')).toBe(true);
    expect(await ask('get', 'k')).toBe('one');
    expect(await ask('set', 'k', 'two')).toBe(true);
    expect(await ask('get', 'k')).toBe('two');
    expect(await ask('get', Buffer.from('k'))).toBe('two');
  });

  test('post inserts only', async () => {
    const ask = await setUp();
    expect(await ask('post', 'k', 'one')).toBe(true);
    expect(await ask('post', 'k', 'two')).toBe(false);
    expect(await ask('get', 'k')).toBe('one');
    expect(await ask('del', 'k')).toBe(true);
    expect(await ask('post', 'k', 'three')).toBe(true);
    expect(await ask('get', 'k')).toBe('three');
  });

  test('del, exists and getdel', async () => {
    const ask = await setUp();
    expect(await ask('del', 'k')).toBe(false);
    expect(await ask('exists', 'k')).toBe(false);
    expect(await ask('getdel', 'k')).toBeUndefined();
    await ask('set', 'k', 'v');
    expect(await ask('exists', 'k')).toBe(true);
    expect(await ask('getdel', 'k')).toBe('v');
    expect(await ask('exists', 'k')).toBe(false);
    expect(await ask('get', 'k')).toBeUndefined();
    await ask('set', 'k', 'v');
    expect(await ask('del', 'k')).toBe(true);
    expect(await ask('del', 'k')).toBe(false);
  });

  test('getEntry and cas', async () => {
    const ask = await setUp();
    expect(await ask('getEntry', 'k')).toBeUndefined();
    expect(await ask('cas', 'k', 0, 'one')).toBe(true);
    expect(await ask('cas', 'k', 0, 'again')).toBe(false);
    const entry = (await ask('getEntry', 'k')) as { value: string; version: number };
    expect(entry).toEqual({ value: 'one', version: expect.any(Number) as number });
    expect(await ask('cas', 'k', entry.version + 1, 'ahead')).toBe(false);
    expect(await ask('cas', 'k', entry.version, 'two')).toBe(true);
    expect(await ask('cas', 'k', entry.version, 'late')).toBe(false);
    expect(await ask('get', 'k')).toBe('two');
  });

  test('incr', async () => {
    const ask = await setUp();
    expect(await ask('incr', 'n')).toBe(1);
    expect(await ask('incr', 'n', 41)).toBe(42);
    expect(await ask('incr', 'n', -50)).toBe(-8);
    expect(await ask('get', 'n')).toBe('-8');
  });

  test('mset, mget and mdel', async () => {
    const ask = await setUp();
    const raw = Buffer.from('d');
    expect(await ask('mset', [])).toBe(true);
    expect(await ask('mget', [])).toEqual([]);
    expect(await ask('mdel', [])).toBe(0);
    expect(await ask('mset', { a: '1', b: '2' })).toBe(true);
    expect(await ask('mset', new Map([['c', '3']]))).toBe(true);
    expect(
      await ask('mset', [
        ['a', '4'],
        [raw, '5'],
      ]),
    ).toBe(true);
    expect(await ask('mget', ['a', 'missing', 'b', 'c', 'a', raw])).toEqual(['4', undefined, '2', '3', '4', '5']);
    expect(await ask('mget', new Set(['b']))).toEqual(['2']);
    expect(await ask('mdel', ['a', 'a', 'missing', 'c'])).toBe(2);
    expect(await ask('mget', ['a', 'b', 'c'])).toEqual([undefined, '2', undefined]);
  });

  test('size, ping, flush and stats', async () => {
    const ask = await setUp();
    expect(await ask('ping')).toBe(true);
    expect(await ask('size')).toBe(0);
    await ask('mset', { a: '1', b: '2' });
    expect(await ask('size')).toBe(2);
    expect(await ask('stats')).toMatchObject({ name, entries: 2, pid: process.pid });
    expect(await ask('flush')).toBe(true);
    expect(await ask('size')).toBe(0);
    expect(await ask('get', 'a')).toBeUndefined();
  });
});
