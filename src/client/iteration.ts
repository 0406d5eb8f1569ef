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

export async function* iterateKeys<K, V>(
  calls: Calls<V>,
  runner: Runner,
  encoding: KeyEncoding,
  prefix: Key,
  options?: CallOptions,
): AsyncGenerator<K, void, undefined> {
  for (let cursor = 0; cursor !== END;) {
    const page = await runner.async(() => calls.scan(prefix, from, options), options);
    yield* keysOf<K>(page.keys, encoding);
    cursor = page.cursor;
  }
}

export function* iterateKeysSync<K, V>(
  calls: Calls<V>,
  runner: Runner,
  encoding: KeyEncoding,
  prefix: Key,
  options?: CallOptions,
): Generator<K, void, undefined> {
  for (let cursor = 0; cursor !== END;) {
    const page = runner.blocking(calls.scan(prefix, cursor, options), options);
    yield* keysOf<K>(page.keys, encoding);
    cursor = page.cursor;
  }
}

/** Keys that went between the two hand-offs of a page are left out. */
function* pairsOf<K, V>(keys: readonly K[], values: readonly (V | undefined)[]): Generator<[K, V], void, undefined> {
  for (const [index, key] of keys.entries()) {
    const value = values[index];
    if (value !== undefined) yield [key, value];
  }
}

export async function* iterateEntries<K, V>(
  calls: Calls<V>,
  runner: Runner,
  encoding: KeyEncoding,
  prefix: Key,
  options?: CallOptions,
): AsyncGenerator<[K, V], void, undefined> {
  for (let cursor = 0; cursor !== END;) {
    const page = await runner.async(() => calls.scan(prefix, from, options), options);
    const values = await runner.async(() => calls.mget(page.keys, options), options);
    yield* pairsOf(keysOf<K>(page.keys, encoding), values);
    cursor = page.cursor;
  }
}

export function* iterateEntriesSync<K, V>(
  calls: Calls<V>,
  runner: Runner,
  encoding: KeyEncoding,
  prefix: Key,
  options?: CallOptions,
): Generator<[K, V], void, undefined> {
  for (let cursor = 0; cursor !== END;) {
    const page = runner.blocking(calls.scan(prefix, cursor, options), options);
    const values = runner.blocking(calls.mget(page.keys, options), options);
    yield* pairsOf(keysOf<K>(page.keys, encoding), values);
    cursor = page.cursor;
  }
}
