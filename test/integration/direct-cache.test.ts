/**
 * The cache of decoded values as a client's user meets it. Whether a value came from it shows by its identity: values
 * of codec json are frozen and shared.
 * Seen to fail when: a hit is not compared with shared memory; the cache is not told of hits; values are not frozen; the
 * bytes of a custom codec's value are decoded before they are known to be whole; what is cached is taken from the reader
 * after the codec has read something itself.
 */
import { expect, test } from 'vitest';

import { type CustomCodec, KvsClient } from '#dist/index.js';

import { Peer } from '../fixtures/processes.js';
import { closing, openClient, randomness, startServer } from '../fixtures/service.js';

interface Item {
  readonly n: number;
  readonly parts: { readonly list: readonly number[] }[];
}

const timeoutMs = 60_000;
const connectJson = async (name: string, cacheEntries: number) =>
  closing(await KvsClient.connect<Item>({ name, timeoutMs, codec: 'json', cacheEntries }));
const item = (n: number): Item => ({ n, parts: [{ list: [n] }] });

test('a cached value is never older than a write that another process has made', async () => {
  const { name } = await startServer({ workers: 1 });
  const reader = await connectJson(name, 16);
  const text = closing(await KvsClient.connect({ name, timeoutMs, cacheEntries: 16 }));
  const writer = await Peer.start('service/client', JSON.stringify({ name, codec: 'json', reads: 'server' }));
  const textWriter = await Peer.start('service/client', JSON.stringify({ name, reads: 'server' }));
  for (let n = 0; n < 1200; n++) {
    const key = `key ${n % 3}`;
    expect(await writer.tell('set', key, item(n) as never)).toEqual({ result: true });
    expect((await reader.get(key))?.n).toBe(n);
    expect(reader.getSync(key)).toBe(reader.getSync(key));
    if (n % 4 !== 0) continue;
    await textWriter.tell('set', 'text', `${n}`);
    expect([text.getSync('text'), await text.get('text')]).toEqual([`${n}`, `${n}`]);
    if (n % 8 === 0) await textWriter.tell('del', 'text');
    expect(text.getSync('text')).toBe(n % 8 === 0 ? undefined : `${n}`);
  }
});

test('a cached object is frozen through and through, and the same until it is written', async () => {
  const { name } = await startServer();
  const [client, plain] = [await connectJson(name, 4), await connectJson(name, 0)];
  await client.set('a', item(1));
  const first = (await client.get('a')) as { n: number; parts: { list: number[] }[] };
  expect(client.getSync('a')).toBe(first);
  expect((await client.mget(['a']))[0]).toBe(first);
  for (const change of [() => (first.n = 2), () => first.parts.pop(), () => first.parts[0].list.push(1)]) {
    expect(change).toThrow(TypeError);
  }
  await plain.set('a', item(1));
  expect(client.getSync('a')).not.toBe(first);
  expect(client.getSync('a')).toEqual(first);
  // However they are read: behind a write of one's own, in a batch, with their versions, by walking, through the server.
  void client.set('b', item(2));
  const behind = await Promise.all([client.get('b'), client.mget(['b', 'a']), client.getEntry('b')]);
  const [[, walked]] = [...client.entriesSync()];
  const served = await openClient<Item>({ name, codec: 'json', cacheEntries: 4, reads: 'server' });
  for (const value of [behind[0], ...behind[1], behind[2]?.value, walked, await served.get('a')]) {
    expect(Object.isFrozen(value?.parts[0].list)).toBe(true);
  }
  // Without a cache they are the caller's own.
  const own = plain.getSync('a') as { n: number };
  own.n = 3;
  expect(plain.getSync('a')).not.toBe(own);
  expect(plain.getSync('a')?.n).toBe(1);
});

test('no cache with codec buffer', async () => {
  const { name } = await startServer();
  const options = { name, codec: 'buffer', cacheEntries: 1 } as const;
  await expect(KvsClient.connect(options)).rejects.toThrow(TypeError);
  await expect(KvsClient.connect(options)).rejects.toThrow(/cacheEntries/);
  const client = closing(await KvsClient.connect({ ...options, cacheEntries: 0 }));
  await client.set('a', Buffer.from('value'));
  client.getSync('a')?.fill(0);
  expect(client.getSync('a')?.toString()).toBe('value');
});

test('hot keys hit, also beside cold ones; where all keys are cold the cache steps aside', async () => {
  const random = randomness();
  const { name } = await startServer();
  const client = await connectJson(name, 64);
  const keys = Array.from({ length: 2000 }, (_, n) => `key ${n}`);
  await client.mset(keys.map((key, n) => [key, item(n)] as const));
  const hot = keys.slice(0, 10).map((key) => client.getSync(key));
  for (let round = 0; round < 20_000; round++) {
    const n = random(10);
    if (client.getSync(keys[n]) !== hot[n]) expect.fail(`key ${n} was decoded again`);
    if (round % 10 === 0) client.getSync(keys[10 + random(20)]);
  }
  const isCached = (key: string) => client.getSync(key) === client.getSync(key);
  expect(isCached('key 5')).toBe(true);
  for (let round = 0; round < 20_000; round++) client.getSync(keys[random(keys.length)]);
  expect(isCached('key 5')).toBe(false);
  let lookups = 0;
  while (lookups < 1_000_000 && !isCached('key 5')) lookups++;
  expect(lookups).toBeLessThan(1_000_000);
});

