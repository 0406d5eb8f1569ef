/** The types of the public API: what each codec makes of values, and what each operation answers. */
import { expectTypeOf, test } from 'vitest';

import {
  KvsClient,
  type KvsServer,
  type KvsStatistics,
  type Task,
  type VersionedValue,
  type View,
} from '#dist/index.js';

import { closing, openClient, shareServer } from '../fixtures/service.js';

const name = shareServer();

interface User {
  readonly id: number;
  readonly name: string;
}

test('the codec decides the type of values', async () => {
  const text = await openClient({ name });
  expectTypeOf(text).toEqualTypeOf<KvsClient>();
  expectTypeOf(text.get('k')).resolves.toEqualTypeOf<string | undefined>();
  const utf8 = await openClient({ name, codec: 'utf8' });
  expectTypeOf(utf8.getSync('k')).toEqualTypeOf<string | undefined>();
  const buffer = await openClient({ name, codec: 'buffer' });
  expectTypeOf(buffer.getSync('k')).toEqualTypeOf<Buffer | undefined>();
  const int32 = await openClient({ name, codec: 'int32' });
  expectTypeOf(int32.getSync('k')).toEqualTypeOf<number | undefined>();
  const float64 = await openClient({ name, codec: 'float64' });
  expectTypeOf(float64.getSync('k')).toEqualTypeOf<number | undefined>();
  const json = await openClient({ name, codec: 'json' });
  expectTypeOf(json.getSync('k')).toBeUnknown();
  const users = closing(await KvsClient.connect<User>({ name, codec: 'json' }));
  expectTypeOf(users.getSync('k')).toEqualTypeOf<User | undefined>();
  expectTypeOf(users.set.bind(users)).parameter(1).toEqualTypeOf<User>();
  const codec = { encode: (date: Date) => date.toISOString(), decode: (bytes: Buffer) => new Date(bytes.toString()) };
  const dates = await openClient({ name, codec });
  expectTypeOf(dates.getSync('k')).toEqualTypeOf<Date | undefined>();
});

test('operations answer with their own types, in all three ways', async () => {
  const client = closing(await KvsClient.connect<User>({ name, codec: 'json' }));
  const user: User = { id: 1, name: 'a' };
  expectTypeOf(client.getEntrySync('k')).toEqualTypeOf<VersionedValue<User> | undefined>();
  expectTypeOf(client.getView('k')).resolves.toEqualTypeOf<View | undefined>();
  expectTypeOf(client.getViewSync('k')).toEqualTypeOf<View | undefined>();
  expectTypeOf<View>().toExtend<Disposable>();
  expectTypeOf<View['bytes']>().toExtend<Uint8Array>();
  expectTypeOf<View>().toHaveProperty('version').toBeNumber();
  expectTypeOf(client.submit('getView', 'k')).toEqualTypeOf<Task<View | undefined>>();
  expectTypeOf(client.setSync('k', user)).toEqualTypeOf<true>();
  expectTypeOf(client.post('k', user)).resolves.toEqualTypeOf<boolean>();
  expectTypeOf(client.cas('k', 0, user)).resolves.toEqualTypeOf<boolean>();
  expectTypeOf(client.mget(['k'])).resolves.toEqualTypeOf<(User | undefined)[]>();
  expectTypeOf(client.mset({ k: user })).resolves.toEqualTypeOf<true>();
  expectTypeOf(client.mdelSync(['k'])).toEqualTypeOf<number>();
  expectTypeOf(client.sizeSync()).toEqualTypeOf<number>();
  expectTypeOf(client.stats()).resolves.toEqualTypeOf<KvsStatistics>();
  expectTypeOf(client.submit('get', 'k')).toEqualTypeOf<Task<User | undefined>>();
  expectTypeOf(client.submit('mget', ['k'])).toEqualTypeOf<Task<(User | undefined)[]>>();
  expectTypeOf(client.submit('size')).toEqualTypeOf<Task<number>>();
  expectTypeOf(client.submit('get', 'k').waitSync()).toEqualTypeOf<User | undefined>();
  expectTypeOf(client.keys()).toEqualTypeOf<AsyncGenerator<string, void, undefined>>();
  expectTypeOf(client.entriesSync()).toEqualTypeOf<Generator<[string, User], void, undefined>>();
  const raw = await openClient({ name, keyEncoding: 'buffer' });
  expectTypeOf(raw.entriesSync()).toEqualTypeOf<Generator<[Buffer, string], void, undefined>>();
});

test('wrong uses do not compile', async () => {
  const client = await openClient({ name, codec: 'int32' });
  // Never called: only their types count.
  const wrong = [
    // @ts-expect-error a value of another type
    () => client.set('k', 'text'),
    // @ts-expect-error no such operation
    () => client.submit('nonsense', 'k'),
    // @ts-expect-error the bytes of a view are given
    () => ((client.getViewSync('k') as View).bytes = Buffer.of(1)),
    // @ts-expect-error a missing value
    () => client.submit('set', 'k'),
    // @ts-expect-error a key that is no key
    () => client.get(1),
    // @ts-expect-error an option that is none
    () => client.get('k', { timeout: 5 }),
    // @ts-expect-error no name
    () => KvsClient.connect({}),
    // @ts-expect-error no such codec
    () => KvsClient.connect({ name, codec: 'xml' }),
  ];
  expectTypeOf(wrong).toBeArray();
  expectTypeOf<KvsServer>().not.toHaveProperty('threads');
});
