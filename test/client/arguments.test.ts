/** Wrong arguments are refused at once, with what was expected and what came. */
import { expect, test, vi } from 'vitest';

import { KvsClient, KvsServer } from '#dist/index.js';
import { native } from '#dist/native.js';

import { closing, openClient, shareServer, startServer } from '../fixtures/service.js';

const name = shareServer();
/** Arguments that the types forbid. */
const wrong = (value: unknown): never => value as never;

test('keys and prefixes that are none', async () => {
  const client = await openClient({ name });
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
  const client = await openClient({ name });
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
  const client = await openClient({ name });
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
    [
      { name, maxMemory: 2 ** 32, dir: '/tmp/log' },
      /maxMemory: expected at most \d+ beside a log \(dir\), got 4294967296/,
    ],
    [{ name, onEvent: 1 }, /onEvent/],
    [{ name, nonsense: 1 }, /nonsense/],
  ];
  for (const [options, message] of cases) {
    await expect(KvsServer.start(wrong(options)), JSON.stringify(options)).rejects.toThrow(message);
    await expect(KvsServer.start(wrong(options))).rejects.toThrow(TypeError);
  }
});

test('bytes that are not there any more, or are none, are refused, and keep no slot', async () => {
  const client = await openClient({ name, codec: 'buffer' });
  const gone = new Uint8Array(8);
  structuredClone(gone, { transfer: [gone.buffer] });
  const message = 'must have its bytes, got an array whose memory was transferred';
  await expect(client.set('k', wrong(gone))).rejects.toThrow(`value ${message}`);
  expect(() => client.setSync('k', wrong(gone))).toThrow(`value ${message}`);
  const shrunk = Reflect.construct(ArrayBuffer, [16, { maxByteLength: 16 }]) as ArrayBuffer & {
    resize(to: number): void;
  };
  const outside = new Uint8Array(shrunk, 8, 8);
  shrunk.resize(4);
  const where = 'must have its bytes, got an array that begins or ends behind its buffer';
  await expect(client.set('k', wrong(outside))).rejects.toThrow(`value ${where}`);
  // They have the prototype and say their lengths, but are no arrays, or of something else.
  const hollow = new Proxy(new Uint8Array(300), {
    get: (array, property) => Reflect.get(array, property, array) as unknown,
  });
  const empty = Object.create(Uint8Array.prototype, { length: { value: 300 } }) as object;
  const wide = Object.setPrototypeOf(new Uint16Array(8), Uint8Array.prototype) as object;
  const { inUse } = (await client.stats()).slots;
  for (const array of [hollow, empty, wide]) {
    const got = array === hollow ? 'Proxy' : 'Uint8Array';
    await expect(client.set('k', wrong(array))).rejects.toThrow(`codec buffer takes a Uint8Array, got ${got}`);
    expect(() => client.setSync('k', wrong(array))).toThrow(`codec buffer takes a Uint8Array, got ${got}`);
    expect(() => client.delSync(wrong(array))).toThrow(`key must be a string or a Uint8Array, got ${got}`);
    await expect(client.mget([wrong(array)])).rejects.toThrow(`key must be a string or a Uint8Array, got ${got}`);
    expect(() => client.getIntoSync('k', wrong(array))).toThrow(`target must be a Uint8Array, got ${got}`);
  }
  expect((await client.stats()).slots.inUse).toBe(inUse);
  expect(await client.get('k')).toBeUndefined();
});

test('a request that cannot be written to its end keeps no slot and no extent', async () => {
  // Its client may hold less than the calls that fail here would.
  const server = await startServer({ maxSlotsPerClient: 4, maxArenaPerClient: 16 * 1024 });
  const client = await openClient({ name: server.name, codec: 'buffer', reads: 'server' });
  const before = await client.stats();
  const copy = vi.spyOn(native, 'copyBytes').mockImplementation(() => {
    throw new RangeError('Maximum call stack size exceeded');
  });
  for (const value of [Buffer.alloc(300), Buffer.alloc(6000)]) {
    for (let i = 0; i < 10; i++) {
      await expect(client.set('k', value)).rejects.toThrow('stack size');
      expect(() => client.setSync('k', value)).toThrow('stack size');
      await expect(client.mset([['k', value]])).rejects.toThrow('stack size');
    }
  }
  copy.mockRestore();
  const { slots, memory } = await client.stats();
  expect(slots.inUse).toBe(before.slots.inUse);
  expect(memory.arenaUsedBytes).toBe(before.memory.arenaUsedBytes);
  expect(client.getSync('k')).toBeUndefined();
  expect(client.setSync('k', Buffer.alloc(15_000))).toBe(true);
});

/** Says of itself, each time it is asked, something else than what is true. */
class Liar extends Uint8Array {
  readonly #lengths: number[];

  private constructor(bytes: Uint8Array, lengths: number[]) {
    super(bytes);
    this.#lengths = lengths;
  }

  static made(bytes: Uint8Array, lengths: number[]): Buffer {
    return new Liar(bytes, [...lengths]) as unknown as Buffer;
  }

  override get length(): number {
    return this.#lengths.shift() ?? 3;
  }

