/**
 * Reads are the same calls whether they are answered by the server or by the client itself: what they refuse, and that
 * they leave the event loop its turns.
 * Seen to fail when: direct reads do not look whether the client is closed, at the signal, the time-out or the key;
 * answers known at once never wait for a turn, or only failures do not.
 */
import { setTimeout as delay } from 'node:timers/promises';

import { expect, test } from 'vitest';

import type { KvsClient, KvsError } from '#dist/index.js';

import { openClient, shareServer } from '../fixtures/service.js';

const name = shareServer();
const wrong = (value: unknown): never => value as never;
const target = Buffer.alloc(2);
const aborted = { signal: AbortSignal.abort(new Error('enough')) };

type Read = (client: KvsClient, key: never, options?: object) => unknown;
const READS: Readonly<Record<string, Read>> = {
  get: (client, key, options) => client.get(key, options),
  getSync: (client, key, options) => client.getSync(key, options),
  getEntry: (client, key, options) => client.getEntry(key, options),
  getEntrySync: (client, key, options) => client.getEntrySync(key, options),
  exists: (client, key, options) => client.exists(key, options),
  existsSync: (client, key, options) => client.existsSync(key, options),
  mget: (client, key, options) => client.mget(['known', key], options),
  mgetSync: (client, key, options) => client.mgetSync(['known', key], options),
  getInto: (client, key, options) => client.getInto(key, target, options),
  getIntoSync: (client, key, options) => client.getIntoSync(key, target, options),
};

/** What went wrong, as plain data. */
async function refusal(call: () => unknown): Promise<object> {
  try {
    return { result: await call() };
  } catch (error) {
    const { code, executed } = error as Partial<KvsError>;
    const { message } = error as Error;
    return { type: (error as object).constructor.name, message, code, executed };
  }
}

const KEYS = [
  undefined,
  null,
  5,
  {},
  [],
  Symbol('k'),
  new Uint16Array(1),
  '',
  new Uint8Array(0),
  '\ud800',
  'k'.repeat(1025),
];
const LONG = [new Uint8Array(1025), 'ä'.repeat(513), '€'.repeat(342)];
const TIMEOUTS = [-1, Number.NaN, Infinity, '5', null, 86_400_001];

test.each(Object.entries(READS))('%s refuses the same with direct reads as through the server', async (_, read) => {
  const direct = await openClient({ name });
  const server = await openClient({ name, reads: 'server' });
  await server.set('known', 'value');
  const calls: ((client: KvsClient) => unknown)[] = [
    ...[...KEYS, ...LONG].map((key) => (client: KvsClient) => read(client, wrong(key))),
    ...TIMEOUTS.map((timeoutMs) => (client: KvsClient) => read(client, wrong('known'), { timeoutMs })),
    (client) => read(client, wrong('known'), aborted),
    (client) => read(client, wrong('none')),
    (client) => read(client, wrong('known')),
  ];
  for (const call of calls) {
    const expected = await refusal(() => call(server));
    expect(await refusal(() => call(direct))).toEqual(expected);
    // Also while something is on its way.
    void direct.set('busy', 'x');
    expect(await refusal(() => call(direct))).toEqual(expected);
  }
  expect(await refusal(() => read(direct, wrong('known'), aborted))).toMatchObject({ code: 'ERR_KVS_ABORTED' });
  await Promise.all([direct.close(), server.close()]);
  const closed = await refusal(() => read(server, wrong('known')));
  expect(closed).toMatchObject({ code: 'ERR_KVS_CLOSED', executed: 'no' });
  expect(await refusal(() => read(direct, wrong('known')))).toEqual(closed);
});

test.each(['direct', 'server'] as const)(
  'getInto and mget refuse what is neither buffer nor keys (%s)',
  async (reads) => {
    const client = await openClient({ name, reads });
    await client.set('known', 'value');
    for (const into of [undefined, 'text', new Uint16Array(4), []]) {
      await expect(client.getInto('known', wrong(into))).rejects.toThrow(/target must be a Uint8Array, got/);
      expect(() => client.getIntoSync('known', wrong(into))).toThrow(TypeError);
    }
    const small = Buffer.from('1234');
    await expect(client.getInto('known', small)).rejects.toThrow('the value has 5 bytes, the target only 4');
    expect(() => client.getIntoSync('known', small)).toThrow(RangeError);
    expect(small.toString()).toBe('1234');
    expect(await client.getInto('known', Buffer.alloc(5))).toBe(5);
    for (const keys of ['known', undefined, 5, {}]) {
      await expect(client.mget(wrong(keys))).rejects.toThrow(/keys must be an iterable of keys, got/);
    }
    expect(await client.mget(new Set(['known', 'none']))).toEqual(['value', undefined]);
    expect(client.mgetSync([])).toEqual([]);
    const numbers = await openClient({ name, reads, codec: 'int32' });
    await expect(numbers.get('known')).rejects.toMatchObject({ code: 'ERR_KVS_CODEC' });
    expect(() => numbers.getEntrySync('known')).toThrow(/written by codec utf8/);
  },
);

test.each(['found', 'missing', 'refused', 'written'])(
  'a loop of nothing but awaited calls (%s) leaves timers their turns',
  async (what) => {
    const client = await openClient({ name });
    await client.set('found', 'value');
    const key = what === 'refused' ? wrong(5) : what;
    let fired = 0;
    const timers = [delay(1), delay(5), delay(20)].map(async (timer) => {
      await timer;
      fired++;
    });
    const write = async () => client.set(key, 'value');
    const read = async (calls: number) => (calls % 2 === 0 ? client.get(key) : client.exists(key));
    // A loop that starves them would starve the watchdog too.
    for (let calls = 0; fired < timers.length && calls < 5_000_000; calls++) {
      await (what === 'written' ? write() : read(calls)).catch(() => {});
    }
    expect(fired).toBe(timers.length);
    await Promise.all(timers);
  },
);

// Seen to fail when each loop has answers in a row of its own.
test.each([1, 64, 512])('%i loops at a time share what they get between two turns of the event loop', async (loops) => {
  const [one, another] = [await openClient({ name }), await openClient({ name })];
  await one.set('found', 'value');
  const seen = { turns: 0, answers: 0, most: 0 };
  const turn = (): void => {
    seen.most = Math.max(seen.most, seen.answers);
    seen.answers = 0;
    if (++seen.turns < 20) setImmediate(turn);
  };
  setImmediate(turn);
  const loop = async (client: KvsClient): Promise<void> => {
    for (let calls = 0; seen.turns < 20 && calls < 1_000_000; calls++) {
      await client.get('found');
      seen.answers++;
    }
  };
  await Promise.all(Array.from({ length: loops }, (_, i) => loop(i % 2 === 0 ? one : another)));
  expect(seen.turns).toBe(20);
  expect(seen.most).toBeLessThanOrEqual(2 * (1024 + loops));
});
