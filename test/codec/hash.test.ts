import * as fc from 'fast-check';
import { expect, test } from 'vitest';

import { hashWords } from '#dist/codec/hash.js';

const MASK = (1n << 32n) - 1n;
const rotate = (x: bigint, bits: bigint) => ((x << bits) | (x >> (32n - bits))) & MASK;

/** HalfSipHash as its paper describes it, in whole numbers: `c` rounds per word, `d` at the end, 8 key bytes. */
function halfSipHash(c: number, d: number, key: Buffer, message: Buffer): number {
  const k0 = BigInt(key.readUInt32LE(0));
  const k1 = BigInt(key.readUInt32LE(4));
  let v = [k0, k1, 0x6c796765n ^ k0, 0x74656462n ^ k1] as [bigint, bigint, bigint, bigint];
  const round = () => {
    let [a, b, x, y] = v;
    a = (a + b) & MASK;
    b = rotate(b, 5n) ^ a;
    a = rotate(a, 16n);
    x = (x + y) & MASK;
    y = rotate(y, 8n) ^ x;
    a = (a + y) & MASK;
    y = rotate(y, 7n) ^ a;
    x = (x + b) & MASK;
    b = rotate(b, 13n) ^ x;
    x = rotate(x, 16n);
    v = [a, b, x, y];
  };
  const padded = Buffer.concat([message, Buffer.alloc(3 - (message.length % 4)), Buffer.from([message.length & 0xff])]);
  for (let at = 0; at < padded.length; at += 4) {
    const m = BigInt(padded.readUInt32LE(at));
    v[3] ^= m;
    for (let i = 0; i < c; i++) round();
    v[0] ^= m;
  }
  v[2] ^= 0xffn;
  for (let i = 0; i < d; i++) round();
  return Number(v[1] ^ v[3]) | 0;
}

/** The same by the shipped code: the message is put at word `word` of garbage. */
function hash(message: Uint8Array, key: Buffer, word = 0): number {
  const words = new Int32Array(word + Math.ceil(message.length / 4) + 1).fill(-0x5a5a5a5b);
  new Uint8Array(words.buffer).set(message, word * 4);
  return hashWords(words, word, message.length, key.readInt32LE(0), key.readInt32LE(4));
}

const KEY = Buffer.from([0, 1, 2, 3, 4, 5, 6, 7]);
const counting = (length: number) => Buffer.from(Array.from({ length }, (_, i) => i));

test('the independent implementation gives the published vectors of HalfSipHash-2-4', () => {
  const published = ['a9359f5b', '27475ab8', 'fa62a603', '8afee704', '2a6e4689', 'c5fab669', '5863fc23'];
  const computed = published.map((_, length) => {
    const result = Buffer.alloc(4);
    result.writeInt32LE(halfSipHash(2, 4, KEY, counting(length)));
    return result.toString('hex');
  });
  expect(computed).toEqual(published);
});

test('every length up to a long key is hashed as HalfSipHash-1-3', () => {
  for (let length = 0; length <= 1024; length++) {
    expect(hash(counting(length), KEY), `length ${length}`).toBe(halfSipHash(1, 3, KEY, counting(length)));
  }
});

test('any message under any key is hashed as HalfSipHash-1-3, whatever lies around it', () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  const key = fc.uint8Array({ minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(bytes, key, fc.nat(9), (message, keyBytes, word) => {
      const seed = Buffer.from(keyBytes);
      expect(hash(message, seed, word)).toBe(halfSipHash(1, 3, seed, Buffer.from(message)));
    }),
  );
});

test('a trailing zero byte and another seed make another hash', () => {
  expect(hash(Buffer.from([1, 2]), KEY)).not.toBe(hash(Buffer.from([1, 2, 0]), KEY));
  expect(hash(Buffer.from([1, 2]), KEY)).not.toBe(hash(Buffer.from([1, 2]), Buffer.from([1, 1, 2, 3, 4, 5, 6, 7])));
});
