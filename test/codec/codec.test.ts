import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { type Codec, type CodecName, codecNameOf, CodecTag, resolveCodec, withoutFlags } from '#dist/codec/codec.js';
import { tagOf, writeData } from '#dist/codec/batch.js';
import { ASCII_FLAG } from '#dist/codec/text.js';
import { viewsOf } from '#dist/memory/segment.js';

const NAMES: CodecName[] = ['utf8', 'buffer', 'json', 'int32', 'float64'];
const START = 4;

/** What the store would keep of a value: bytes in shared memory with garbage around, and a tag. */
function stored<T>(codec: Codec<T>, value: T) {
  const encoded = codec.encode(value);
  const views = viewsOf(new SharedArrayBuffer(4096));
  const source = views.bytes.fill(0xee);
  const bytes = writeData(views, START, encoded, false);
  return { source, end: START + bytes, tag: tagOf(codec.tag, encoded, bytes) };
}

function roundTrip<T>(codec: Codec<T>, value: T): T {
  const { source, end, tag } = stored(codec, value);
  return codec.decode(source, START, end, tag);
}

const codecError = (message: string): unknown =>
  expect.objectContaining({ name: 'KvsError', code: 'ERR_KVS_CODEC', message });

describe('round trips', () => {
  test('utf8 gives back any text', () => {
    const codec = resolveCodec('utf8') as unknown as Codec<string>;
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (value) => {
        expect(roundTrip(codec, value)).toBe(value);
      }),
    );
  });

  test('buffer gives back any bytes, in memory of their own', () => {
    const codec = resolveCodec('buffer') as unknown as Codec<Buffer>;
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (value) => {
        const decoded = roundTrip(codec, Buffer.from(value));
        expect(decoded.equals(value)).toBe(true);
        expect(decoded.buffer).not.toBeInstanceOf(SharedArrayBuffer);
      }),
    );
  });

  test('json gives back what JSON can say', () => {
    const codec = resolveCodec('json');
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 3 }), (value) => {
        expect(roundTrip(codec, value)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
    expect(roundTrip(codec, ['\ud800', null, { a: -0 }])).toEqual(['\ud800', null, { a: 0 }]);
  });

  test('int32 gives back every 32-bit integer', () => {
    const codec = resolveCodec('int32') as unknown as Codec<number>;
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (value) => {
        expect(roundTrip(codec, value)).toBe(value);
      }),
    );
  });

  test('float64 gives back every number, also -0, NaN and infinities', () => {
    const codec = resolveCodec('float64') as unknown as Codec<number>;
    fc.assert(
      fc.property(fc.double(), (value) => {
        expect(roundTrip(codec, value)).toBe(value);
      }),
    );
    for (const value of [-0, NaN, Infinity, -Infinity, 5e-324]) expect(roundTrip(codec, value)).toBe(value);
  });

  test('a custom codec sees its own bytes, in memory of their own', () => {
    const codec = resolveCodec<Date>({
      encode: (date) => date.toISOString(),
      decode(bytes) {
        expect(bytes.buffer).not.toBeInstanceOf(SharedArrayBuffer);
        return new Date(bytes.toString());
      },
    });
    const date = new Date(1_700_000_000_123);
    expect(roundTrip(codec, date)).toEqual(date);
    const bits = resolveCodec<number[]>({ encode: (value) => Uint8Array.from(value), decode: (bytes) => [...bytes] });
    expect(roundTrip(bits, [1, 2, 255])).toEqual([1, 2, 255]);
  });
});

