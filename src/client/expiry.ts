/**
 * When what a client writes expires: checked, and turned into a moment of the host's clock, once, when the operation is
 * issued. However long it then waits, and whatever becomes of the wall clock, it is that moment that counts.
 */
import { kindOf } from '../errors.js';
import { hostMs, hostMsOfWall } from '../memory/clock.js';
import { KEEP_EXPIRY } from '../memory/layout.js';
import type { CallOptions } from './options.js';

/** When a key expires: from the first moment on at which it has, it is absent. At most one of the two. */
export interface ExpiryOptions {
  /** In so many milliseconds from now; more than 0, at most 100 years. */
  readonly ttlMs?: number | undefined;
  /** At that time, in milliseconds of the wall clock as it goes now, or as a Date. One that has passed: at once. */
  readonly expiresAt?: number | Date | undefined;
}

/** Options of calls that insert only. */
export interface PostOptions extends CallOptions, ExpiryOptions {}

/** Options of calls that write values. Without any of the three, what is written does not expire. */
export interface WriteOptions extends CallOptions, ExpiryOptions {
  /** What is written expires when what it replaces would have. Default false. */
  readonly keepTtl?: boolean | undefined;
}

/** A hundred years: what is meant to stay for longer does not expire. */
export const MAX_TTL_MS = 3_155_760_000_000;
/** What has passed has passed. */
const LONG_AGO = 1;

const NAMES: readonly string[] = ['timeoutMs', 'signal', 'ttlMs', 'expiresAt', 'keepTtl'];

/** What is misspelt here would make a value stay for good. */
function checkNames(options: object): void {
  for (const name of Object.keys(options)) {
    if (!NAMES.includes(name)) throw new TypeError(`options may have ${NAMES.join(', ')}, got ${name}`);
  }
}

/** @returns what a request says in Slot.expiresAt. @throws TypeError, RangeError */
export function expiryOf(options: WriteOptions | undefined): number {
  if (options === undefined) return 0;
  checkNames(options);
  const { ttlMs, expiresAt, keepTtl } = options;
  if (keepTtl !== undefined && typeof keepTtl !== 'boolean') {
    throw new TypeError(`keepTtl must be true or false, got ${kindOf(keepTtl)}`);
  }
  const given = [ttlMs !== undefined && 'ttlMs', expiresAt !== undefined && 'expiresAt', keepTtl === true && 'keepTtl'];
  const names = given.filter((name) => name !== false);
  if (names.length > 1) throw new TypeError(`expected one of ttlMs, expiresAt and keepTtl, got ${names.join(' and ')}`);
  if (ttlMs !== undefined) return hostMs() + checkedTtl(ttlMs);
  if (expiresAt !== undefined) return momentOf(expiresAt);
  return keepTtl === true ? KEEP_EXPIRY : 0;
}

/** The same for expire(): milliseconds from now, or one of the two. */
export function momentOfExpire(when: number | ExpiryOptions): number {
  if (typeof when === 'number') return hostMs() + checkedTtl(when);
  const isChoice = typeof when === 'object' && when !== null;
  if (isChoice && 'keepTtl' in when) throw new TypeError('expire takes ttlMs or expiresAt, got keepTtl');
  const moment = isChoice ? expiryOf({ ttlMs: when.ttlMs, expiresAt: when.expiresAt }) : 0;
  if (moment !== 0) return moment;
  throw new TypeError(`expire takes milliseconds, { ttlMs } or { expiresAt } (or call persist), got ${kindOf(when)}`);
}

function checkedTtl(ttlMs: number): number {
  if (typeof ttlMs === 'number' && ttlMs > 0 && ttlMs <= MAX_TTL_MS) return ttlMs;
  throw new RangeError(
    `ttlMs must be a number of milliseconds above 0 and up to ${MAX_TTL_MS} (100 years), got ${kindOf(ttlMs)}`,
  );
}

function momentOf(expiresAt: number | Date): number {
  const wallMs = expiresAt instanceof Date ? expiresAt.getTime() : expiresAt;
  const leftMs = typeof wallMs === 'number' ? wallMs - Date.now() : Number.NaN;
  if (wallMs >= 0 && leftMs <= MAX_TTL_MS) return Math.max(LONG_AGO, hostMsOfWall(wallMs));
  throw new RangeError(
    'expiresAt must be a Date or milliseconds since 1970, at most 100 years from now, ' +
      `got ${expiresAt instanceof Date ? `Date ${wallMs}` : kindOf(expiresAt)}`,
  );
}
