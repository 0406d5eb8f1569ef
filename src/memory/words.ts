/**
 * Sole user of `Atomics`: 32-bit words shared between threads and processes, all sequentially consistent.
 * Word indices count 32-bit words from the start of the segment.
 */

export const load = (words: Int32Array, index: number): number => Atomics.load(words, index);

export const store = (words: Int32Array, index: number, value: number): void => {
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
