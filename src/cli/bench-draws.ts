/** Which key comes next: at random, the same numbers for the same seed. */

/** Keys that the zipfian draws among, at most: to add up the shares of more takes its time. */
const MAX_ZIPFIAN = 1_000_000;
const THETA = 0.99;

/** Numbers from 0 up to 1: xorshift32 (G. Marsaglia, "Xorshift RNGs", 2003). */
export function randomFrom(seed: number): () => number {
  let state = Math.imul(seed + 1, 0x9e3779b1) | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/**
 * Zipfian, exponent 0.99, by the method of J. Gray et al., "Quickly Generating Billion-Record Synthetic Databases" (1994);
 * the popular ones are spread over the keys, and the same for everyone.
 */
export function zipfian(count: number, random: () => number): () => number {
  const ranks = Math.min(count, MAX_ZIPFIAN);
  let zeta = 0;
  for (let rank = 1; rank <= ranks; rank++) zeta += rank ** -THETA;
  const zetaOfTwo = 1 + 2 ** -THETA;
  const eta = (1 - (2 / ranks) ** (1 - THETA)) / (1 - zetaOfTwo / zeta);
  const rankOf = (u: number): number => {
    const uz = u * zeta;
    if (uz < 1) return 0;
    if (uz < zetaOfTwo) return 1;
    return Math.min(ranks - 1, Math.floor(ranks * (eta * u - eta + 1) ** (1 / (1 - THETA))));
  };
  return () => (Math.imul(rankOf(random()) + 1, 0x9e3779b1) >>> 0) % count;
}
