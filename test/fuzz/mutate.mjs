/** Inputs from inputs. */

/** @typedef {(below: number) => number} Random */

const MAX_BYTES = 1200;
/** Lengths, references and states that decoders have seams at. */
const SEAMS = [
  0,
  1,
  -1,
  2,
  3,
  4,
  5,
  8,
  13,
  14,
  15,
  16,
  64,
  255,
  256,
  959,
  960,
  961,
  1024,
  1025,
  4095,
  4096,
  4097,
  8191,
  8192,
  65_535,
  65_536,
  2 ** 28,
  2 ** 29,
  2 ** 30,
  2 ** 31 - 1,
  -(2 ** 31),
];

/** @param {Random} random @param {readonly Buffer[]} corpus @returns {Buffer} */
export function mutate(random, corpus) {
  /** @type {Buffer} */
  let input = Buffer.from(pick(random, corpus));
  for (let changes = 1 << random(5); changes > 0; changes--) input = change(random, input, corpus);
  return input.subarray(0, MAX_BYTES);
}

/** @template T @param {Random} random @param {readonly T[]} from @returns {T} */
const pick = (random, from) => from[random(from.length)];

/** @param {Random} random @param {Buffer} input @param {readonly Buffer[]} corpus @returns {Buffer} */
function change(random, input, corpus) {
  if (input.length < 8) return Buffer.concat([input, Buffer.from(Array.from({ length: 8 }, () => random(256)))]);
  const at = random(input.length);
  const word = Math.min(at & ~3, (input.length & ~3) - 4);
  switch (random(9)) {
    case 0:
      input[at] = random(256);
      break;
    case 1:
      input[at] ^= 1 << random(8);
      break;
    case 2:
      input.writeInt32LE(pick(random, SEAMS), word);
      break;
    case 3:
      input.writeInt32LE((input.readInt32LE(word) + random(17) - 8) | 0, word);
      break;
    case 4:
      input.writeInt32LE(input.readInt32LE(random(input.length >> 2) * 4), word);
      break;
    case 5: {
      const other = pick(random, corpus);
      const from = random(other.length + 1) & ~3;
      return Buffer.concat([input.subarray(0, word), other.subarray(from)]);
    }
    case 6: {
      const length = 4 * (1 + random(8));
      return Buffer.concat([input.subarray(0, word), input.subarray(word + length)]);
    }
    case 7: {
      const from = random(input.length) & ~3;
      return Buffer.concat([input.subarray(0, word), input.subarray(from, from + 64), input.subarray(word)]);
    }
    default:
      input.writeInt32LE(random(64), word);
  }
  return input;
}
