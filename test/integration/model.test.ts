/** Any sequence of operations, by any of several clients in any of the three ways, has the results that a Map has. */
import * as fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';

import { KvsClient, KvsServer } from '#dist/index.js';

const RUNS = 100;
const COMMANDS = 60;
/** Few enough to meet again; one is as long as a key may be, one is not ASCII. */
const KEYS = ['a', 'b', 'user:1', 'user:2', 'ключ', 'k'.repeat(1024)];
/** Around the sizes at which a value moves: into the arena, over a chunk, into a run of its own. */
const SIZES = [0, 1, 20, 900, 959, 960, 961, 4095, 4096, 4097, 30_000];

interface Entry {
  readonly value: string;
  readonly version: number;
  /** Some number, if it expires after the test. */
  readonly expiresAt?: unknown;
}
type Model = Map<string, Entry>;
type Real = readonly KvsClient[];
type Way = 'async' | 'sync' | 'submit';

/** Calls one operation in one of the three ways. */
function call(client: KvsClient, way: Way, name: string, args: readonly unknown[]): Promise<unknown> {
  const methods = client as unknown as Record<string, (...args: readonly unknown[]) => unknown>;
  if (way === 'async') return Promise.resolve(methods[name](...args));
  if (way === 'sync') return Promise.resolve(methods[`${name}Sync`](...args));
  return Promise.resolve(methods['submit'](name, ...args));
}

/** An operation with its arguments, and what it is to answer and to do to the model. */
class Step implements fc.AsyncCommand<Model, Real> {
  readonly client: number;
  readonly way: Way;
  readonly name: string;
  readonly args: readonly unknown[];
  readonly expected: (model: Model) => unknown;

  constructor(parts: Pick<Step, 'client' | 'way' | 'name' | 'args' | 'expected'>) {
    this.client = parts.client;
    this.way = parts.way;
    this.name = parts.name;
    this.args = parts.args;
    this.expected = parts.expected;
  }

  check(): boolean {
    return true;
  }

  async run(model: Model, real: Real): Promise<void> {
    const client = real[this.client % real.length];
    const args = this.#realArgs(model);
    const expected = this.expected(model);
    expect(await call(client, this.way, this.name, args), String(this)).toEqual(expected);
    for (const key of [...KEYS, ...NUMBER_KEYS]) await this.#learnVersion(model, client, key);
  }

  /** With the version that the server gave, and options in place of their names. */
  #realArgs(model: Model): readonly unknown[] {
    const { name, args } = this;
    const isNamed = args.length > 1 && Object.hasOwn(OPTIONS, String(args.at(-1)));
    const given = isNamed ? [...args.slice(0, -1), OPTIONS[args.at(-1) as Expiry]] : [...args];
    if (name === 'expire' && given.length === 1) given.push(HOUR);
    if (name === 'cas') given[1] = this.#version(model);
    return given;
  }

  /** The version to expect: the right one, unless the second argument says otherwise. */
  #version(model: Model): number {
    return (model.get(String(this.args[0]))?.version ?? 0) + Number(this.args[1]);
  }

  /** Versions are the server's to give out: they rise with each write of a key, and only then. */
  async #learnVersion(model: Model, client: KvsClient, key: string): Promise<void> {
    const known = model.get(key);
    if (known?.version !== -1) return;
    const entry = await client.getEntry(key);
    expect(entry?.value, `${String(this)} left ${key}`).toBe(known.value);
    const version = entry?.version ?? 0;
    expect(version).toBeGreaterThan(lastVersions.get(key) ?? 0);
    lastVersions.set(key, version);
    model.set(key, { ...known, version });
  }

  toString(): string {
    const shown = this.args.map((arg) => (typeof arg === 'string' && arg.length > 40 ? `${arg.length} chars` : arg));
    return `client ${this.client} ${this.way} ${this.name} ${JSON.stringify(shown)}`;
  }
}

/** Of the current run: the latest version seen of each key, also of deleted ones. */
let lastVersions = new Map<string, number>();

/** `drop`: what is written has expired already. */
type Expiry = 'never' | 'later' | 'keep' | 'drop';

const HOUR = 3_600_000;
const OPTIONS: Readonly<Record<Expiry, object | undefined>> = {
  never: undefined,
  later: { ttlMs: HOUR },
  keep: { keepTtl: true },
  drop: { expiresAt: new Date(0) },
};

const put = (model: Model, key: string, value: string, expiry: Expiry = 'never'): true => {
  const keeps = expiry === 'keep' && model.get(key)?.expiresAt !== undefined;
  if (expiry === 'drop') model.delete(key);
  else if (keeps || expiry === 'later') model.set(key, { value, version: -1, expiresAt: expect.any(Number) });
  else model.set(key, { value, version: -1 });
  return true;
};

/** What expire() and persist() do. */
const reschedule = (model: Model, key: string, expiry: Expiry): boolean => {
  const entry = model.get(key);
  if (entry === undefined || (expiry === 'never' && entry.expiresAt === undefined)) return false;
  return put(model, key, entry.value, expiry);
};

const ttl = (model: Model, key: string): unknown => {
  const entry = model.get(key);
  if (entry === undefined) return undefined;
  return entry.expiresAt === undefined ? null : expect.toSatisfy((left: number) => left > 0 && left <= HOUR);
};

