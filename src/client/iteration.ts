/**
 * Walks over all keys with a prefix, page by page. A key stays in its bucket as long as it is there, and each bucket is
 * read once, so a key that is there throughout comes exactly once.
 */
import { KvsError } from '../errors.js';
import type { Calls, Key } from './calls.js';
import type { CallOptions } from './options.js';
import type { Runner } from './runner.js';

type KeyEncoding = 'utf8' | 'buffer';

const END = -1;
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function keysOf<K>(raw: readonly Buffer[], encoding: KeyEncoding): K[] {
  if (encoding === 'buffer') return raw as unknown as K[];
  try {
    return raw.map((key) => strictUtf8.decode(key)) as unknown as K[];
  } catch (cause) {
    const message = "a key is not UTF-8 text: connect with keyEncoding 'buffer' to see it";
    throw new KvsError('ERR_KVS_CODEC', message, { cause });
  }
}

/** What a walk needs. */
export interface Walk<V> {
  readonly calls: Calls<V>;
  readonly runner: Runner;
  readonly encoding: KeyEncoding;
  readonly prefix: Key;
  readonly options: CallOptions | undefined;
}

async function* pages<V>({ calls, runner, prefix, options }: Walk<V>): AsyncGenerator<Buffer[], void, undefined> {
  let cursor = 0;
  while (cursor !== END) {
    const from = cursor;
    const page = await runner.async(() => calls.scan(prefix, from, options), options);
    yield page.keys;
    cursor = page.cursor;
  }
}

function* pagesSync<V>({ calls, runner, prefix, options }: Walk<V>): Generator<Buffer[], void, undefined> {
  let cursor = 0;
  while (cursor !== END) {
    const page = runner.blocking(calls.scan(prefix, cursor, options), options);
    yield page.keys;
    cursor = page.cursor;
  }
}

export async function* iterateKeys<K, V>(walk: Walk<V>): AsyncGenerator<K, void, undefined> {
  for await (const keys of pages(walk)) yield* keysOf<K>(keys, walk.encoding);
}

export function* iterateKeysSync<K, V>(walk: Walk<V>): Generator<K, void, undefined> {
  for (const keys of pagesSync(walk)) yield* keysOf<K>(keys, walk.encoding);
}

/** Keys that went between the two hand-offs of a page are left out. */
function* pairsOf<K, V>(keys: readonly K[], values: readonly (V | undefined)[]): Generator<[K, V], void, undefined> {
  for (const [index, key] of keys.entries()) {
    const value = values[index];
    if (value !== undefined) yield [key, value];
  }
}

export async function* iterateEntries<K, V>(walk: Walk<V>): AsyncGenerator<[K, V], void, undefined> {
  const { calls, runner, encoding, options } = walk;
  for await (const keys of pages(walk)) {
    const values = await runner.async(() => calls.mget(keys, options), options);
    yield* pairsOf(keysOf<K>(keys, encoding), values);
  }
}

export function* iterateEntriesSync<K, V>(walk: Walk<V>): Generator<[K, V], void, undefined> {
  const { calls, runner, encoding, options } = walk;
  for (const keys of pagesSync(walk)) {
    const values = runner.blocking(calls.mget(keys, options), options);
    yield* pairsOf(keysOf<K>(keys, encoding), values);
  }
}
