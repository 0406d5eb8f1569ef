/**
 * Keys that expire, in each of the three ways to ask and by each way to read: absent from the millisecond on at which
 * they expire, on every path, and there until then.
 * Seen to fail when: the server's lookup or scan, the direct reader's lookup or walk, or the check of a cached value does
 * not look at the expiry; the clock that decides is 5 ms early or late; incr drops the expiry; what keepTtl made room for
 * does not move back when there is nothing to keep.
 */
import { describe, expect, test } from 'vitest';

import type { KvsClient, TaskName } from '#dist/index.js';
import { hostMs } from '#dist/memory/clock.js';

import { openClient, shareServer } from '../fixtures/service.js';

const name = shareServer();
const PAST = new Date(Date.now() - 60_000);
const HOUR = 3_600_000;

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

const READS = {
  server: { reads: 'server' },
  direct: { reads: 'direct' },
  cached: { reads: 'direct', cacheEntries: 100 },
} as const;
type Reads = keyof typeof READS;
const CASES = Object.keys(WAYS).flatMap((way) => (Object.keys(READS) as Reads[]).map((reads) => ({ way, reads })));

const textClient = (reads: Reads = 'direct'): Promise<KvsClient> => openClient({ name, ...READS[reads] });

describe.each(CASES)('$way, $reads reads', ({ way, reads }) => {
  async function setUp(): Promise<{ ask: Ask; client: KvsClient }> {
    const client = await textClient(reads);
    await client.flush();
    return { ask: WAYS[way](client as unknown as Methods), client };
  }

  test('what expires later is there, and says when', async () => {
    const { ask } = await setUp();
    expect(await ask('set', 'k', 'v', { ttlMs: HOUR })).toBe(true);
    expect(await ask('get', 'k')).toBe('v');
    expect(await ask('exists', 'k')).toBe(true);
    expect(await ask('mget', ['k', 'l'])).toEqual(['v', undefined]);
    const left = (await ask('ttl', 'k')) as number;
    expect(Number.isInteger(left) && left > HOUR - 60_000 && left <= HOUR).toBe(true);
    expect(await ask('ttl', 'l')).toBeUndefined();
    await ask('set', 'l', 'v');
    expect(await ask('ttl', 'l')).toBeNull();
    expect(await ask('getEntry', 'l')).not.toHaveProperty('expiresAt');
  });

  test('expiresAt is read back as it was written, but for the grain of the wall clock', async () => {
    const { ask } = await setUp();
    const expiresAt = Date.now() + HOUR;
    for (const given of [expiresAt, new Date(expiresAt)]) {
      await ask('set', 'k', 'v', { expiresAt: given });
      const entry = (await ask('getEntry', 'k')) as { value: string; expiresAt: number };
      expect(entry.value).toBe('v');
      expect(Math.abs(entry.expiresAt - expiresAt)).toBeLessThanOrEqual(2);
    }
  });

  test('what has expired is absent for every operation', async () => {
    const { ask, client } = await setUp();
    const expired = async (): Promise<void> => void (await ask('set', 'k', 'v', { expiresAt: PAST }));
    await expired();
    expect(await ask('get', 'k')).toBeUndefined();
    expect(await ask('exists', 'k')).toBe(false);
    expect(await ask('getEntry', 'k')).toBeUndefined();
    expect(await ask('getInto', 'k', Buffer.alloc(10))).toBeUndefined();
    expect(await ask('getView', 'k')).toBeUndefined();
    expect(await ask('mget', ['k'])).toEqual([undefined]);
    expect(await ask('ttl', 'k')).toBeUndefined();
    expect(await ask('expire', 'k', HOUR)).toBe(false);
    expect(await ask('persist', 'k')).toBe(false);
    expect(await ask('del', 'k')).toBe(false);
    expect(await ask('getdel', 'k')).toBeUndefined();
    expect(await ask('mdel', ['k'])).toBe(0);
    for await (const key of client.keys()) expect.fail(`there is ${key}`);
    expect([...client.entriesSync()]).toEqual([]);
    expect(await ask('cas', 'k', 1, 'w')).toBe(false);
    expect(await ask('cas', 'k', 0, 'w')).toBe(true);
    expect(await ask('get', 'k')).toBe('w');
    await expired();
    expect(await ask('post', 'k', 'x')).toBe(true);
    expect(await ask('post', 'k', 'y')).toBe(false);
    expect(await ask('get', 'k')).toBe('x');
    await expired();
    expect(await ask('incr', 'k', 5)).toBe(5);
    expect(await ask('ttl', 'k')).toBeNull();
  });

  test('large values expire as small ones do', async () => {
    const { ask } = await setUp();
    const large = 'x'.repeat(100_000);
    await ask('set', 'k', large, { ttlMs: HOUR });
    expect(await ask('get', 'k')).toBe(large);
    expect(await ask('expire', 'k', { expiresAt: PAST })).toBe(true);
    expect(await ask('getView', 'k')).toBeUndefined();
    expect(await ask('get', 'k')).toBeUndefined();
  });

  test('set, cas and mset drop the expiry, or keep it; post has its own', async () => {
    const { ask } = await setUp();
    const ttlAfter = async (operation: TaskName, ...args: unknown[]): Promise<unknown> => {
      await ask('set', 'k', 'v', { ttlMs: HOUR });
      expect(await ask(operation, ...args)).toBe(true);
      const left = await ask('ttl', 'k');
      return typeof left === 'number' ? Math.round(left / HOUR) : left;
    };
    expect(await ttlAfter('set', 'k', 'w')).toBeNull();
    expect(await ttlAfter('set', 'k', 'w', { keepTtl: true })).toBe(1);
    expect(await ask('get', 'k')).toBe('w');
    expect(await ttlAfter('set', 'k', 'w', { ttlMs: 3 * HOUR })).toBe(3);
    expect(await ttlAfter('mset', [['k', 'w']])).toBeNull();
    expect(
      await ttlAfter(
        'mset',
        [
          ['k', 'w2'],
          ['j', 'new'],
        ],
        { keepTtl: true },
      ),
    ).toBe(1);
    expect(await ask('mget', ['k', 'j'])).toEqual(['w2', 'new']);
    expect(await ask('ttl', 'j')).toBeNull();
    expect(await ttlAfter('mset', { k: 'w', j: 'x' }, { ttlMs: 2 * HOUR })).toBe(2);
    for (const [options, hours] of [
      [undefined, null],
      [{ keepTtl: true }, 1],
      [{ ttlMs: 4 * HOUR }, 4],
    ]) {
      await ask('set', 'k', 'v', { ttlMs: HOUR });
      const { version } = (await ask('getEntry', 'k')) as { version: number };
      expect(await ask('cas', 'k', version, 'swapped', options)).toBe(true);
      expect(await ask('get', 'k')).toBe('swapped');
      const left = (await ask('ttl', 'k')) as number | null;
      expect(left === null ? null : Math.round(left / HOUR)).toBe(hours);
    }
    expect(await ask('post', 'p', 'v', { ttlMs: HOUR })).toBe(true);
    expect(Math.round(((await ask('ttl', 'p')) as number) / HOUR)).toBe(1);
    expect(await ask('post', 'q', 'v', { expiresAt: PAST })).toBe(true);
    expect(await ask('get', 'q')).toBeUndefined();
  });

  test('keepTtl without anything to keep writes what does not expire', async () => {
    const { ask } = await setUp();
    const long = 'ä'.repeat(3000);
    await ask('set', 'k', 'v');
    for (const value of ['', 'w', 'abcdefghijk', long]) {
      expect(await ask('set', 'k', value, { keepTtl: true })).toBe(true);
      expect(await ask('get', 'k')).toBe(value);
      expect(await ask('ttl', 'k')).toBeNull();
    }
    await ask('set', 'k', 'v', { expiresAt: PAST });
    await ask('set', 'k', 'fresh', { keepTtl: true });
    expect(await ask('get', 'k')).toBe('fresh');
    expect(await ask('ttl', 'k')).toBeNull();
  });

  test('expire and persist change the expiry and nothing else but the version', async () => {
    const { ask } = await setUp();
    expect(await ask('expire', 'k', HOUR)).toBe(false);
    expect(await ask('persist', 'k')).toBe(false);
    await ask('set', 'k', 'value');
    const { version } = (await ask('getEntry', 'k')) as { version: number };
    expect(await ask('persist', 'k')).toBe(false);
    expect(await ask('getEntry', 'k')).toEqual({ value: 'value', version });
    expect(await ask('expire', 'k', HOUR)).toBe(true);
    expect(Math.round(((await ask('ttl', 'k')) as number) / HOUR)).toBe(1);
    expect(await ask('expire', 'k', { ttlMs: 2 * HOUR })).toBe(true);
    expect(Math.round(((await ask('ttl', 'k')) as number) / HOUR)).toBe(2);
    expect(await ask('expire', 'k', { expiresAt: Date.now() + 3 * HOUR })).toBe(true);
    expect(Math.round(((await ask('ttl', 'k')) as number) / HOUR)).toBe(3);
    expect(await ask('get', 'k')).toBe('value');
    expect(await ask('persist', 'k')).toBe(true);
    expect(await ask('ttl', 'k')).toBeNull();
    expect(await ask('get', 'k')).toBe('value');
    expect(await ask('cas', 'k', version, 'late')).toBe(false);
    expect(await ask('expire', 'k', { expiresAt: PAST })).toBe(true);
    expect(await ask('get', 'k')).toBeUndefined();
  });

  test('a key is there until the moment at which it expires, and not from then on', async () => {
    const { ask, client } = await setUp();
    const looks: (() => Promise<boolean>)[] = [
      async () => (await ask('get', 'k')) !== undefined,
      async () => (await ask('exists', 'k')) as boolean,
      async () => (await ask('getEntry', 'k')) !== undefined,
      async () => ((await ask('mget', ['k'])) as unknown[])[0] !== undefined,
      async () => (await ask('ttl', 'k')) !== undefined,
      async () => [...client.keysSync('k')].length === 1,
    ];
    for (const isThere of looks) {
      const before = hostMs();
      await ask('set', 'k', 'v', { ttlMs: 25 });
      const after = hostMs();
      for (;;) {
        const start = hostMs();
        const found = await isThere();
        const end = hostMs();
        // The set was issued between `before` and `after`.
        if (found) expect(start).toBeLessThan(after + 25);
        else expect(end).toBeGreaterThanOrEqual(before + 25);
        if (!found) break;
      }
      expect(await isThere()).toBe(false);
    }
  });
});

