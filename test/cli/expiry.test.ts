/** Keys that expire, on the command line and in scripts of the shell. */
import { expect, test } from 'vitest';

import { runClient, startServer } from '../fixtures/cli.js';

const HOUR = 3_600_000;

test('set, expire, persist and ttl', async () => {
  const { name } = await startServer();
  const run = async (...args: string[]): Promise<[number | null, string]> => {
    const { code, stdout, stderr } = await runClient(['--name', name, ...args]);
    expect(stderr).toBe('');
    return [code, stdout.trim()];
  };
  expect(await run('set', '--ttl', '2h', 'a', '1')).toEqual([0, 'OK']);
  const [code, left] = await run('ttl', 'a');
  expect(code).toBe(0);
  expect(Number(left) > HOUR && Number(left) <= 2 * HOUR).toBe(true);
  expect(await run('set', 'a', '2', '--keep-ttl')).toEqual([0, 'OK']);
  expect(Number((await run('ttl', 'a'))[1])).toBeGreaterThan(HOUR);
  expect(await run('persist', 'a')).toEqual([0, 'true']);
  expect(await run('persist', 'a')).toEqual([1, 'false']);
  expect(await run('ttl', 'a')).toEqual([0, 'never']);
  expect(await run('--json', 'ttl', 'a')).toEqual([0, '{"found":true,"ttlMs":null}']);
  expect(await run('expire', 'a', '30m')).toEqual([0, 'true']);
  expect(Number((await run('ttl', 'a'))[1])).toBeLessThanOrEqual(HOUR / 2);
  expect(await run('expire', 'none', '30m')).toEqual([1, 'false']);
  expect(await run('ttl', 'none')).toEqual([1, '']);
  expect(await run('--json', 'ttl', 'none')).toEqual([1, '{"found":false}']);
  expect(await run('post', '--expires-at', '2001-01-01T00:00:00Z', 'b', '1')).toEqual([0, 'true']);
  expect(await run('get', 'b')).toEqual([1, '']);
  const at = Date.now() + HOUR;
  expect(await run('mset', 'c', '1', 'd', '2', '--expires-at', String(at))).toEqual([0, 'OK']);
  const [, json] = await run('--json', 'getentry', 'd');
  expect(Math.abs((JSON.parse(json) as { expiresAt: number }).expiresAt - at)).toBeLessThanOrEqual(2);
});

test.each<[string[], string]>([
  [['set', '--ttl', 'soon', 'a', '1'], '--ttl: expected a time such as 1500 (milliseconds), 30s, 5m or 2h, got "soon"'],
  [['set', '--ttl', '0', 'a', '1'], '--ttl: expected a time such as'],
  [['set', '--expires-at', 'never', 'a', '1'], '--expires-at: expected milliseconds since 1970 or a date such as'],
  [
    ['set', '--ttl', '1', '--keep-ttl', 'a', '1'],
    'expected one of ttlMs, expiresAt and keepTtl, got ttlMs and keepTtl',
  ],
  [['expire', 'a', '-5'], 'got "-5"'],
  [['expire', 'a', 'x'], 'time: expected a time such as'],
])('%j is refused', async (args, message) => {
  const { name } = await startServer();
  const { code, stderr } = await runClient(['--name', name, ...args]);
  expect(stderr).toContain(message);
  expect(code).toBe(2);
});

test('in the shell, options stand where they like, and values may still begin with a dash', async () => {
  const { name } = await startServer();
  const input = [
    'set a -5 --ttl 1h',
    'get a',
    'set --ttl=1h b "--x"',
    'get b',
    'set c -- --ttl',
    'get c',
    'set d --',
    'get d',
    'set e 1 --ttl',
    'ttl c',
    'expire c 1d',
    'persist c',
  ];
  const { stdout, stderr } = await runClient(['--name', name], { input: input.join('\n') });
  expect(stderr.trim()).toBe('kvs-client: line 9: --ttl: expected <time> behind it');
  expect(stdout.trim().split('\n')).toEqual([
    'OK',
    '-5',
    'OK',
    '--x',
    'OK',
    '--ttl',
    'OK',
    '--',
    'never',
    'true',
    'true',
  ]);
});
