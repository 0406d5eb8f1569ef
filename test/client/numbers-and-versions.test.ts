/** incr in every form a number has, to its limits; cas against versions that never repeat. */
import { expect, test } from 'vitest';

import { type CodecName, KvsClient } from '#dist/index.js';

import { closing, connect, failureOf, openClient, shareServer } from '../fixtures/service.js';

const name = shareServer();

async function connectAs(codec: CodecName) {
  const client = await openClient({ name, codec: codec as 'json' });
  await client.flush();
  return client;
}

test.each(['utf8', 'buffer', 'json', 'int32', 'float64'] as const)('incr with codec %s', async (codec) => {
  const client = await connectAs(codec);
  expect(await client.incr('n')).toBe(1);
  expect(await client.incr('n', 0)).toBe(1);
  expect(client.incrSync('n', -11)).toBe(-10);
  expect(await client.submit('incr', 'n', 110)).toBe(100);
  const asStored = { utf8: '100', buffer: Buffer.from('100'), json: 100, int32: 100, float64: 100 };
  expect(await client.get('n')).toEqual(asStored[codec]);
});

test('the number keeps the form in which it is stored, whoever adds to it', async () => {
  const int32 = await connectAs('int32');
  const float64 = await connectAs('float64');
  const text = await connectAs('utf8');
  await int32.set('i', 5);
  expect(await text.incr('i', 2)).toBe(7);
  expect(await int32.get('i')).toBe(7);
  expect((await failureOf(float64.get('i'))).code).toBe('ERR_KVS_CODEC');
  await text.set('t', '1.5');
  expect(await int32.incr('t', 1)).toBe(2.5);
  expect(await text.get('t')).toBe('2.5');
  await float64.set('f', 0.1);
  expect(await float64.incr('f', 0.2)).toBe(0.1 + 0.2);
  await text.set('e', '1e3');
  expect(await text.incr('e', -1)).toBe(999);
  await text.set('negative', '-7');
  expect(await text.incr('negative', 0.5)).toBe(-6.5);
});

test('what is no number, and sums out of range, are refused and change nothing', async () => {
  const text = await connectAs('utf8');
  for (const value of [
    '',
    ' 1',
    '1 ',
    '0x10',
    'NaN',
    'Infinity',
    '1,5',
    '.5',
    '1.',
    '--1',
    '+1',
    '٣',
    '1'.repeat(400),
  ]) {
    await text.set('n', value);
    const failure = await failureOf(text.incr('n'));
    expect(failure, value).toMatchObject({ code: 'ERR_KVS_NOT_A_NUMBER', executed: 'no' });
    expect(await text.get('n')).toBe(value);
  }
  const max = Number.MAX_SAFE_INTEGER;
  await text.set('n', String(max));
  expect((await failureOf(text.incr('n'))).code).toBe('ERR_KVS_NOT_A_NUMBER');
  expect(await text.incr('n', -max)).toBe(0);
  expect(await text.incr('n', -max)).toBe(-max);
  expect((await failureOf(() => text.incrSync('n', -1))).code).toBe('ERR_KVS_NOT_A_NUMBER');

  const int32 = await connectAs('int32');
  await int32.set('i', 2 ** 31 - 2);
  expect(await int32.incr('i')).toBe(2 ** 31 - 1);
  for (const by of [1, 0.5, 2 ** 40]) {
    expect((await failureOf(int32.incr('i', by))).code).toBe('ERR_KVS_NOT_A_NUMBER');
  }
  expect(await int32.incr('i', -(2 ** 32) + 1)).toBe(-(2 ** 31));
  expect((await failureOf(int32.incr('i', -1))).code).toBe('ERR_KVS_NOT_A_NUMBER');
  expect(await int32.get('i')).toBe(-(2 ** 31));

  const float64 = await connectAs('float64');
  await float64.set('f', 1.7e308);
  expect((await failureOf(float64.incr('f', 1.7e308))).code).toBe('ERR_KVS_NOT_A_NUMBER');
  await float64.set('f', Number.NaN);
  expect((await failureOf(float64.incr('f'))).code).toBe('ERR_KVS_NOT_A_NUMBER');

  const custom = closing(
    await KvsClient.connect({
      name,
      timeoutMs: 60_000,
      codec: { encode: (value: string) => value, decode: (bytes) => bytes.toString() },
    }),
  );
  await custom.set('c', '1');
  expect((await failureOf(custom.incr('c'))).code).toBe('ERR_KVS_NOT_A_NUMBER');
  expect((await failureOf(custom.incr('missing'))).code).toBe('ERR_KVS_NOT_A_NUMBER');
  expect(await custom.exists('missing')).toBe(false);
});

