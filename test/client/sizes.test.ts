/** Keys and values of every size and content: at the seams of slots, chunks and limits. */
import { randomBytes } from 'node:crypto';

import { describe, expect, test } from 'vitest';

import { failureOf, openClient, shareServer } from '../fixtures/service.js';

const MAX_VALUE_BYTES = 300_000;
const MAX_KEY_BYTES = 1024;
const name = shareServer({ maxValueBytes: MAX_VALUE_BYTES });

const SIZES = [0, 1, 2, 3, 4, 5, 48, 49, 63, 64, 65, 955, 956, 957, 959, 960, 961, 4095, 4096, 4097, 65_535, 65_536];
const LARGE = [MAX_VALUE_BYTES - 1, MAX_VALUE_BYTES];

describe.each(['server', 'direct'] as const)('%s reads', (reads) => {
  test('binary values of every size come back byte by byte, with keys of every length', async () => {
    const client = await openClient({ name, codec: 'buffer', reads });
    for (const size of [...SIZES, ...LARGE]) {
      for (const keyBytes of [1, 3, 4, MAX_KEY_BYTES]) {
        const key = randomBytes(keyBytes);
        const value = randomBytes(size);
        // Compared as bytes: a matcher takes seconds for the largest.
        const same = (found: Buffer | undefined) => found?.equals(value) ?? false;
        expect(await client.set(key, value)).toBe(true);
        expect(same(await client.get(key)), `${size} bytes`).toBe(true);
        expect(same(client.getSync(key)), `${size} bytes`).toBe(true);
        expect(client.setSync(key, value)).toBe(true);
        expect((await client.mget([key])).map(same)).toEqual([true]);
        expect(same(await client.getdel(key)), `${size} bytes`).toBe(true);
        expect(client.existsSync(key)).toBe(false);
      }
    }
  });

  test('text of one, two, three and four bytes a character comes back at every size', async () => {
    const client = await openClient({ name, reads });
    for (const character of ['a', 'é', '語', '🙂']) {
      const bytes = Buffer.byteLength(character);
      for (const size of [...SIZES, ...LARGE]) {
        const text = character.repeat(Math.floor(size / bytes));
        for (const value of [text, `${text.slice(bytes)}x`]) {
          await client.set('text', value);
          expect(client.getSync('text') === value, `${size} bytes of ${character}`).toBe(true);
          expect((await client.mget(['text']))[0] === value).toBe(true);
        }
      }
    }
  });

  test('keys are told apart by their bytes alone', async () => {
    const client = await openClient({ name, reads });
    await client.flush();
    const keys = [
      'a',
      'a\0',
      '\0a',
      '\0',
      'A',
      'é',
      'e\u0301',
      'aa',
      'aaa',
      'aaaa',
      'aaaaa',
      '🙂',
      'k'.repeat(1023),
      'k'.repeat(1024),
    ];
    await client.mset(keys.map((key, i): [string, string] => [key, `${i}`]));
    expect(await client.size()).toBe(keys.length);
    for (const [i, key] of keys.entries()) {
      expect(await client.get(key)).toBe(`${i}`);
      expect(await client.get(Buffer.from(key))).toBe(`${i}`);
      expect(client.existsSync(`${key.slice(0, 1000)}?`)).toBe(false);
    }
  });
});

test('a value that grows and shrinks leaves nothing of itself behind', async () => {
  const client = await openClient({ name });
  for (const size of [...SIZES, ...SIZES.toReversed()]) {
    const value = `${size % 10}`.repeat(size);
    await client.set('same', value);
    expect((await client.get('same')) === value).toBe(true);
  }
});

test('a value one byte too large is refused before it is sent; nothing changes', async () => {
  const client = await openClient({ name, codec: 'buffer' });
  const text = await openClient({ name });
  await client.set('k', Buffer.from('kept'));
  const large = Buffer.alloc(MAX_VALUE_BYTES + 1);
  const wide = 'é'.repeat(MAX_VALUE_BYTES / 2 + 1);
  const calls = [
    () => client.setSync('k', large),
    () => client.postSync('new', large),
    () => client.casSync('new', 0, large),
    () =>
      client.msetSync([
        ['k', Buffer.from('changed')],
        ['l', large],
      ]),
    () => text.setSync('k', wide),
    client.set('k', large),
    text.set('k', wide),
    client.mset({ l: large }),
  ];
  for (const call of calls) {
    const failure = await failureOf(call);
    expect(failure).toMatchObject({ code: 'ERR_KVS_TOO_LARGE', executed: 'no' });
    expect(failure.message).toMatch(/has 30000[12] bytes.*up to 300000.*maxValueBytes/);
  }
  expect(() => client.submit('set', 'k', large)).toThrow('up to 300000');
  expect((await client.get('k'))?.toString()).toBe('kept');
  expect(await client.mget(['new', 'l'])).toEqual([undefined, undefined]);
});

test('keys of no bytes, of too many and of ill-formed text are refused by every operation', async () => {
  const client = await openClient({ name });
  const before = await client.size();
  const long = ['k'.repeat(1025), 'é'.repeat(513), '語'.repeat(342), Buffer.alloc(1025)];
  const makers: ((key: string | Uint8Array) => () => unknown)[] = [
    (key) => () => client.getSync(key),
    (key) => () => client.getEntrySync(key),
    (key) => () => client.setSync(key, 'v'),
    (key) => () => client.postSync(key, 'v'),
    (key) => () => client.casSync(key, 0, 'v'),
    (key) => () => client.delSync(key),
    (key) => () => client.existsSync(key),
    (key) => () => client.getdelSync(key),
    (key) => () => client.incrSync(key),
    (key) => () => client.mgetSync(['fine', key]),
    (key) => () =>
      client.msetSync([
        ['fine', 'v'],
        [key, 'v'],
      ]),
    (key) => () => client.mdelSync(['fine', key]),
    (key) => () => client.submit('get', key),
  ];
  for (const make of makers) {
    for (const key of long) {
      const failure = await failureOf(make(key));
      expect(failure).toMatchObject({ code: 'ERR_KVS_TOO_LARGE', executed: 'no' });
      expect(failure.message).toMatch(/at most 1024 bytes, got 102[56]/);
    }
    expect(make('')).toThrow(/at least one byte/);
    expect(make(Buffer.alloc(0))).toThrow(TypeError);
    expect(make('a\udc00b')).toThrow(
      'key must be well-formed text, got a lone surrogate: give its bytes, a Uint8Array',
    );
  }
  await expect(client.get('\ud800')).rejects.toThrow(TypeError);
  expect(await client.size()).toBe(before);
});

test('bytes that the caller changes after an un-awaited call are those of the call', async () => {
  const client = await openClient({ name, codec: 'buffer' });
  const value = Buffer.alloc(2000);
  const key = Buffer.from('reused 0');
  const calls = Array.from({ length: 3000 }, (_, i) => {
    value.fill(i % 251);
    key.write(`${i % 7}`, 7);
    return client.set(key, value);
  });
  await Promise.all(calls);
  for (let i = 0; i < 7; i++) {
    const last = 2999 - ((2999 - i) % 7);
    expect(await client.get(`reused ${i}`)).toEqual(Buffer.alloc(2000, last % 251));
  }
});
