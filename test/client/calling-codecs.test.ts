/**
 * Codecs of the user's own that call the client that they belong to, in the middle of its answers. Each answer is decoded
 * once, says what it said when it came, and leaves no slot behind.
 * Seen to fail when: the slot is given back after decoding; a call is settled after decoding; answers are settled in the
 * walk over what is in flight.
 */
import { expect, test } from 'vitest';

import { KvsError } from '#dist/index.js';

import { connect, openClient, shareServer } from '../fixtures/service.js';

const name = shareServer();
const COUNT = 12;
const keys = Array.from({ length: COUNT }, (_, i) => `ref ${i}`);

/** A client whose values may name another key in front of their text; what is under that is looked up. */
async function connectWithDictionary(reads: 'direct' | 'server') {
  let decoded = 0;
  let lookUp = (key: string): string | undefined => key;
  const codec = {
    encode: (value: string) => value,
    decode(bytes: Buffer): string {
      decoded++;
      const text = bytes.toString();
      const [key, rest] = text.split('>');
      return rest === undefined ? text : `${lookUp(key)} ${rest}`;
    },
  };
  const client = await openClient({ name, codec, reads });
  await client.flush();
  await client.set('dictionary', 'found');
  await client.mset(keys.map((key, i): [string, string] => [key, `dictionary>${i}`]));
  decoded = 0;
  return { client, decoded: () => decoded, onLookUp: (call: typeof lookUp) => void (lookUp = call) };
}

const found = keys.map((_, i) => `found ${i}`);

test.each(['direct', 'server'] as const)('a decode that reads, %s reads', async (reads) => {
  const { client, decoded, onLookUp } = await connectWithDictionary(reads);
  onLookUp((key) => client.getSync(key));
  const pending = client.set('dictionary', 'found');
  expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(found);
  expect(await pending).toBe(true);
  expect(await client.mget(keys)).toEqual(found);
  expect(client.mgetSync(keys)).toEqual(found);
  expect(keys.map((key) => client.getSync(key))).toEqual(found);
  // Each once, and what it looks up once.
  expect(decoded()).toBe(4 * 2 * COUNT);
  expect(await Promise.all(keys.map((key) => client.getdel(key)))).toEqual(found);
  expect(await client.mget(keys)).toEqual(keys.map(() => undefined));
  expect((await (await connect(name)).stats()).slots.inUse).toBe(1);
});

test('a decode that writes, and a version that is of the value read', async () => {
  const { client, onLookUp } = await connectWithDictionary('server');
  let writes = 0;
  onLookUp((key) => {
    for (let i = 0; i < 3; i++) client.setSync('written', `${++writes}`);
    return client.getSync(key);
  });
  const before = await Promise.all(keys.map((key) => client.getEntry(key)));
  const blocking = keys.map((key) => client.getEntrySync(key));
  expect(before).toEqual(blocking);
  onLookUp((key) => key);
  const versions = keys.map((key) => client.getEntrySync(key)?.version);
  expect(before.map((entry) => entry?.version)).toEqual(versions);
  expect(new Set(versions).size).toBe(COUNT);
  expect(writes).toBe(2 * 3 * COUNT);
  expect(await client.cas(keys[0], before[0]?.version ?? 0, 'swapped')).toBe(true);
});

test('a decode that aborts its own call, or closes the client, changes nothing of what has come', async () => {
  const { client, decoded, onLookUp } = await connectWithDictionary('server');
  const controller = new AbortController();
  onLookUp((key) => {
    controller.abort();
    return key;
  });
  expect(await client.get(keys[0], { signal: controller.signal })).toBe('dictionary 0');
  expect(decoded()).toBe(1);
  onLookUp((key) => {
    void client.close();
    return key;
  });
  const answers = keys.slice(1, 5).map((key) => client.get(key));
  expect(await Promise.all(answers)).toEqual([1, 2, 3, 4].map((i) => `dictionary ${i}`));
  await client.close();
  expect((await (await connect(name)).stats()).slots.inUse).toBe(1);
});

test('an encode that uses one buffer for all values', async () => {
  const shared = Buffer.alloc(4);
  const codec = {
    encode: (value: number) => (shared.writeInt32LE(value), shared),
    decode: (b: Buffer) => b.readInt32LE(),
  };
  const client = await openClient({ name, codec });
  const values = Array.from({ length: 100 }, (_, i): [string, number] => [`number ${i}`, i]);
  await client.mset(values);
  expect(await client.mget(values.map(([key]) => key))).toEqual(values.map(([, value]) => value));
  await Promise.all(values.map(([key, value]) => client.set(key, 2 * value)));
  expect(client.mgetSync(values.map(([key]) => key))).toEqual(values.map(([, value]) => 2 * value));
});

test('errors of another client that a decode lets through say nothing about its own', async () => {
  const { client, onLookUp } = await connectWithDictionary('server');
  onLookUp(() => {
    throw new KvsError('ERR_KVS_EXPELLED', 'of elsewhere');
  });
  await expect(client.get(keys[0])).rejects.toThrow('of elsewhere');
  expect(await client.get('dictionary')).toBe('found');
});

test('a decode that answers by a promise that is rejected leaves that to who waits', async () => {
  const unhandled: unknown[] = [];
  const note = (reason: unknown) => void unhandled.push(reason);
  process.on('unhandledRejection', note);
  const codec = { encode: (value: string) => value, decode: (): unknown => Promise.reject(new Error('later')) };
  const client = await openClient({ name, codec });
  await client.set('k', 'v');
  for (let i = 0; i < 600; i++) await expect(client.get('k')).rejects.toThrow('later');
  // They come after the microtasks of a turn.
  await new Promise(setImmediate);
  process.off('unhandledRejection', note);
  expect(unhandled).toEqual([]);
});
