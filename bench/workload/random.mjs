/** Random numbers that can be repeated, and key numbers drawn with them. */

/**
 * mulberry32: numbers from 0 up to 1.
 * @param {number} seed
 */
export function randomFrom(seed) {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * @param {number} count of keys
 * @param {() => number} random
 */
export const uniform = (count, random) => () => Math.floor(random() * count);

/**
 * Zipfian, exponent 0.99, by the method of J. Gray et al., "Quickly Generating Billion-Record Synthetic Databases"
 * (1994), as YCSB draws its keys; the popular ones are spread over the key space.
 * @param {number} count of keys
 * @param {() => number} random
 */
export function zipfian(count, random) {
  const theta = 0.99;
  const alpha = 1 / (1 - theta);
  let zeta = 0;
  for (let rank = 1; rank <= count; rank++) zeta += rank ** -theta;
  const zetaOfTwo = 1 + 2 ** -theta;
  const eta = (1 - (2 / count) ** (1 - theta)) / (1 - zetaOfTwo / zeta);
  const rankOf = (/** @type {number} */ u) => {
    const uz = u * zeta;
    if (uz < 1) return 0;
    if (uz < zetaOfTwo) return 1;
    return Math.min(count - 1, Math.floor(count * (eta * u - eta + 1) ** alpha));
  };
  const keyOfRank = shuffled(count);
  return () => keyOfRank[rankOf(random())];
}

/** The same for all processes: they must share their popular keys. @param {number} count */
function shuffled(count) {
  const random = randomFrom(42);
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    const moved = order[i];
    order[i] = order[j];
    order[j] = moved;
  }
  return order;
}
