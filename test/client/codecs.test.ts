/** Values come back as they went in, and a codec that did not write a value says so or gives the bytes. */
import { expect, test } from 'vitest';

import type { CodecName, CustomCodec, KvsClient } from '#dist/index.js';

import { failureOf, openClient, shareServer } from '../fixtures/service.js';

const name = shareServer();
const NAMES: CodecName[] = ['utf8', 'buffer', 'json', 'int32', 'float64'];

const bigints: CustomCodec<bigint> = {
  encode: (value) => value.toString(),
  decode: (bytes) => BigInt(bytes.toString()),
};

const connectAs = (codec: CodecName | CustomCodec<unknown>, reads: 'direct' | 'server') =>
  openClient({ name, codec: codec as 'json', reads });

const VALUES: Record<CodecName, readonly unknown[]> = {
  utf8: ['', 'a', 'ASCII', 'é', 'žluťoučký kůň', '日本語', '🙂🙃', '\0', 'a\0b', '\uFEFFbom', '\u{10FFFF}'],
  buffer: [Buffer.alloc(0), Buffer.from([0]), Buffer.from([0xff, 0xfe, 0xc0, 0x80]), Buffer.from('text')],
  json: [null, true, 0, -1.5, '', 'é', [], {}, { a: [1, { b: null }] }, '\ud800', ['\udfff', 'ok']],
  int32: [0, 1, -1, 2 ** 31 - 1, -(2 ** 31)],
  float64: [0, -0, 1.5, -1e308, 5e-324, Infinity, -Infinity, Number.NaN, Number.MAX_SAFE_INTEGER],
};

test.each(NAMES.flatMap((codec) => (['server', 'direct'] as const).map((reads) => ({ codec, reads }))))(
  '$codec values come back, $reads reads',
  async ({ codec, reads }) => {
    const client = await connectAs(codec, reads);
    for (const value of VALUES[codec]) {
      await client.set('k', value);
      expect(await client.get('k')).toEqual(value);
      expect(client.getSync('k')).toEqual(value);
      expect((await client.getEntry('k'))?.value).toEqual(value);
      expect(await client.mget(['k'])).toEqual([value]);
      expect(await client.getdel('k')).toEqual(value);
    }
    const entries: [string, unknown][] = VALUES[codec].map((value, i) => [`k${i}`, value]);
    await client.mset(entries);
    expect(client.mgetSync(entries.map(([key]) => key))).toEqual(entries.map(([, value]) => value));
  },
);

test('getdel removes nothing that its client cannot read', async () => {
  const RAW = Buffer.from([0xff, 0xfe]);
  const WRITERS: [CodecName, unknown, CodecName[]][] = [
    ['utf8', '17', ['utf8', 'buffer']],
    ['buffer', Buffer.from('text'), ['utf8', 'buffer']],
    ['buffer', RAW, ['buffer']],
    ['json', [17], ['json', 'buffer']],
    ['int32', 17, ['int32', 'buffer']],
    ['float64', 17.5, ['float64', 'buffer']],
  ];
  const clients = new Map<CodecName, KvsClient<unknown>>();
  for (const codec of NAMES) clients.set(codec, await connectAs(codec, 'direct'));
  const custom = await connectAs({ encode: () => '', decode: () => 'decoded' }, 'direct');
  for (const [writer, value, readers] of WRITERS) {
    await clients.get(writer)?.set('taken', value);
    for (const [reader, client] of [...clients, ['custom', custom]] as const) {
      if (readers.some((each) => each === reader)) continue;
      const failure = await failureOf(client.getdel('taken'));
      expect(failure, `${writer} for ${reader}`).toMatchObject({ code: 'ERR_KVS_CODEC', executed: 'no' });
      expect(failure.message).toContain("nothing was removed: connect with the codec that wrote it, or with 'buffer'");
      expect(await clients.get(writer)?.get('taken')).toEqual(value);
    }
    for (const reader of readers) {
      await clients.get(writer)?.set('taken', value);
      expect(await clients.get(reader)?.getdel('taken'), `${writer} for ${reader}`).toBeDefined();
      expect(await custom.exists('taken')).toBe(false);
    }
  }
});

test('a codec of one’s own encodes to text or bytes and gets its own bytes back', async () => {
  const client = await openClient({ name, codec: bigints });
  await client.set('big', 2n ** 200n);
  expect(await client.get('big')).toBe(2n ** 200n);
  const swapped = {
    encode: (value: Buffer) => Buffer.from(value).swap16(),
    decode: (bytes: Buffer) => bytes.swap16(),
  };
  const another = await openClient({ name, codec: swapped });
  await another.set('bytes', Buffer.from([1, 2, 3, 4]));
  expect(await another.get('bytes')).toEqual(Buffer.from([1, 2, 3, 4]));
  // The copy is the caller's own: swapping it in place has not touched the store.
  expect(another.getSync('bytes')).toEqual(Buffer.from([1, 2, 3, 4]));
});