test('many who add at once lose no addition', async () => {
  const clients = await Promise.all(Array.from({ length: 4 }, () => connect(name)));
  await clients[0].flush();
  const sums = await Promise.all(
    Array.from({ length: 4000 }, (_, i) => clients[i % 4].incr(`n${i % 2}`, i % 4 === 0 ? 3 : 1)),
  );
  expect(new Set(sums.filter((_, i) => i % 2 === 0)).size).toBe(2000);
  expect(await clients[0].mget(['n0', 'n1'])).toEqual(['4000', '2000']);
});

test('of many who insert one key, exactly one does', async () => {
  const clients = await Promise.all(Array.from({ length: 4 }, () => connect(name)));
  await clients[0].flush();
  for (let round = 0; round < 300; round++) {
    const key = `post ${round}`;
    const won = await Promise.all(clients.map((client, i) => client.post(key, `${i}`)));
    expect(won.filter(Boolean).length).toBe(1);
    expect(await clients[round % 4].get(key)).toBe(`${won.indexOf(true)}`);
  }
});

test('versions rise with every write and never come again, also after del', async () => {
  const client = await connect(name);
  await client.flush();
  const seen: number[] = [];
  const note = async (): Promise<number> => {
    const version = (await client.getEntry('k'))?.version ?? 0;
    seen.push(version);
    return version;
  };
  for (let round = 0; round < 20; round++) {
    await client.set('k', 'same');
    const version = await note();
    await client.del('k');
    expect(await client.cas('k', version, 'late')).toBe(false);
    expect(await client.exists('k')).toBe(false);
    expect(await client.cas('k', 0, 'same')).toBe(true);
    expect(await client.cas('k', version, 'late')).toBe(false);
    expect(await client.cas('k', await note(), 'same')).toBe(true);
    await note();
    if (round % 3 === 0) await client.flush();
  }
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  expect(new Set(seen).size).toBe(seen.length);
  expect(await client.getEntry('k')).toEqual({ value: 'same', version: seen.at(-1) });
  await client.get('k');
  await client.exists('k');
  expect((await client.getEntry('k'))?.version).toBe(seen.at(-1));
});

test('of many who swap one version, exactly one does', async () => {
  const clients = await Promise.all(Array.from({ length: 4 }, () => connect(name)));
  await clients[0].set('k', 'start');
  for (let round = 0; round < 100; round++) {
    const version = (await clients[0].getEntry('k'))?.version ?? 0;
    const won = await Promise.all(clients.map((client, i) => client.cas('k', version, `${round} by ${i}`)));
    expect(won.filter(Boolean).length).toBe(1);
    expect(await clients[round % 4].get('k')).toBe(`${round} by ${won.indexOf(true)}`);
  }
});

// Seen to fail when the digits are rounded to what a number holds (the sum is 9007199254740982).
test('digits that a number does not hold are no number, though the sum would be one', async () => {
  const text = await connectAs('utf8');
  await text.set('n', '9007199254740993');
  expect((await failureOf(text.incr('n', -10))).code).toBe('ERR_KVS_NOT_A_NUMBER');
  expect(await text.get('n')).toBe('9007199254740993');
});
