/** Commands that change: set, post, cas, incr, those of expiry-commands.ts, del, getdel, mset, mdel, flush. */
import type { StoredValue } from '../codec/codec.js';
import { numberArgument, valueAnswer, valueArgument } from './arguments.js';
import { type Command, type Session, UsageError } from './command.js';
import { EXPIRY_COMMANDS, expiryOptions, POST_OPTIONS, WRITE_OPTIONS } from './expiry-commands.js';
import { storedValue } from './values.js';

const NOTHING = Buffer.alloc(0);
const isFirst = (position: number): boolean => position === 0;

type Pair = readonly [Buffer, StoredValue];

/** Runs of neighbours with the same tag: each is written by one client, in the order given. */
function runsOfOneTag(pairs: readonly Pair[]): Pair[][] {
  const runs: Pair[][] = [];
  for (const pair of pairs) {
    const run = runs.at(-1);
    if (run?.[0]?.[1].tag === pair[1].tag) run.push(pair);
    else runs.push([pair]);
  }
  return runs;
}

function pairsOf(session: Session, args: readonly Buffer[]): Pair[] {
  if (args.length % 2 !== 0) throw new UsageError('mset takes keys and values in turn, the last key has no value');
  const pairs: Pair[] = [];
  for (let index = 0; index < args.length; index += 2) {
    pairs.push([args[index] ?? NOTHING, storedValue(args[index + 1] ?? NOTHING, session.options.codec)]);
  }
  return pairs;
}

const SINGLE_VALUES: readonly Command[] = [
  {
    name: 'set',
    group: 'Write',
    parameters: '<key> [value]',
    summary: 'insert or replace; without a value, or with -, it comes from stdin',
    takesKey: isFirst,
    options: WRITE_OPTIONS,
    async *run(session, [key = NOTHING, typed], options) {
      const expiry = expiryOptions(options);
      const value = await valueArgument(session, typed);
      const client = await session.client(value.tag);
      await client.set(key, value, { ...expiry, signal: session.signal });
      yield { json: { ok: true }, line: 'OK' };
    },
  },
  {
    name: 'post',
    group: 'Write',
    parameters: '<key> [value]',
    summary: 'insert unless the key is there',
    takesKey: isFirst,
    options: POST_OPTIONS,
    async *run(session, [key = NOTHING, typed], options) {
      const expiry = expiryOptions(options);
      const value = await valueArgument(session, typed);
      const client = await session.client(value.tag);
      const inserted = await client.post(key, value, { ...expiry, signal: session.signal });
      yield { json: { inserted }, line: String(inserted), isNo: !inserted };
    },
  },
  {
    name: 'cas',
    group: 'Write',
    parameters: '<key> <version> [value]',
    summary: 'replace while the version is this one; 0: insert',
    takesKey: isFirst,
    options: WRITE_OPTIONS,
    async *run(session, [key = NOTHING, version = NOTHING, typed], options) {
      const expiry = expiryOptions(options);
      const expected = numberArgument(version, 'version', { isWhole: true, min: 0 });
      const value = await valueArgument(session, typed);
      const client = await session.client(value.tag);
      const swapped = await client.cas(key, expected, value, { ...expiry, signal: session.signal });
      yield { json: { swapped }, line: String(swapped), isNo: !swapped };
    },
  },
  {
    name: 'incr',
    group: 'Write',
    parameters: '<key> [by]',
    summary: 'add to a number, 1 by default, and print the sum',
    takesKey: isFirst,
    async *run(session, [key = NOTHING, typed]) {
      const by = typed === undefined ? 1 : numberArgument(typed, 'by');
      const client = await session.client();
      const value = await client.incr(key, by, { signal: session.signal });
      yield { json: { value }, line: String(value) };
    },
  },
];

const REMOVALS: readonly Command[] = [
  {
    name: 'del',
    group: 'Write',
    parameters: '<key>',
    summary: 'remove a key',
    takesKey: isFirst,
    async *run(session, [key = NOTHING]) {
      const client = await session.client();
      const deleted = await client.del(key, { signal: session.signal });
      yield { json: { deleted }, line: String(deleted), isNo: !deleted };
    },
  },
  {
    name: 'getdel',
    group: 'Write',
    parameters: '<key>',
    summary: 'remove a key and print what it held',
    takesKey: isFirst,
    async *run(session, [key = NOTHING]) {
      const client = await session.client();
      yield valueAnswer(session, key, await client.getdel(key, { signal: session.signal }));
    },
  },
];

const BATCHES: readonly Command[] = [
  {
    name: 'mset',
    group: 'Write',
    parameters: '<pairs...>',
    summary: 'set several: key value key value …',
    takesKey: (position) => position % 2 === 0,
    options: WRITE_OPTIONS,
    async *run(session, args, options) {
      const expiry = expiryOptions(options);
      for (const run of runsOfOneTag(pairsOf(session, args))) {
        const client = await session.client(run[0]?.[1].tag);
        await client.mset(run, { ...expiry, signal: session.signal });
      }
      yield { json: { set: args.length / 2 }, line: 'OK' };
    },
  },
  {
    name: 'mdel',
    group: 'Write',
    parameters: '<keys...>',
    summary: 'remove several, and print how many were there',
    takesKey: () => true,
    async *run(session, keys) {
      const client = await session.client();
      const deleted = await client.mdel(keys, { signal: session.signal });
      yield { json: { deleted }, line: String(deleted), isNo: deleted < keys.length };
    },
  },
  {
    name: 'flush',
    group: 'Write',
    parameters: '',
    summary: 'remove every key (the shell asks first)',
    options: [{ name: 'yes', description: 'do not ask (only the shell does)' }],
    async *run(session, _args, { yes }) {
      if (yes !== true && session.confirm !== undefined) {
        const isSure = await session.confirm(`Remove every key of server "${session.options.name}"?`);
        if (!isSure) {
          yield { json: { ok: false }, line: 'nothing was removed', isNo: true };
          return;
        }
      }
      const client = await session.client();
      await client.flush({ signal: session.signal });
      yield { json: { ok: true }, line: 'OK' };
    },
  },
];

export const WRITE_COMMANDS: readonly Command[] = [...SINGLE_VALUES, ...EXPIRY_COMMANDS, ...REMOVALS, ...BATCHES];