describe('a value of another codec', () => {
  const custom = resolveCodec<string>({ encode: (value) => value, decode: String });
  const values: [string, Codec<unknown>, unknown][] = [
    ...NAMES.map((name): [string, Codec<unknown>, unknown] => [
      name,
      resolveCodec(name),
      { utf8: 'é', buffer: Buffer.from([0xff]), json: { é: 1 }, int32: 1, float64: 1.5 }[name],
    ]),
    ['custom', custom, 'x'],
  ];
  const pairs = values.flatMap(([writer, codec, value]) =>
    [...NAMES, 'custom'].map((reader) => [writer, reader, codec, value] as const),
  );

  test.each(
    pairs.filter(
      ([writer, reader]) => writer !== reader && reader !== 'buffer' && !(writer === 'buffer' && reader === 'utf8'),
    ),
  )('%s is refused by %s with ERR_KVS_CODEC and which codec to use', (writer, reader, codec, value) => {
    const { source, end, tag } = stored(codec, value);
    const target = reader === 'custom' ? custom : resolveCodec(reader as CodecName);
    const advice =
      writer === 'custom' ? "read it with codec 'buffer'" : `connect with codec '${writer}', or 'buffer' for the bytes`;
    expect(() => target.decode(source, START, end, tag)).toThrow(
      codecError(`the value was written by codec ${writer}, this client reads ${reader}: ${advice}`),
    );
  });

  test.each(values)('%s is read by buffer as its bytes', (_, codec, value) => {
    const { source, end, tag } = stored(codec, value);
    const bytes = (resolveCodec('buffer') as unknown as Codec<Buffer>).decode(source, START, end, tag);
    expect(bytes.equals(source.subarray(START, end))).toBe(true);
  });

  test('raw bytes are read by utf8 when they are UTF-8, with their byte order mark, and refused otherwise', () => {
    const utf8 = resolveCodec('utf8');
    const buffer = resolveCodec('buffer') as unknown as Codec<Buffer>;
    const read = (bytes: Buffer) => {
      const { source, end, tag } = stored(buffer, bytes);
      return utf8.decode(source, START, end, tag);
    };
    expect(read(Buffer.from('\ufeffgrün'))).toBe('\ufeffgrün');
    expect(() => read(Buffer.from([0xc3, 0x28]))).toThrow(
      codecError("the value was written as raw bytes that are not UTF-8: read it with codec 'buffer'"),
    );
  });

  test('a tag of nobody’s is refused', () => {
    for (const name of ['json', 'int32', 'float64', 'utf8'] as const) {
      expect(() => resolveCodec(name).decode(Buffer.alloc(16), 0, 8, 13)).toThrow(
        codecError(
          `the value was written by codec unknown (13), this client reads ${name}: read it with codec 'buffer'`,
        ),
      );
    }
  });

  test('numbers of a wrong length and text that is no JSON are refused', () => {
    expect(() => resolveCodec('int32').decode(Buffer.alloc(16), 0, 5, CodecTag.int32)).toThrow(
      codecError('the value is marked as int32 but has 5 bytes instead of 4'),
    );
    expect(() => resolveCodec('float64').decode(Buffer.alloc(16), 0, 4, CodecTag.float64)).toThrow(
      codecError('the value is marked as float64 but has 4 bytes instead of 8'),
    );
    expect(() => resolveCodec('json').decode(Buffer.from('{"a":'), 0, 5, CodecTag.json)).toThrow(
      codecError('the value is marked as JSON but does not parse'),
    );
  });
});

describe('a value that a codec does not take', () => {
  test.each<[CodecName, unknown, string]>([
    ['utf8', 5, 'codec utf8 takes a string, got number 5'],
    ['utf8', '\ud800', 'value must be well-formed text, got a lone surrogate: use the buffer codec for raw bytes'],
    ['buffer', 'text', 'codec buffer takes a Uint8Array, got string "text"'],
    ['buffer', [1], 'codec buffer takes a Uint8Array, got Array'],
    ['json', undefined, 'codec json takes what JSON can say, got undefined'],
    ['json', () => 1, 'codec json takes what JSON can say, got function'],
    ['int32', 1.5, 'codec int32 takes int32, got number 1.5'],
    ['int32', 2 ** 31, 'codec int32 takes int32, got number 2147483648'],
    ['int32', NaN, 'codec int32 takes int32, got number NaN'],
    ['int32', '1', 'codec int32 takes int32, got string "1"'],
    ['float64', 1n, 'codec float64 takes float64, got bigint'],
  ])('%s refuses it with what it expected and got (%#)', (name, value, message) => {
    expect(() => resolveCodec<unknown>(name).encode(value)).toThrow(new TypeError(message));
  });

  test('what a custom codec encodes to is checked', () => {
    const returning = (value: unknown) => resolveCodec({ encode: () => value as string, decode: String });
    expect(() => returning(5).encode('')).toThrow(
      'encode of a custom codec returns a string or a Uint8Array, got number 5',
    );
    expect(() => returning('\udfff').encode('')).toThrow('encoded value must be well-formed text');
  });
});

describe('resolveCodec', () => {
  test.each([undefined, null, 'msgpack', 'toString', {}, { encode: () => '' }, 7])('%j is no codec', (codec) => {
    expect(() => resolveCodec(codec as unknown as CodecName)).toThrow(
      /^codec must be one of utf8, buffer, json, int32, float64 or \{ encode, decode \}, got /,
    );
  });

  test('tags name their codec, with or without flags', () => {
    expect(NAMES.map((name) => codecNameOf(resolveCodec(name).tag | ASCII_FLAG))).toEqual(NAMES);
    expect(codecNameOf(CodecTag.custom)).toBe('custom');
    expect(codecNameOf(15)).toBeUndefined();
    expect(withoutFlags(CodecTag.json | ASCII_FLAG)).toBe(CodecTag.json);
  });
});
