/** Commands about when keys expire, and the options for it of those that write values. */
import type { WriteOptions } from '../index.js';
import { type Command, type CommandOption, type CommandOptions, UsageError } from './command.js';
import { parseDuration } from './figures.js';

const NO_KEY = Buffer.alloc(0);
const isFirst = (position: number): boolean => position === 0;

const TTL: CommandOption = {
  name: 'ttl',
  argument: '<time>',
  description: 'it expires after so long: 1500 (milliseconds), 30s, 5m, 2h, 7d',
};
const EXPIRES_AT: CommandOption = {
  name: 'expires-at',
  argument: '<when>',
  description: 'it expires then: milliseconds since 1970, or a date such as 2030-01-31T12:00:00Z',
};
const KEEP_TTL: CommandOption = { name: 'keep-ttl', description: 'it expires when what it replaces would have' };

/** Of what inserts only, and of what replaces. */
export const POST_OPTIONS: readonly CommandOption[] = [TTL, EXPIRES_AT];
export const WRITE_OPTIONS: readonly CommandOption[] = [TTL, EXPIRES_AT, KEEP_TTL];

/** @throws UsageError for what is no time */
function durationOf(text: string, what: string): number {
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0) return ms;
  throw new UsageError(
    `${what}: expected a time such as 1500 (milliseconds), 30s, 5m or 2h, got ${JSON.stringify(text)}`,
  );
}

/** @throws UsageError for what is no date */
function dateOf(text: string): number {
  const ms = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
  if (Number.isFinite(ms)) return ms;
  throw new UsageError(
    `--expires-at: expected milliseconds since 1970 or a date such as 2030-01-31T12:00:00Z, got ${JSON.stringify(text)}`,
  );
}

/** What the options of a command that writes say. @throws UsageError */
export function expiryOptions(options: CommandOptions): WriteOptions {
  const { ttl, 'expires-at': expiresAt, 'keep-ttl': keepTtl } = options;
  return {
    ...(ttl === undefined ? {} : { ttlMs: durationOf(String(ttl), '--ttl') }),
    ...(expiresAt === undefined ? {} : { expiresAt: dateOf(String(expiresAt)) }),
    ...(keepTtl === true ? { keepTtl } : {}),
  };
}

export const EXPIRY_COMMANDS: readonly Command[] = [
  {
    name: 'expire',
    group: 'Write',
    parameters: '<key> <time>',
    summary: 'let a key expire after that time: 1500 (milliseconds), 30s, 5m, 2h, 7d',
    takesKey: isFirst,
    async *run(session, [key = NO_KEY, time = NO_KEY]) {
      const ttlMs = durationOf(time.toString(), 'time');
      const client = await session.client();
      const found = await client.expire(key, ttlMs, { signal: session.signal });
      yield { json: { found }, line: String(found), isNo: !found };
    },
  },
  {
    name: 'persist',
    group: 'Write',
    parameters: '<key>',
    summary: 'let a key stay that would expire',
    takesKey: isFirst,
    async *run(session, [key = NO_KEY]) {
      const client = await session.client();
      const persisted = await client.persist(key, { signal: session.signal });
      yield { json: { persisted }, line: String(persisted), isNo: !persisted };
    },
  },
  {
    name: 'ttl',
    group: 'Read',
    parameters: '<key>',
    summary: 'print how many milliseconds a key has left, or never',
    takesKey: isFirst,
    async *run(session, [key = NO_KEY]) {
      const client = await session.client();
      const ttlMs = await client.ttl(key, { signal: session.signal });
      if (ttlMs === undefined) yield { json: { found: false }, value: undefined, isNo: true };
      else yield { json: { found: true, ttlMs }, line: ttlMs === null ? 'never' : String(ttlMs) };
    },
  },
];