const take = (model: Model, key: string): string | undefined => {
  const value = model.get(key)?.value;
  model.delete(key);
  return value;
};

function increment(model: Model, key: string, by: number): number {
  const sum = Number(model.get(key)?.value ?? '0') + by;
  put(model, key, String(sum), 'keep');
  return sum;
}

const key = fc.constantFrom(...KEYS);
const NUMBER_KEYS = ['count 1', 'count 2'];
const numberKey = fc.constantFrom(...NUMBER_KEYS);
const keys = fc.array(key, { maxLength: 8 });
const value = fc
  .tuple(fc.constantFrom(...SIZES), fc.constantFrom('x', 'y', '0'))
  .map(([size, character]) => character.repeat(size));
const client = fc.nat(2);
const way = fc.constantFrom<Way>('async', 'sync', 'submit');
const expiry = fc.constantFrom<Expiry>('never', 'later', 'keep', 'drop');
const ownExpiry = fc.constantFrom<Expiry>('never', 'later', 'drop');
const newExpiry = fc.constantFrom<Expiry>('later', 'drop');

/** One arbitrary per operation: its arguments, and what it does to the model. */
function step<T extends readonly unknown[]>(
  name: string,
  args: { [I in keyof T]: fc.Arbitrary<T[I]> },
  expected: (model: Model, ...args: T) => unknown,
): fc.Arbitrary<Step> {
  return fc
    .tuple(client, way, fc.tuple(...args) as unknown as fc.Arbitrary<T>)
    .map(
      ([by, how, given]) =>
        new Step({ client: by, way: how, name, args: given, expected: (model) => expected(model, ...given) }),
    );
}

const STEPS = [
  step<[string]>('get', [key], (model, k) => model.get(k)?.value),
  step<[string]>('getEntry', [key], (model, k) => model.get(k)),
  step<[string, string]>('set', [key, value], put),
  step<[string, string, Expiry]>('set', [key, value, expiry], put),
  step<[string, string, Expiry]>('post', [key, value, ownExpiry], (model, k, v, how) => {
    return !model.has(k) && put(model, k, v, how);
  }),
  step<[string, Expiry]>('expire', [key, newExpiry], reschedule),
  step<[string]>('persist', [key], (model, k) => reschedule(model, k, 'never')),
  step<[string]>('expire', [numberKey], (model, k) => reschedule(model, k, 'later')),
  step<[string]>('ttl', [fc.oneof(key, numberKey)], ttl),
  step<[string, string]>('post', [key, value], (model, k, v) => !model.has(k) && put(model, k, v)),
  step<[string, number, string, Expiry]>(
    'cas',
    [key, fc.constantFrom(0, 0, 1), value, expiry],
    (model, k, off, v, how) => {
      return off === 0 && put(model, k, v, how);
    },
  ),
  step<[string]>('del', [key], (model, k) => take(model, k) !== undefined),
  step<[string]>('getdel', [key], take),
  step<[string]>('exists', [key], (model, k) => model.has(k)),
  step<[string, number]>('incr', [numberKey, fc.integer({ min: -1000, max: 1000 })], increment),
  step<[string[]]>('mget', [keys], (model, all) => all.map((k) => model.get(k)?.value)),
  step<[[string, string][]]>('mset', [fc.array(fc.tuple(key, value), { maxLength: 8 })], (model, all) => {
    for (const [k, v] of all) put(model, k, v);
    return true;
  }),
  step<[string[]]>('mdel', [keys], (model, all) => all.filter((k) => take(model, k) !== undefined).length),
  // What has expired may not have been removed yet.
  step<[]>('size', [], ({ size }) =>
    expect.toSatisfy((found: number) => found >= size && found <= KEYS.length + NUMBER_KEYS.length),
  ),
  step<[]>('ping', [], () => true),
  step<[]>('flush', [], (model) => {
    model.clear();
    return true;
  }),
];

let server: KvsServer;
let clients: KvsClient[];

beforeAll(async () => {
  const name = `t-${process.env['KVS_TEST_RUN']}-model-${process.pid}`;
  server = await KvsServer.start({ name, workers: 2, slots: 16, stripes: 4, maxMemory: 4 * 2 ** 20 });
  clients = await Promise.all(
    ([{ reads: 'server' }, { reads: 'direct' }, { reads: 'direct', cacheEntries: 8 }] as const).map((options) =>
      KvsClient.connect({ name, ...options, timeoutMs: 60_000 }),
    ),
  );
});

afterAll(async () => {
  await Promise.all(clients.map((each) => each.close()));
  await server.stop();
});

test.each([1, 2, 3])('%i clients have the results that a Map has', async (count) => {
  const seed = Date.now() | 0;
  console.log(`random seed: ${seed}`);
  const real = clients.slice(0, count);
  const property = fc.asyncProperty(fc.commands(STEPS, { maxCommands: COMMANDS, size: 'max' }), async (commands) => {
    await clients[0].flush();
    lastVersions = new Map();
    const model: Model = new Map();
    await fc.asyncModelRun(() => ({ model, real }), commands);
    const entries: [string, string][] = [];
    for await (const entry of real[0].entries()) entries.push(entry);
    expect(new Map(entries)).toEqual(new Map([...model].map(([k, { value: v }]) => [k, v])));
    expect(entries.length).toBe(model.size);
  });
  await fc.assert(property, { seed, numRuns: RUNS });
});
