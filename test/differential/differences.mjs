/**
 * Where the two answer differently, and are meant to: all else that differs is a fault. docs/REDIS.md tells each by its name.
 * `cases`: commands that show it; each run begins with them, so that no entry outlives the difference.
 */

/** `refused` stands for every error. @typedef {null | string | number | boolean | (string | null)[]} Answer */

/**
 * One command, what the key it is about held before, and both answers.
 * @typedef {object} Exchange
 * @property {string} name
 * @property {readonly (string | number)[]} args
 * @property {string | null} before
 * @property {Answer} redis
 * @property {Answer} ours
 */

/**
 * @typedef {object} Difference
 * @property {string} name
 * @property {(exchange: Exchange) => boolean} explains
 * @property {(readonly [name: string, ...args: (string | number)[]])[]} cases
 */

/** What Redis takes for a whole number. */
const WHOLE = /^(?:0|-?[1-9]\d*)$/;
/** What we take for a number. */
const DECIMAL = /^-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?$/;
const CENTURY_MS = 3_155_760_000_000;
const LONG_KEY = 'k'.repeat(1025);

/** @param {Exchange} exchange */
const onlyOursRefuses = ({ redis, ours }) => ours === 'refused' && redis !== 'refused';
/** @param {Exchange} exchange */
const onlyRedisRefuses = ({ redis, ours }) => redis === 'refused' && ours !== 'refused';
/** @param {Answer} answer */
const numberOf = (answer) => (typeof answer === 'string' ? Number(answer) : Number.NaN);

/** @type {readonly Difference[]} */
export const DIFFERENCES = [
  {
    name: 'incr-form',
    explains: (exchange) =>
      exchange.name === 'INCRBY' &&
      onlyRedisRefuses(exchange) &&
      exchange.before !== null &&
      DECIMAL.test(exchange.before) &&
      !WHOLE.test(exchange.before),
    cases: [
      ['SET', 'n', '01'],
      ['INCRBY', 'n', 1],
      ['SET', 'n', '1.5'],
      ['INCRBY', 'n', 1],
      ['SET', 'n', '1e3'],
      ['INCRBY', 'n', 1],
    ],
  },
  {
    name: 'incr-range',
    explains: (exchange) =>
      exchange.name.startsWith('INCRBY') &&
      Number.isInteger(exchange.args[1]) &&
      onlyOursRefuses(exchange) &&
      [exchange.redis, exchange.before].some((number) => Math.abs(Number(number)) > Number.MAX_SAFE_INTEGER),
    cases: [
      ['SET', 'n', '9007199254740991'],
      ['INCRBY', 'n', 1],
      ['INCRBYFLOAT', 'n', 125],
      ['SET', 'n', '9007199254740993'],
      ['INCRBY', 'n', -10],
    ],
  },
  {
    name: 'float-digits',
    explains: ({ name, redis, ours }) => {
      const [theirs, sum] = [numberOf(redis), numberOf(ours)];
      return name === 'INCRBYFLOAT' && Math.abs(theirs - sum) <= 1e-12 * Math.max(1, Math.abs(sum));
    },
    cases: [
      ['SET', 'n', '0.1'],
      ['INCRBYFLOAT', 'n', 0.2],
      ['SET', 'n', '1e20'],
      ['INCRBYFLOAT', 'n', 0.5],
    ],
  },
  {
    name: 'float-form',
    explains: (exchange) =>
      exchange.name === 'INCRBYFLOAT' &&
      onlyOursRefuses(exchange) &&
      exchange.before !== null &&
      !DECIMAL.test(exchange.before),
    cases: [
      ['SET', 'n', '+1'],
      ['INCRBYFLOAT', 'n', 1],
      ['SET', 'n', '.5'],
      ['INCRBYFLOAT', 'n', 1],
    ],
  },
  {
    name: 'key-length',
    explains: (exchange) =>
      onlyOursRefuses(exchange) && (exchange.args[0] === '' || String(exchange.args[0]).length > 1024),
    cases: [
      ['SET', '', 'v'],
      ['GET', ''],
      ['SET', LONG_KEY, 'v'],
      ['DEL', LONG_KEY],
    ],
  },
  {
    name: 'value-length',
    explains: (exchange) => onlyOursRefuses(exchange) && String(exchange.args[1]).length > 2 ** 17,
    cases: [['SET', 'n', 'v'.repeat(2 ** 18)]],
  },
  {
    name: 'no-keys',
    explains: (exchange) => onlyRedisRefuses(exchange) && exchange.args.length === 0,
    cases: [['MGET'], ['MSET'], ['DEL']],
  },
  {
    name: 'ttl-not-positive',
    explains: (exchange) => exchange.name === 'PEXPIRE' && onlyOursRefuses(exchange) && Number(exchange.args[1]) <= 0,
    cases: [
      ['SET', 'n', 'v'],
      ['PEXPIRE', 'n', 0],
      ['SET', 'n', 'v'],
      ['PEXPIRE', 'n', -5],
    ],
  },
  {
    name: 'moment-zero',
    explains: (exchange) =>
      exchange.name === 'SET' && onlyRedisRefuses(exchange) && exchange.args[2] === 'PXAT' && exchange.args[3] === 0,
    cases: [['SET', 'n', 'v', 'PXAT', 0]],
  },
  {
    name: 'ttl-fraction',
    explains: (exchange) => onlyRedisRefuses(exchange) && exchange.args.some((word) => Number(word) % 1 !== 0),
    cases: [
      ['SET', 'n', 'v', 'PX', 1000.5],
      ['PEXPIRE', 'n', 1000.5],
    ],
  },
  {
    name: 'ttl-range',
    explains: (exchange) => onlyOursRefuses(exchange) && exchange.args.some((word) => Number(word) > CENTURY_MS),
    cases: [
      ['SET', 'n', 'v', 'PX', CENTURY_MS + 1],
      ['SET', 'n', 'v'],
      ['PEXPIRE', 'n', CENTURY_MS + 1],
    ],
  },
];
