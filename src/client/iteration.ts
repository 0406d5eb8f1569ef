/**
 * Walks over all keys with a prefix, page by page: in the store itself (direct-scan.ts) or, where that cannot be, through
 * the server. A key stays in its bucket as long as it is there, and each bucket is read once, so a key that is there
 * throughout comes exactly once. Both kinds of pages begin at a bucket, so they can take turns.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';

import { KvsError } from '../errors.js';
import { type Calls, checkedPrefix, type Key } from './calls.js';
import { type DirectReads, NOT_READ, type NotRead } from './direct-reads.js';
import { END } from './direct-scan.js';
import type { VersionedValue } from '../operation/get.js';
import type { CallOptions } from './options.js';
import type { Runner } from './runner.js';

type KeyEncoding = 'utf8' | 'buffer';

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
  readonly reads: DirectReads<V>;
  readonly encoding: KeyEncoding;
  readonly prefix: Key;
  readonly options: CallOptions | undefined;
}

/** A copy: the caller's may change during the walk. */
function bytesOf(prefix: Key): Buffer {
  const checked = checkedPrefix(prefix);
  return typeof checked === 'string' ? Buffer.from(checked) : Buffer.from(new Uint8Array(checked).buffer);
}

interface Page<V> {
  readonly keys: readonly Buffer[];
  readonly values: readonly (V | undefined)[];
  readonly cursor: number;
}

/** The next pages of a walk. Of values that went between the two hand-offs of a server's page nothing is left. */
class Pages<V> {
  readonly #walk: Walk<V>;
  readonly #prefix: Buffer;
  readonly #hasValues: boolean;
  #cursor = 0;

  constructor(walk: Walk<V>, hasValues: boolean) {
    this.#walk = walk;
    this.#prefix = bytesOf(walk.prefix);
    this.#hasValues = hasValues;
  }

  get isAtEnd(): boolean {
    return this.#cursor === END;
  }

  async next(): Promise<Page<V>> {
    const { calls, runner, options } = this.#walk;
    // Never two direct pages in one turn of the event loop.
    if (this.#cursor !== 0) await nextTurn();
    const direct = this.#direct();
    if (direct !== NOT_READ) return this.#turnTo(direct);
    const { keys, cursor } = await runner.async(() => calls.scan(this.#prefix, this.#cursor, options), options);
    const values = this.#hasValues ? await runner.async(() => calls.mget(keys, options), options) : [];
    return this.#turnTo({ keys, values, cursor });
  }

  nextSync(): Page<V> {
    const { calls, runner, options } = this.#walk;
    const direct = this.#direct();
    if (direct !== NOT_READ) return this.#turnTo(direct);
    const { keys, cursor } = runner.blocking(calls.scan(this.#prefix, this.#cursor, options), options);
    const values = this.#hasValues ? runner.blocking(calls.mget(keys, options), options) : [];
    return this.#turnTo({ keys, values, cursor });
  }

  #direct(): Page<V> | NotRead {
    const { runner, reads, options } = this.#walk;
    runner.checkRead(options);
    return reads.scan(this.#prefix, this.#cursor, this.#hasValues);
  }

  #turnTo(page: Page<V>): Page<V> {
    this.#cursor = page.cursor;
    return page;
  }
}

export async function* iterateKeys<K, V>(walk: Walk<V>): AsyncGenerator<K, void, undefined> {
  const pages = new Pages(walk, false);
  while (!pages.isAtEnd) yield* keysOf<K>((await pages.next()).keys, walk.encoding);
}

export function* iterateKeysSync<K, V>(walk: Walk<V>): Generator<K, void, undefined> {
  const pages = new Pages(walk, false);
  while (!pages.isAtEnd) yield* keysOf<K>(pages.nextSync().keys, walk.encoding);
}

function* pairsOf<K, V>({ keys, values }: Page<V>, encoding: KeyEncoding): Generator<[K, V], void, undefined> {
  for (const [index, key] of keysOf<K>(keys, encoding).entries()) {
    const value = values[index];
    if (value !== undefined) yield [key, value];
  }
}

export async function* iterateEntries<K, V>(walk: Walk<V>): AsyncGenerator<[K, V], void, undefined> {
  const pages = new Pages(walk, true);
  while (!pages.isAtEnd) yield* pairsOf<K, V>(await pages.next(), walk.encoding);
}

export function* iterateEntriesSync<K, V>(walk: Walk<V>): Generator<[K, V], void, undefined> {
  const pages = new Pages(walk, true);
  while (!pages.isAtEnd) yield* pairsOf<K, V>(pages.nextSync(), walk.encoding);
}

/** Values that a walk holds at once while the server has to be asked for them one by one. */
const GROUP = 16;

/**
 * Like iterateEntries(), with version and expiry, each of one publication of its entry; all of one store.
 * @throws KvsError ERR_KVS_SERVER_GONE when another store has taken the place of that in which the walk began
 */
export async function* iterateVersioned<K, V>(walk: Walk<V>): AsyncGenerator<[K, VersionedValue<V>], void, undefined> {
  const { calls, runner, reads, encoding, options } = walk;
  const prefix = bytesOf(walk.prefix);
  let regionId: string | undefined;
  for (let cursor = 0; cursor !== END; await nextTurn()) {
    runner.checkRead(options);
    const direct = reads.scanVersioned(prefix, cursor);
    regionId ??= reads.regionId;
    if (regionId !== reads.regionId) throw storeReplaced();
    if (direct !== NOT_READ) {
      cursor = direct.cursor;
      yield* pairsOf<K, VersionedValue<V>>(direct, encoding);
      continue;
    }
    const start = cursor;
    const page = await runner.async(() => calls.scan(prefix, start, options), options);
    cursor = page.cursor;
    for (let at = 0; at < page.keys.length; at += GROUP) {
      const keys = page.keys.slice(at, at + GROUP);
      const asked = keys.map((key) => runner.async(() => calls.getEntry(key, options), options));
      yield* pairsOf<K, VersionedValue<V>>({ keys, values: await Promise.all(asked), cursor }, encoding);
    }
  }
}

const storeReplaced = (): KvsError =>
  new KvsError(
    'ERR_KVS_SERVER_GONE',
    'the server stopped and another began with a new store during the walk, which is therefore not of one store: begin again',
    { executed: 'no' },
  );