  override get buffer(): never {
    throw new Error('was asked for its memory');
  }

  override [Symbol.iterator](): never {
    throw new Error('was asked for its bytes');
  }
}

const LIES = { 'always 3': [], 'a larger one': [4096, 4096, 4096], none: Array.from({ length: 100 }, () => 0) };

test.each(Object.entries(LIES))(
  'an array that says of its length %s is stored as it is, and nothing beside it is written',
  async (_, lengths) => {
    const lying = (array: Uint8Array) => Liar.made(array, lengths);
    const itself = { encode: (value: Buffer) => value, decode: (bytes: Buffer) => bytes };
    const clients = await Promise.all([
      KvsClient.connect({ name, codec: 'buffer' }),
      KvsClient.connect({ name, codec: 'buffer', reads: 'server' }),
      KvsClient.connect({ name, codec: itself }),
    ]);
    for (const client of clients.map(closing)) {
      for (const bytes of [20, 300, 900, 5000, 70_000]) {
        const [key, value] = [Buffer.alloc(Math.min(bytes, 1000), `${bytes}`), Buffer.alloc(bytes, 'value')];
        const isValue = (found: Buffer | undefined) => found?.equals(value);
        // Slots and chunks beside those of the request are in use when it is written.
        const around = Array.from({ length: 16 }, (_value, i) => Buffer.alloc(300 * i, 'around'));
        const before = around.slice(8).map((other, i) => client.set(`around ${8 + i}`, other));
        const between = client.set(lying(key), lying(value));
        const behind = around.slice(0, 8).map((other, i) => client.set(`around ${i}`, other));
        expect(await Promise.all([...before, between, ...behind])).toEqual(Array(17).fill(true));
        for (const [i, other] of around.entries()) expect(client.getSync(`around ${i}`)?.equals(other)).toBe(true);
        expect(isValue(await client.get(key))).toBe(true);
        expect(isValue(client.getSync(lying(key)))).toBe(true);
        expect((await client.mget([lying(key), 'none', lying(key)])).map(isValue)).toEqual([true, undefined, true]);
        expect(client.delSync(lying(key))).toBe(true);
        expect(
          await client.mset([
            [lying(key), lying(value)],
            ['last', lying(value)],
          ]),
        ).toBe(true);
        expect(client.mgetSync([key, 'last']).map(isValue)).toEqual([true, true]);
        expect([...client.keysSync(lying(key))]).toEqual([key.toString()]);
      }
      expect(client.setSync('empty', lying(Buffer.alloc(0)))).toBe(true);
      expect(client.getSync('empty')).toEqual(Buffer.alloc(0));
      expect(() => client.setSync(lying(Buffer.alloc(1025)), Buffer.from('x'))).toThrow('got 1025');
      expect(() => client.getSync(lying(Buffer.alloc(0)))).toThrow('at least one byte');
    }
  },
);

test('bytes are read into an array that lies about its length only if there is room', async () => {
  const client = await openClient({ name, codec: 'buffer' });
  client.setSync('value', Buffer.alloc(400, 'v'));
  const small = Liar.made(Buffer.alloc(399), [1000, 1000]);
  expect(() => client.getIntoSync('value', small)).toThrow('the value has 400 bytes, the target only 399');
  const large = Liar.made(Buffer.alloc(400), [0, 0]);
  expect(client.getIntoSync('value', large)).toBe(400);
  expect([large[0], large[399]]).toEqual([0x76, 0x76]);
});

test('an array into which a value is read keeps its own ways to itself', async () => {
  const client = await openClient({ name, codec: 'buffer' });
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

test('options that are none, on every path', async () => {
  const client = await openClient({ name });
  const through = await openClient({ name, reads: 'server' });
  await client.set('k', 'v');
  for (const options of [null, 5, 'x', true, ['timeoutMs'], () => 1]) {
    const message = /options must be an object such as \{ timeoutMs: 1000 \}, got /;
    for (const one of [client, through]) {
      expect(() => one.getSync('k', wrong(options))).toThrow(message);
      await expect(one.get('k', wrong(options))).rejects.toThrow(message);
      await expect(one.getView('k', wrong(options))).rejects.toThrow(message);
      await expect(one.getInto('k', Buffer.alloc(1), wrong(options))).rejects.toThrow(message);
      await expect(one.mget(['k'], wrong(options))).rejects.toThrow(message);
      await expect(one.keys('', wrong(options)).next()).rejects.toThrow(message);
      await expect(one.exists('k', wrong(options))).rejects.toThrow(message);
    }
    await expect(client.set('k', 'w', wrong(options))).rejects.toThrow(message);
    await expect(client.mset([['k', 'w']], wrong(options))).rejects.toThrow(message);
    await expect(client.del('k', wrong(options))).rejects.toThrow(message);
    expect(() => client.incrSync('n', 1, wrong(options))).toThrow(message);
    await expect(client.ping(wrong(options))).rejects.toThrow(message);
    await expect(client.stats(wrong(options))).rejects.toThrow(message);
  }
  expect(await client.get('k')).toBe('v');
  expect(await client.exists('n')).toBe(false);
});