test('of more keys than it has room for, it keeps some, and no more than that', async () => {
  const { name } = await startServer();
  const client = await connectJson(name, 4);
  const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h'];
  await client.mset(keys.map((key, n) => [key, item(n)] as const));
  const before = keys.map((key) => client.getSync(key));
  const same = keys.filter((key, n) => client.getSync(key) === before[n]);
  expect(same.length).toBeGreaterThan(0);
  expect(same.length).toBeLessThanOrEqual(4);
});

test('of a codec of one’s own only what can be frozen through and through is kept', async () => {
  const { name } = await startServer();
  const kinds: Record<string, () => unknown> = {
    bytes: () => Buffer.from('value'),
    map: () => new Map([['a', 1]]),
    inside: () => ({ at: [new Date(0)] }),
    call: () => () => 1,
    computed: () => Object.defineProperty({}, 'at', { enumerable: true, get: () => ({ n: 1 }) }),
    plain: () => ({ list: [{ n: 1 }] }),
    'frozen outside': () => Object.freeze({ list: [{ n: 1 }] }),
    itself: () => {
      const value: { self?: object } = {};
      return Object.assign(value, { self: value });
    },
    text: () => 'text',
  };
  const codec: CustomCodec<unknown> = { encode: String, decode: (bytes) => kinds[bytes.toString()]() };
  const client = closing(await KvsClient.connect({ name, timeoutMs, codec, cacheEntries: 10 }));
  const kept: string[] = [];
  for (const kind of Object.keys(kinds)) {
    await client.set(kind, kind);
    const value = client.getSync(kind);
    if (typeof value !== 'function') expect(value).toEqual(kinds[kind]());
    if (value === client.getSync(kind)) kept.push(kind);
    else expect(Object.isFrozen(value)).toBe(false);
    if (kind === 'frozen outside') expect(Object.isFrozen((value as { list: unknown[] }).list[0])).toBe(true);
  }
  expect(kept).toEqual(['plain', 'frozen outside', 'itself', 'text']);
});

test('values nested more deeply than the stack is are frozen and kept', async () => {
  const { name } = await startServer();
  const depth = 100_000;
  const nested: CustomCodec<unknown> = {
    encode: String,
    decode: (bytes) => JSON.parse(`${'['.repeat(depth)}${bytes.toString()}${']'.repeat(depth)}`) as unknown,
  };
  const client = closing(await KvsClient.connect({ name, timeoutMs, codec: nested, cacheEntries: 10 }));
  await client.set('deep', 7);
  const value = client.getSync('deep');
  expect(client.getSync('deep') === value).toBe(true);
  let inner = value;
  for (let level = 0; level < depth; level++) {
    if (!Array.isArray(inner) || !Object.isFrozen(inner)) expect.fail(`level ${level} is not a frozen array`);
    inner = inner[0];
  }
  expect(inner).toBe(7);
});

test('a codec of the user’s sees whole values only, and may itself read', async () => {
  const { name } = await startServer({ workers: 1 });
  const clients: KvsClient[] = [];
  let torn = 0;
  const codec: CustomCodec<string> = {
    encode: (value) => value,
    decode(bytes) {
      const text = bytes.toString('latin1');
      if (!/^(.)\1*$/.test(text)) torn++;
      return text.startsWith('>') ? `>${clients[0].getSync('other')}` : text.slice(0, 1);
    },
  };
  const client = closing(await KvsClient.connect({ name, timeoutMs, codec, cacheEntries: 16 }));
  clients.push(client);
  await client.mset({ other: 'a', reference: '>', hot: 'x' });
  expect([client.getSync('reference'), await client.get('reference')]).toEqual(['>a', '>a']);
  await client.set('reference', 'b');
  expect([client.getSync('reference'), client.getEntrySync('reference')?.value]).toEqual(['b', 'b']);
  // And while it changes all the time.
  const letters = 'abcdefgh';
  const busy = await Peer.start('service/changer', JSON.stringify({ name, key: 'hot', letters, bytes: 20_000 }));
  await busy.tell('run');
  const seen = new Set<string>();
  for (let round = 0; round < 20_000 || !Array.from(letters).every((letter) => seen.has(letter)); round++)
    seen.add((await client.get('hot')) ?? '');
  await busy.tell('stop');
  expect(torn).toBe(0);
  expect([...seen].every((letter) => `x${letters}`.includes(letter))).toBe(true);
});