test('what a codec of one’s own throws comes through, and nothing is stored', async () => {
  const codec: CustomCodec<string> = {
    encode: (value) => {
      if (value === 'bad') throw new RangeError('cannot encode that');
      return value;
    },
    decode: () => {
      throw new RangeError('cannot decode that');
    },
  };
  const client = await openClient({ name, codec });
  await client.flush();
  await expect(client.set('k', 'bad')).rejects.toThrow('cannot encode that');
  expect(() => client.setSync('k', 'bad')).toThrow('cannot encode that');
  expect(() => client.submit('set', 'k', 'bad')).toThrow('cannot encode that');
  expect(await client.exists('k')).toBe(false);
  await client.set('k', 'good');
  await expect(client.get('k')).rejects.toThrow('cannot decode that');
  expect(() => client.getSync('k')).toThrow('cannot decode that');
  await expect(client.submit('get', 'k').wait()).rejects.toThrow('cannot decode that');
  await expect(client.mget(['k', 'missing'])).rejects.toThrow('cannot decode that');
  expect(await client.exists('k')).toBe(true);
  expect((await client.stats()).slots.inUse).toBe(1);
});

const WRITERS: Record<string, { codec: CodecName | CustomCodec<unknown>; value: unknown; bytes: Buffer }> = {
  utf8: { codec: 'utf8', value: 'ab', bytes: Buffer.from('ab') },
  buffer: { codec: 'buffer', value: Buffer.from([0xff, 0x00]), bytes: Buffer.from([0xff, 0x00]) },
  json: { codec: 'json', value: { a: 1 }, bytes: Buffer.from('{"a":1}') },
  int32: { codec: 'int32', value: 258, bytes: Buffer.from([2, 1, 0, 0]) },
  float64: { codec: 'float64', value: 1, bytes: Buffer.from([0, 0, 0, 0, 0, 0, 0xf0, 0x3f]) },
  custom: { codec: bigints, value: 12n, bytes: Buffer.from('12') },
};

test.each(
  Object.keys(WRITERS).flatMap((writer) => (['server', 'direct'] as const).map((reads) => ({ writer, reads }))),
)('what $writer wrote is an error or the bytes to other codecs, $reads reads', async ({ writer, reads }) => {
  const { codec, value, bytes } = WRITERS[writer];
  await (await connectAs(codec, reads)).set('k', value);
  for (const [reader, { codec: other }] of Object.entries(WRITERS)) {
    if (reader === writer) continue;
    const client = await connectAs(other, reads);
    if (reader === 'buffer') {
      expect(client.getSync('k')).toEqual(bytes);
      expect(await client.get('k')).toEqual(bytes);
      continue;
    }
    for (const failure of [await failureOf(client.get('k')), await failureOf(() => client.getSync('k'))]) {
      expect(failure, `${reader} reads ${writer}`).toMatchObject({ code: 'ERR_KVS_CODEC' });
      expect(failure.message).toMatch(/buffer/);
    }
    expect((await failureOf(client.mget(['missing', 'k']))).code).toBe('ERR_KVS_CODEC');
    expect(client.existsSync('k')).toBe(true);
  }
});

test('raw bytes that are UTF-8 are text', async () => {
  await (await connectAs('buffer', 'server')).set('k', Buffer.from('čau'));
  expect(await (await connectAs('utf8', 'server')).get('k')).toBe('čau');
});

test('a value that a codec does not take is refused with what it takes and what it got', async () => {
  const cases: [CodecName, unknown, RegExp][] = [
    ['utf8', 1, /utf8 takes a string, got number 1/],
    ['utf8', '\ud800', /well-formed.*lone surrogate/],
    ['buffer', 'text', /buffer takes a Uint8Array, got string "text"/],
    ['json', undefined, /json takes what JSON can say, got undefined/],
    ['int32', 1.5, /int32 takes int32, got number 1.5/],
    ['int32', 2 ** 31, /int32 takes int32, got number 2147483648/],
    ['float64', '1', /float64 takes float64, got string "1"/],
  ];
  for (const [codec, value, message] of cases) {
    const client = await connectAs(codec, 'server');
    await expect(client.set('k', value)).rejects.toThrow(message);
    expect(() => client.setSync('k', value)).toThrow(TypeError);
    expect(() => client.submit('set', 'k', value)).toThrow(TypeError);
    await expect(client.mset([['k', value]])).rejects.toThrow(message);
  }
});
