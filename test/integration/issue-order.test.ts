/** One client's operations on one key take effect in the order in which they are issued, awaited or not. */
import { expect, test } from 'vitest';

import type { KvsClient } from '#dist/index.js';

import { connect, openClient, randomness, startServer } from '../fixtures/service.js';

const ROUNDS = 3000;
const KEYS = ['a', 'b', 'c', 'd', 'e'];

/** What has been asked for, and what must come of it. */
interface Expectation {
  readonly what: string;
  readonly actual: Promise<unknown>;
  readonly expected: unknown;
}

/** Issues operations, of which only the blocking ones are waited for, and applies each to the model at once. */
class Issuer {
  readonly model = new Map<string, string>();
  readonly expectations: Expectation[] = [];
  readonly #client: KvsClient;
  readonly #random: (below: number) => number;

  constructor(client: KvsClient, random: (below: number) => number) {
    this.#client = client;
    this.#random = random;
  }

  issue(round: number): void {
    const { model } = this;
    const key = KEYS[this.#random(KEYS.length)];
    const value = `${key}:${round}:${'x'.repeat(this.#random(50) === 0 ? 5000 : 3)}`;
    const before = model.get(key);
    switch (this.#random(16)) {
      case 0:
      case 1:
        model.set(key, value);
        return this.#expect(`set ${key}`, this.#client.set(key, value), true);
      case 2:
        if (before === undefined) model.set(key, value);
        return this.#expect(`post ${key}`, this.#client.submit('post', key, value), before === undefined);
      case 3:
        model.delete(key);
        return this.#expect(`del ${key}`, this.#client.del(key), before !== undefined);
      case 4:
        model.delete(key);
        return this.#expect(`getdel ${key}`, this.#client.submit('getdel', key), before);
      case 5:
        return this.#expect(`exists ${key}`, this.#client.exists(key), before !== undefined);
      case 6:
        model.set(key, value);
        return this.#expect(`setSync ${key}`, this.#client.setSync(key, value), true);
      case 7:
        return this.#expect(`getSync ${key}`, this.#client.getSync(key), before);
      case 8:
        for (const each of KEYS) model.set(each, value + each);
        return this.#expect(
          'mset',
          this.#client.mset(KEYS.map((each): [string, string] => [each, value + each])),
          true,
        );
      case 9:
        return this.#expect(
          'mget',
          this.#client.mget(KEYS),
          KEYS.map((each) => model.get(each)),
        );
      case 10:
        return this.#expect(
          'mgetSync',
          this.#client.mgetSync(KEYS),
          KEYS.map((each) => model.get(each)),
        );
      case 11: {
        const count = model.size;
        model.clear();
        return this.#expect('mdel', this.#client.submit('mdel', KEYS), count);
      }
      case 12:
        if (this.#random(10) > 0) return this.#expect(`get ${key}`, this.#client.get(key), before);
        model.clear();
        return this.#expect('flush', this.#client.flush(), true);
      case 13:
        if (this.#random(10) > 0) return this.#expect(`get ${key}`, this.#client.get(key), before);
        return this.#expect('sizeSync', this.#client.sizeSync(), model.size);
      default:
        return this.#expect(`get ${key}`, this.#client.get(key), before);
    }
  }

  #expect(what: string, actual: unknown, expected: unknown): void {
    this.expectations.push({ what, actual: Promise.resolve(actual), expected });
  }

  async settle(): Promise<void> {
    const results = await Promise.all(this.expectations.map(({ actual }) => actual));
    for (const [index, { what, expected }] of this.expectations.entries()) {
      expect(results[index], `operation ${index}, ${what}`).toEqual(expected);
    }
    this.expectations.length = 0;
  }
}

const WAYS = [
  { workers: 1, reads: 'server' },
  { workers: 4, reads: 'server' },
  { workers: 4, reads: 'direct' },
] as const;

test.each(WAYS)(
  'un-awaited operations of all kinds on few keys are executed in order ($workers workers, $reads reads)',
  async ({ workers, reads }) => {
    const server = await startServer({ workers });
    const client = await openClient({ name: server.name, reads });
    const issuer = new Issuer(client, randomness());
    for (let round = 0; round < ROUNDS; round++) issuer.issue(round);
    await issuer.settle();
  },
);

test('the order holds where slots are few', async () => {
  const server = await startServer({ workers: 4, slots: 16 });
  const issuer = new Issuer(await connect(server.name), randomness());
  for (let round = 0; round < ROUNDS; round++) issuer.issue(round);
  await issuer.settle();
});

test('un-awaited sets of one key leave the last of them', async () => {
  const server = await startServer({ workers: 4 });
  const client = await connect(server.name);
  const seen: Promise<string | undefined>[] = [];
  for (let i = 0; i < 5000; i++) {
    void client.set('one', `value ${i}`);
    if (i % 10 === 0) seen.push(client.get('one'));
  }
  expect(client.getSync('one')).toBe('value 4999');
  expect(await Promise.all(seen)).toEqual(Array.from({ length: 500 }, (_, i) => `value ${i * 10}`));
});

test('a large batch whose answers come in several parts reads what was set before it, and nothing later', async () => {
  const server = await startServer({ workers: 4 });
  const client = await connect(server.name);
  const keys = Array.from({ length: 60 }, (_, i) => `large ${i}`);
  const value = (round: number, key: string) => `${round} ${key} `.repeat(2000);
  const rounds = Array.from({ length: 8 }, (_, round) => {
    void client.mset(keys.map((key): [string, string] => [key, value(round, key)]));
    return client.mget(keys);
  });
  void client.mdel(keys);
  for (const [round, values] of (await Promise.all(rounds)).entries()) {
    expect(values).toEqual(keys.map((key) => value(round, key)));
  }
  expect(await client.mget(keys)).toEqual(keys.map(() => undefined));
});

test('operations on the whole store come after all that was issued before, and before all that comes later', async () => {
  const server = await startServer({ workers: 4 });
  const client = await connect(server.name);
  const sizes: Promise<number>[] = [];
  for (let round = 0; round < 30; round++) {
    for (let i = 0; i < 20; i++) void client.set(`${i}`, `${round}`);
    sizes.push(client.size());
    void client.flush();
    sizes.push(client.size());
  }
  expect(await Promise.all(sizes)).toEqual(Array.from({ length: 60 }, (_, i) => (i % 2 === 0 ? 20 : 0)));
});