test.each([
  ['int32', 7, 8],
  ['float64', 1.5, 2.5],
  ['json', 7, 8],
] as const)('incr of %s keeps the expiry, and a new number has none', async (codec, first, sum) => {
  const client = await openClient<number>({ name, codec: codec as 'json' });
  await client.flush();
  await client.set('n', first, { ttlMs: HOUR });
  expect(await client.incr('n')).toBe(sum);
  expect(await client.get('n')).toBe(sum);
  expect(await client.ttl('n')).toBeGreaterThan(HOUR - 60_000);
  await client.persist('n');
  expect(await client.incr('n')).toBe(sum + 1);
  expect(await client.ttl('n')).toBeNull();
  expect(await client.incr('new')).toBe(1);
  expect(await client.ttl('new')).toBeNull();
});

test('incr of the longest number there is as text keeps number and expiry', async () => {
  const client = await textClient();
  await client.set('n', '-0.0000012345678901234567', { ttlMs: HOUR });
  expect(await client.incr('n', 0)).toBe(-0.0000012345678901234567);
  expect(Number(await client.get('n'))).toBe(-0.0000012345678901234567);
  expect(await client.incr('n', -1.7976931348623157e308)).toBe(-1.7976931348623157e308);
  expect(await client.get('n')).toBe('-1.7976931348623157e+308');
  expect(await client.ttl('n')).toBeGreaterThan(0);
});

