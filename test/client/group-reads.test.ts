/**
 * mget from the mapping, which looks several keys up side by side. Seen to fail when: a key of the group before is looked up
 * again; a value lands in another's place; a miss ends the group; keys are read while a write to one of them is on its way;
 * a codec of the user's that reads itself is called within a group; what was hashed for one
 * region is looked up in the next; the caller's list is looked at more than once.
 */
import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import type { CustomCodec } from '#dist/index.js';

import { regionName } from '../fixtures/region.js';
import { openClient, shareServer, startServer } from '../fixtures/service.js';

const name = shareServer();

test.each([0, 4, 4096])('any keys, any number of them, with a cache of %d entries', async (cacheEntries) => {
  const client = await openClient({ name, cacheEntries });
  const model = new Map<string, string>();
  const key = fc.nat(30).map((number) => `group:${number}`);
  const step = fc.record({
    set: fc.option(key),
    keys: fc.array(fc.record({ key, asBytes: fc.boolean() }), { maxLength: 40 }),
  });
  let count = 0;
  await client.flush();
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      for (const { set, keys } of steps) {
        if (set !== null) {
          const value = `value ${++count}`;
          client.setSync(set, value);
          model.set(set, value);
        }
        const values = client.mgetSync(keys.map(({ key: text, asBytes }) => (asBytes ? Buffer.from(text) : text)));
        expect(values).toEqual(keys.map(({ key: text }) => model.get(text)));
      }
    }),
    { numRuns: 60 },
  );
  expect(model.size).toBeGreaterThan(10);
});

test('what this client is writing is seen, wherever it stands among the keys', async () => {
  const client = await openClient({ name });
  const keys = Array.from({ length: 20 }, (_, i) => `own:${i}`);
  await client.mset(keys.map((key) => [key, 'old'] as const));
  for (const key of keys) {
    const written = client.set(key, 'new');
    const values = await client.mget(keys);
    expect(values[keys.indexOf(key)]).toBe('new');
    await written;
  }
});

test('a list whose elements change, or whose elements read with the same client, is read once', async () => {
  const client = await openClient({ name });
  const letters = 'a b c d e f g h'.split(' ');
  await client.mset(letters.map((letter) => [letter, letter.toUpperCase()] as const));
  const keys = ['a', 'x', 'c'];
  const answers = ['b', 'h'];
  Object.defineProperty(keys, 1, {
    get() {
      client.mgetSync(['d', 'e']);
      return answers.shift();
    },
  });
  expect(client.mgetSync(keys)).toEqual(['A', 'B', 'C']);
  expect(client.mgetSync(letters)).toEqual(letters.map((letter) => letter.toUpperCase()));
});

test('keys are looked up in the store that is there now', async () => {
  const other = regionName();
  const keys = Array.from({ length: 20 }, (_, i) => `next:${i}`);
  const first = await startServer({}, other);
  const client = await openClient({ name: other, reconnectTimeoutMs: 60_000 });
  await client.mset(keys.map((key) => [key, 'old'] as const));
  expect(client.mgetSync(keys)).toEqual(keys.map(() => 'old'));
  await first.stop();
  await startServer({}, other);
  await client.mset(keys.map((key) => [key, 'new'] as const));
  expect(client.mgetSync(keys)).toEqual(keys.map(() => 'new'));
});

test('a codec that reads with the same client gets what it asks for, and so does its caller', async () => {
  const reading: CustomCodec<string> = {
    encode: (value) => Buffer.from(value),
    decode(bytes) {
      const text = bytes.toString();
      return text.startsWith('see ') ? client.mgetSync(['a:1', text.slice(4), 'a:2']).join() : text;
    },
  };
  const client = await openClient({ name, codec: reading });
  await client.mset({ 'a:1': 'one', 'a:2': 'two', 'b:1': 'see c:1', 'c:1': 'three' });
  expect(client.mgetSync(['a:2', 'b:1', 'a:1', 'none', 'c:1'])).toEqual([
    'two',
    'one,three,two',
    'one',
    undefined,
    'three',
  ]);
});
