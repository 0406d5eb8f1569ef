/** Wrong arguments are refused at once, with what was expected and what came. */
import { expect, test } from 'vitest';

import { KvsClient, KvsServer } from '#dist/index.js';

import { closing, shareServer } from '../fixtures/service.js';

const name = shareServer();
/** Arguments that the types forbid. */
const wrong = (value: unknown): never => value as never;

test('keys and prefixes that are none', async () => {
  const client = closing(await KvsClient.connect({ name }));
  const cases: [unknown, string][] = [
    [undefined, 'got undefined'],
    [null, 'got null'],
    [1, 'got number 1'],
    [{}, 'got Object'],
    [['a'], 'got Array'],
    [new Uint16Array(2), 'got Uint16Array'],
    [Symbol('k'), 'got symbol'],
  ];
  // Whether or not something else is on its way.
  void client.set('busy', 'x');
  for (const [key, got] of cases) {
    const message = new RegExp(`key must be a string or a Uint8Array, ${got}`);
    expect(() => client.getSync(wrong(key))).toThrow(message);
    expect(() => client.setSync(wrong(key), 'v')).toThrow(TypeError);
    await expect(client.get(wrong(key))).rejects.toThrow(message);
    await expect(client.exists(wrong(key))).rejects.toThrow(message);
    await expect(client.incr(wrong(key))).rejects.toThrow(message);
    await expect(client.mget([wrong(key)])).rejects.toThrow(message);
    expect(() => client.submit('del', wrong(key))).toThrow(message);
    if (key === undefined) continue;
    await expect(client.keys(wrong(key)).next()).rejects.toThrow(`prefix must be a string or a Uint8Array, ${got}`);
    expect(() => client.entriesSync(wrong(key)).next()).toThrow(TypeError);
  }
  expect(() => client.keysSync('\ud800').next()).toThrow('prefix must be well-formed');
  expect(() => client.keysSync('p'.repeat(1025)).next()).toThrow('at most 1024 bytes');
});

test('batches of what is no batch', async () => {
  const client = closing(await KvsClient.connect({ name }));
  for (const keys of ['text', undefined, null, 5, { a: 1 }]) {
    await expect(client.mget(wrong(keys))).rejects.toThrow(/keys must be an iterable of keys, got/);
    expect(() => client.mdelSync(wrong(keys))).toThrow(/keys must be an iterable of keys, got/);
  }
  for (const entries of ['text', undefined, null, 5]) {
    await expect(client.mset(wrong(entries))).rejects.toThrow(/mset takes an iterable of \[key, value\].*, got/);
  }
  for (const pair of ['ab', 1, ['a'], ['a', 'b', 'c'], null]) {
    expect(() => client.msetSync(wrong([pair]))).toThrow(/mset takes \[key, value\], got/);
  }
});

test('numbers, versions, deadlines and operations that are none', async () => {
  const client = closing(await KvsClient.connect({ name }));
  for (const by of [Number.NaN, Infinity, '1', 1n]) {
    await expect(client.incr('n', wrong(by))).rejects.toThrow(/incr adds a finite number, got/);
  }
  for (const version of [-1, 1.5, Number.NaN, 2 ** 53, '1', undefined]) {
    await expect(client.cas('k', wrong(version), 'v')).rejects.toThrow(
      /expectedVersion must be a version from getEntry/,
    );
  }
  for (const timeoutMs of [-1, Number.NaN, Infinity, 86_400_001, '5', null]) {
    const options = { timeoutMs: wrong(timeoutMs) };
    await expect(client.set('k', 'v', options)).rejects.toThrow(/timeoutMs must be a number of milliseconds from 0/);
    expect(() => client.pingSync(options)).toThrow(RangeError);
    await expect(client.submit('ping').wait(wrong(timeoutMs))).rejects.toThrow(RangeError);
    expect(() => client.submit('ping').waitSync(wrong(timeoutMs))).toThrow(RangeError);
  }
  for (const operation of ['nonsense', 'constructor', 'scan2', '', undefined, 5, 'toString']) {
    expect(() => (client.submit as (name: unknown) => unknown).call(client, operation)).toThrow(
      /submit takes the name of an operation.*, got/,
    );
  }
});