test.each<[string, object, string]>([
  ['ttlMs: 0', { ttlMs: 0 }, 'ttlMs must be a number of milliseconds above 0 and up to 3155760000000'],
  ['a negative ttlMs', { ttlMs: -1 }, 'got number -1'],
  ['ttlMs NaN', { ttlMs: Number.NaN }, 'got number NaN'],
  ['ttlMs Infinity', { ttlMs: Infinity }, 'got number Infinity'],
  ['ttlMs as text', { ttlMs: '5' }, 'got string "5"'],
  ['ttlMs beyond a hundred years', { ttlMs: 4e12 }, 'got number 4000000000000'],
  ['an invalid Date', { expiresAt: new Date(Number.NaN) }, 'expiresAt must be a Date or milliseconds since 1970'],
  ['expiresAt NaN', { expiresAt: Number.NaN }, 'got number NaN'],
  ['expiresAt before 1970', { expiresAt: -1 }, 'got number -1'],
  ['expiresAt too far', { expiresAt: Date.now() + 4e12 }, 'at most 100 years from now'],
  ['expiresAt as text', { expiresAt: 'tomorrow' }, 'got string "tomorrow"'],
  ['both', { ttlMs: 5, expiresAt: PAST }, 'expected one of ttlMs, expiresAt and keepTtl, got ttlMs and expiresAt'],
  ['ttlMs and keepTtl', { ttlMs: 5, keepTtl: true }, 'got ttlMs and keepTtl'],
  ['keepTtl that is no boolean', { keepTtl: 1 }, 'keepTtl must be true or false, got number 1'],
])('%s is refused, and nothing is written', async (_, options, message) => {
  const client = await textClient();
  await client.flush();
  const calls: (() => unknown)[] = [
    () => client.setSync('k', 'v', options),
    () => client.postSync('k', 'v', options),
    () => client.casSync('k', 0, 'v', options),
    () => client.msetSync({ k: 'v' }, options),
    () => client.submit('set', 'k', 'v', options),
  ];
  for (const call of calls) expect(call).toThrow(message);
  await expect(client.set('k', 'v', options)).rejects.toThrow(message);
  expect(await client.size()).toBe(0);
});

test('a POST keeps no expiry, since it replaces nothing, and says so', async () => {
  const client = await textClient();
  await client.del('k');
  const options = { keepTtl: true } as never;
  const message = 'post inserts only and takes ttlMs or expiresAt, got keepTtl';
  expect(() => client.postSync('k', 'v', options)).toThrow(message);
  expect(() => client.submit('post', 'k', 'v', options)).toThrow(message);
  await expect(client.post('k', 'v', options)).rejects.toThrow(message);
  expect(await client.exists('k')).toBe(false);
  expect(await client.post('k', 'v', { keepTtl: false } as never)).toBe(true);
});

test('expire takes a moment, and says so', async () => {
  const client = await textClient();
  const message = 'expire takes milliseconds, { ttlMs } or { expiresAt } (or call persist), got';
  for (const when of [{}, undefined, null, '5', true]) {
    expect(() => client.expireSync('k', when as never)).toThrow(message);
  }
  expect(() => client.expireSync('k', 0)).toThrow('ttlMs must be');
  expect(() => client.expireSync('k', { keepTtl: true } as never)).toThrow('got keepTtl');
});
