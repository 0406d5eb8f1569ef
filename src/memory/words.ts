/**
 * Sole user of `Atomics`: 32-bit words shared between threads and processes. Word indices count 32-bit words from the
 * start of the segment. Read-modify-writes are sequentially consistent and full fences; a load is an acquire, a store a
 * release. Where a store must be seen before a later load (I announce, then I look), a read-modify-write stands in
 * between. On x64 loads and stores are plain ones, which that processor keeps in order (docs/adr/0009);
 * what the addon copies past the caches it fences by itself.
 */

/** x64 keeps loads in order, and stores; only a store may be passed by a later load. */
const KEEPS_ORDER = process.arch === 'x64';

export const load: (words: Int32Array, index: number) => number = KEEPS_ORDER
  ? (words, index) => words[index]
  : (words, index) => Atomics.load(words, index);

export const store: (words: Int32Array, index: number, value: number) => void = KEEPS_ORDER
  ? (words, index, value) => {
      words[index] = value;
    }
  : (words, index, value) => {
      Atomics.store(words, index, value);
    };

/** Compare-and-swap. @returns whether the word held `expected` and now holds `value` */
export const cas = (words: Int32Array, index: number, expected: number, value: number): boolean =>
  Atomics.compareExchange(words, index, expected, value) === expected;

/** @returns the word before the addition (wraps at 32 bits) */
export const add = (words: Int32Array, index: number, value: number): number => Atomics.add(words, index, value);

/** @returns the word before the exchange */
export const exchange = (words: Int32Array, index: number, value: number): number =>
  Atomics.exchange(words, index, value);

/** Sets bits. @returns the word before */
export const setBits = (words: Int32Array, index: number, bits: number): number => Atomics.or(words, index, bits);

/** Clears bits. @returns the word before */
export const clearBits = (words: Int32Array, index: number, bits: number): number => Atomics.and(words, index, ~bits);