test('client options', async () => {
  const cases: [object | undefined, RegExp][] = [
    [undefined, /invalid client options: .*got undefined/],
    [{}, /name: .*got undefined/],
    [{ name: '' }, /name: expected 1 to 64 characters.*got string ""/],
    [{ name: 'a/b' }, /name: expected 1 to 64 characters.*got string "a\/b"/],
    [{ name: 'x'.repeat(65) }, /name: expected 1 to 64 characters/],
    [{ name, timeoutMs: -1 }, /timeoutMs: .*got number -1/],
    [{ name, timeoutMs: '5' }, /timeoutMs: expected milliseconds.*got string "5"/],
    [{ name, keyEncoding: 'hex' }, /keyEncoding: .*got string "hex"/],
    [{ name, nonsense: 1 }, /nonsense/],
    [{ name, codec: 'xml' }, /codec must be one of utf8.*got string "xml"/],
    [{ name, codec: { encode: 1 } }, /codec must be one of/],
    [{ name, autostart: 'yes' }, /autostart: .*got string "yes"/],
    [{ name, shmDir: '' }, /shmDir/],
  ];
  for (const [options, message] of cases) {
    await expect(KvsClient.connect(wrong(options)), JSON.stringify(options)).rejects.toThrow(message);
    await expect(KvsClient.connect(wrong(options))).rejects.toThrow(TypeError);
  }
});

test('server options', async () => {
  const cases: [object | undefined, RegExp][] = [
    [undefined, /invalid server options/],
    [{ name: '..//' }, /name: expected 1 to 64 characters/],
    [{ name, workers: 0 }, /workers: .*got number 0/],
    [{ name, workers: 33 }, /workers: .*got number 33/],
    [{ name, slots: 17 }, /slots: expected a power of two from 16 to 4096, got number 17/],
    [{ name, slots: 8 }, /slots: .*got number 8/],
    [{ name, stripes: 3 }, /stripes: expected a power of two/],
    [{ name, maxMemory: 1000 }, /maxMemory: .*got number 1000/],
    [{ name, maxMemory: 4 * 2 ** 20, maxValueBytes: 2 ** 20 + 1 }, /maxValueBytes: expected at most a quarter/],
    [{ name, onEvent: 1 }, /onEvent/],
    [{ name, nonsense: 1 }, /nonsense/],
  ];
  for (const [options, message] of cases) {
    await expect(KvsServer.start(wrong(options)), JSON.stringify(options)).rejects.toThrow(message);
    await expect(KvsServer.start(wrong(options))).rejects.toThrow(TypeError);
  }
});

test('bytes that are not there any more, or cannot be read, are refused, and keep no slot', async () => {
  const client = closing(await KvsClient.connect({ name, codec: 'buffer' }));
  const gone = new Uint8Array(8);
  structuredClone(gone, { transfer: [gone.buffer] });
  const message = 'must have its bytes, got an array whose memory was transferred';
  await expect(client.set('k', wrong(gone))).rejects.toThrow(`value ${message}`);
  expect(() => client.setSync('k', wrong(gone))).toThrow(`value ${message}`);
  // It has the prototype and says its length, but the addon finds no array.
  const hollow = new Proxy(new Uint8Array(300), {
    get: (array, property) => Reflect.get(array, property, array) as unknown,
  });
  const { inUse } = (await client.stats()).slots;
  for (let i = 0; i < 20; i++) {
    await expect(client.set('k', wrong(hollow))).rejects.toThrow('source: expected a Uint8Array');
    expect(() => client.setSync('k', wrong(hollow))).toThrow('source: expected a Uint8Array');
  }
  expect((await client.stats()).slots.inUse).toBe(inUse);
  expect(await client.get('k')).toBeUndefined();
});

test('an array into which a value is read keeps its own ways to itself', async () => {
  const client = closing(await KvsClient.connect({ name, codec: 'buffer' }));
  client.setSync('small', Buffer.from('abc'));
  class Nosy extends Uint8Array {
    override set(): void {
      throw new Error('was handed shared memory');
    }
  }
  const target = new Nosy(4);
  expect(client.getIntoSync('small', target)).toBe(3);
  expect([...target]).toEqual([97, 98, 99, 0]);
});
