/** Random commands on a few keys. */

/** @typedef {(below: number) => number} Random */

/** Bytes of every kind, and keys of two prefixes. */
export const KEYS = ['a:', 'b:'].flatMap((prefix) => Array.from({ length: 12 }, (_, index) => `${prefix}${index}`));
const NUMBERS = ['0', '7', '-12', '1000000', '9007199254740991', '2.5', '01', '1e2', '+3', 'abc', '', ' 1'];
const MINUTE = 60_000;

/** @param {Random} random */
function value(random) {
  if (random(2) === 0) return NUMBERS[random(NUMBERS.length)] ?? '';
  return Array.from({ length: random(2000) }, () => String.fromCharCode(random(256))).join('');
}

/** Far from now, on either side. @param {Random} random @returns {(string | number)[]} */
function expiry(random) {
  const farMs = 10 * MINUTE + random(60 * MINUTE);
  switch (random(6)) {
    case 0:
      return ['PX', farMs];
    case 1:
      return ['PXAT', Date.now() + farMs];
    case 2:
      return ['PXAT', Date.now() - farMs];
    default:
      return [];
  }
}

/** @param {Random} random @returns {[string, ...(string | number)[]]} */
export function drawCommand(random) {
  const key = () => KEYS[random(KEYS.length)] ?? '';
  const some = () => Array.from({ length: 1 + random(6) }, key);
  switch (random(22)) {
    case 0:
    case 1:
      return ['SET', key(), value(random)];
    case 2:
    case 3:
      return ['SET', key(), value(random), ...expiry(random)];
    case 4:
    case 5:
      return ['SET', key(), value(random), 'NX', ...expiry(random)];
    case 6:
      return ['SET', key(), value(random), 'KEEPTTL'];
    case 7:
      return ['GETDEL', key()];
    case 8:
      // Ours counts a key once for each time it is named, as Redis does: the second time it is gone.
      return ['DEL', ...some()];
    case 9:
      return ['EXISTS', key()];
    case 10:
    case 11:
      return ['INCRBY', key(), random(2001) - 1000];
    case 12:
      return ['INCRBYFLOAT', key(), (random(2001) - 1000) / 8];
    case 13:
      return ['PEXPIRE', key(), 10 * MINUTE + random(60 * MINUTE)];
    case 14:
      return ['PEXPIREAT', key(), Date.now() + (random(3) - 1 || 1) * (10 * MINUTE + random(60 * MINUTE))];
    case 15:
    case 16:
      return ['PERSIST', key()];
    case 17:
      return ['MSET', ...some().flatMap((name) => [name, value(random)])];
    case 18:
    case 19:
      return ['MGET', ...some()];
    case 20:
      return random(20) === 0 ? ['FLUSHALL'] : ['GET', key()];
    default:
      return ['GET', key()];
  }
}
