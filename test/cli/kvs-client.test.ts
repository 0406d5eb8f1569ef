import { randomBytes } from 'node:crypto';
import { spawnSync } from 'node:child_process';

import { describe, expect, test } from 'vitest';

import { OWNED } from '#dist/exchange/payload-arena.js';
import { nextFree, useOf } from '#dist/exchange/slot-word.js';
import { KvsClient, VERSION } from '#dist/index.js';

import { CLIENT, type ClientRun, runClient, Running, startServer } from '../fixtures/cli.js';
import { attachTestRegion, regionName } from '../fixtures/region.js';
import { freeze } from '../fixtures/service.js';

/** A server, and a way to run commands against it that gives what there is to see. */
async function started() {
  const { name, server } = await startServer();
  const kvs = async (args: readonly string[], run: ClientRun = {}) => {
    const { code, stdout, stderr } = await runClient(args, { ...run, environment: { KVS_NAME: name } });
    return { code, stdout, stderr };
  };
  const json = async (...args: string[]) => JSON.parse((await kvs(['--json', ...args])).stdout) as unknown;
  return { name, server, kvs, json };
}

/** A chunk of the first use of slot 0, which is free. */
function plantLeak(name: string): void {
  const { ctl, geometry } = attachTestRegion(name);
  ctl.words[geometry.chunkOwnersOffset / 4] = OWNED | useOf(0, nextFree(0));
}

const done = (stdout: string) => ({ code: 0, stdout, stderr: '' });
const no = (stdout: string) => ({ code: 1, stdout, stderr: '' });

describe('every command, for people and as JSON', () => {
  test('set, get, getentry, exists, del, getdel', async () => {
    const { kvs, json } = await started();
    expect(await kvs(['set', 'a', 'one two'])).toEqual(done('OK\n'));
    expect(await kvs(['get', 'a'])).toEqual(done('one two'));
    expect(await json('get', 'a')).toEqual({ key: 'a', found: true, value: 'one two', codec: 'utf8' });
    const { version } = (await json('getentry', 'a')) as { version: number };
    expect(await kvs(['getentry', 'a'])).toEqual(done(`${version}\none two`));
    expect(await json('getentry', 'a')).toMatchObject({ value: 'one two', version });
    expect(await kvs(['exists', 'a'])).toEqual(done('true\n'));
    expect(await json('exists', 'a')).toEqual({ exists: true });
    expect(await kvs(['getdel', 'a'])).toEqual(done('one two'));
    expect(await json('set', 'a', '2')).toEqual({ ok: true });
    expect(await json('getdel', 'a')).toMatchObject({ key: 'a', found: true, value: '2' });
    expect(await kvs(['set', 'a', '3', '--json'])).toEqual(done('{"ok":true}\n'));
    expect(await kvs(['del', 'a'])).toEqual(done('true\n'));
    expect(await json('del', 'a')).toEqual({ deleted: false });
  });

  test('the answer "no" is exit code 1, and no error', async () => {
    const { kvs, json } = await started();
    for (const command of ['get', 'getentry', 'getdel']) expect(await kvs([command, 'none'])).toEqual(no(''));
    for (const command of ['exists', 'del']) expect(await kvs([command, 'none'])).toEqual(no('false\n'));
    expect(await json('get', 'none')).toEqual({ key: 'none', found: false });
    await kvs(['set', 'a', '1']);
    expect(await kvs(['post', 'a', '2'])).toEqual(no('false\n'));
    expect(await kvs(['cas', 'a', '0', '2'])).toEqual(no('false\n'));
    expect(await kvs(['mget', 'a', 'none'])).toEqual(no('1\n(nil)\n'));
    expect(await kvs(['mdel', 'a', 'none'])).toEqual(no('1\n'));
  });

  test('post, cas, incr', async () => {
    const { kvs, json } = await started();
    expect(await json('post', 'a', 'x')).toEqual({ inserted: true });
    expect(await kvs(['post', 'b', 'x'])).toEqual(done('true\n'));
    const { version } = (await json('getentry', 'a')) as { version: number };
    expect(await json('cas', 'a', String(version + 1), 'y')).toEqual({ swapped: false });
    expect(await kvs(['cas', 'a', String(version), 'y'])).toEqual(done('true\n'));
    expect(await kvs(['incr', 'n'])).toEqual(done('1\n'));
    expect(await json('incr', 'n', '-5')).toEqual({ value: -4 });
    expect(await kvs(['get', 'n'])).toEqual(done('-4'));
    expect(await kvs(['incr', 'a'])).toMatchObject({ code: 5, stdout: '' });
  });

  test('mset, mget, mdel, size, flush', async () => {
    const { kvs, json } = await started();
    expect(await kvs(['mset', 'a', '1', 'b', 'two words'])).toEqual(done('OK\n'));
    expect(await json('mset', 'c', '3')).toEqual({ set: 1 });
    expect(await kvs(['mget', 'b', 'a'])).toEqual(done('two words\n1\n'));
    const { stdout } = await kvs(['--json', 'mget', 'a', 'z']);
    expect(stdout).toBe('{"key":"a","found":true,"value":"1","codec":"utf8"}\n{"key":"z","found":false}\n');
    expect(await kvs(['size'])).toEqual(done('3\n'));
    expect(await json('mdel', 'a', 'b')).toEqual({ deleted: 2 });
    expect(await json('size')).toEqual({ size: 1 });
    expect(await kvs(['flush'])).toEqual(done('OK\n'));
    expect(await json('flush', '--yes')).toEqual({ ok: true });
    expect(await kvs(['size'])).toEqual(done('0\n'));
  });

  test('keys and entries, all or by prefix', async () => {
    const { kvs } = await started();
    expect(await kvs(['keys'])).toEqual(done(''));
    await kvs(['mset', 'user:1', 'Ann Lee', 'user:2', 'Bob', 'x', '']);
    const sorted = async (...args: string[]) => (await kvs(args)).stdout.split('\n').sort();
    expect(await sorted('keys')).toEqual(['', 'user:1', 'user:2', 'x']);
    expect(await sorted('keys', 'user:')).toEqual(['', 'user:1', 'user:2']);
    expect(await sorted('--json', 'keys', 'x')).toEqual(['', '"x"']);
    expect(await sorted('entries')).toEqual(['', 'user:1 "Ann Lee"', 'user:2 Bob', 'x ""']);
    expect(await sorted('--json', 'entries', 'user:1')).toEqual([
      '',
      '{"key":"user:1","value":"Ann Lee","codec":"utf8"}',
    ]);
  });

  test('doctor', async () => {
    const { kvs, json, name, server } = await started();
    await kvs(['set', 'a', '1']);
    const { code, stdout, stderr } = await kvs(['doctor']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`^region +${name} \\(ready, a server holds it\\)$`, 'm'));
    expect(stdout).toMatch(/^keys +1, 0 overflow buckets$/m);
    expect(stdout).toMatch(/^entries +32 +32 B$/m);
    expect(stdout).toMatch(/\nEverything is accounted for\.\n$/);
    expect(await json('doctor')).toMatchObject({ ok: true, name, isServed: true, findings: [], map: { entries: 1 } });
    expect(await kvs(['doctor', '--archived'])).toMatchObject({ code: 3, stdout: '' });
    server.child.kill('SIGKILL');
    await server.ended;
    expect(await json('doctor')).toMatchObject({ ok: true, isServed: false, isExact: true, map: { entries: 1 } });
    plantLeak(name);
    const leaking = await kvs(['doctor']);
    expect(leaking).toMatchObject({ code: 1, stderr: '' });
    expect(leaking.stdout).toMatch(/^leak +chunk-stale +a chunk of a use that is over +1$/m);
    expect(leaking.stdout).toMatch(/^chunk-stale +chunk 0 +owner 0x40001000, slot 0/m);
    expect(leaking.stdout).toMatch(/\nNot everything is accounted for: 0 damaged, 1 leaked\.\n$/);
    expect(await json('doctor')).toMatchObject({ ok: false, findings: [{ severity: 'leak', what: 'chunk-stale' }] });
  });

  test('ping and stats', async () => {
    const { name, server, kvs, json } = await started();
    expect(await kvs(['ping'])).toEqual(done('PONG\n'));
    expect(await json('ping')).toEqual({ ok: true, ms: expect.any(Number) as number });
    await kvs(['set', 'a', '1']);
    const { code, stdout } = await kvs(['stats']);
    expect(code).toBe(0);
    expect(stdout).toContain(`${name} (version ${VERSION}, pid ${server.child.pid})`);
    expect(stdout).toMatch(/^operation +requests +errors$/m);
    expect(stdout).toMatch(/^set +1 +0$/m);
    expect(await json('stats')).toMatchObject({ name, entries: 1, operations: { set: { count: 1, errors: 0 } } });
  });
});

describe('bytes', () => {
  test.each([
    ['of every kind', Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))],
    ['none', Buffer.alloc(0)],
    ['that end in newlines', Buffer.from('a\r\n\n')],
    ['too many for a pipe at once', randomBytes(400_000)],
  ])('%s go in by stdin and come out the same', async (_, value) => {
    const { name } = await startServer();
    for (const args of [
      ['set', 'a'],
      ['set', 'a', '-'],
      ['cas', 'b', '0'],
      ['post', 'c', '-'],
    ]) {
      expect(await runClient([...args, '--name', name], { input: value })).toMatchObject({ code: 0, stderr: '' });
    }
    for (const key of ['a', 'b', 'c']) {
      const { bytes } = await runClient(['get', key, '--name', name]);
      expect(bytes.equals(value)).toBe(true);
    }
  });

  test('that are no UTF-8 are base64 in JSON, and written as raw bytes', async () => {
    const { kvs, json } = await started();
    await kvs(['set', 'a'], { input: Buffer.from([0xff, 0x00]) });
    expect(await json('get', 'a')).toEqual({ key: 'a', found: true, value: { base64: '/wA=' }, codec: 'buffer' });
    expect((await kvs(['entries'])).stdout).toBe(String.raw`a "\xff\x00"` + '\n');
  });

  test('a value that begins with a dash goes behind --', async () => {
    const { kvs } = await started();
    expect(await kvs(['set', 'a', '--', '--x'])).toEqual(done('OK\n'));
    expect(await kvs(['get', 'a'])).toEqual(done('--x'));
  });
});

describe('codecs', () => {
  test('what --codec writes, clients of that codec read', async () => {
    const { name, kvs } = await started();
    await kvs(['--codec', 'json', 'set', 'j', '{"a": [1]}']);
    await kvs(['--codec', 'int32', 'set', 'i', '-7']);
    await kvs(['--codec', 'float64', 'set', 'f', '2.5']);
    await kvs(['--codec', 'buffer', 'set', 'b', 'raw']);
    await kvs(['set', 'u', 'täxt']);
    const read = async (codec: 'json' | 'int32' | 'float64' | 'buffer' | 'utf8', key: string) => {
      await using client = await KvsClient.connect({ name, codec: codec as 'json' });
      return client.getSync(key);
    };
    expect(await read('json', 'j')).toEqual({ a: [1] });
    expect(await read('int32', 'i')).toBe(-7);
    expect(await read('float64', 'f')).toBe(2.5);
    expect(await read('buffer', 'b')).toEqual(Buffer.from('raw'));
    expect(await read('utf8', 'u')).toBe('täxt');
  });

  test('values are read byte for byte whatever wrote them, or as --codec says', async () => {
    const { name, kvs, json } = await started();
    await using client = await KvsClient.connect({ name, codec: 'int32' });
    await client.set('i', 65);
    expect(await kvs(['get', 'i'])).toEqual(done('A\0\0\0'));
    expect(await kvs(['--codec', 'int32', 'get', 'i'])).toEqual(done('65'));
    expect(await json('get', 'i')).toMatchObject({ value: 65, codec: 'int32' });
    expect(await kvs(['--codec', 'int32', 'incr', 'i', '2'])).toEqual(done('67\n'));
    await kvs(['--codec', 'json', 'set', 'j', '[1, {"a":null}]']);
    expect(await kvs(['get', 'j'])).toEqual(done('[1, {"a":null}]'));
    expect(await json('get', 'j')).toMatchObject({ value: [1, { a: null }], codec: 'json' });
    const wrong = await kvs(['--codec', 'utf8', 'get', 'i']);
    expect(wrong).toMatchObject({ code: 5, stdout: '' });
    expect(wrong.stderr).toMatch(/^kvs-client: .*int32.*\(ERR_KVS_CODEC\)\n$/);
  });

  test('numbers that JSON cannot say are text', async () => {
    const { kvs, json } = await started();
    await kvs(['--codec', 'float64', 'set', 'f', '--', '-Infinity']);
    expect(await json('get', 'f')).toMatchObject({ value: '-Infinity', codec: 'float64' });
  });

  test('values of several kinds go in by one mset', async () => {
    const { kvs, json } = await started();
    await kvs([], { input: String.raw`mset a text b "\xff" a "\xfe" c more` });
    expect(await json('get', 'a')).toMatchObject({ value: { base64: '/g==' }, codec: 'buffer' });
    expect(await json('get', 'c')).toMatchObject({ value: 'more', codec: 'utf8' });
  });
});

describe('errors are one line and an exit code', () => {
  test.each<[string[], string]>([
    [['foo'], 'unknown command "foo"'],
    [['get'], "missing required argument 'key'"],
    [['get', 'a', 'b'], 'too many arguments'],
    [['mset', 'a'], 'mset takes keys and values in turn'],
    [['incr', 'a', 'x'], 'by: expected a number, got "x"'],
    [['cas', 'a', '1.5', 'v'], 'version: expected a whole number from 0, got "1.5"'],
    [['--codec', 'xml', 'get', 'a'], "option '--codec <codec>' argument 'xml' is invalid"],
    [['--codec', 'json', 'set', 'a', '{'], 'the value is not JSON'],
    [['--codec', 'int32', 'set', 'a', '3000000000'], 'the value must be int32, got "3000000000"'],
    [['--timeout', 'soon', 'get', 'a'], '--timeout: expected a number'],
    [['--nmae', 'x', 'get', 'a'], "unknown option '--nmae'"],
    [['--name', 'a/b', 'get', 'a'], '--name: expected 1 to 64 characters'],
    [['bench', '--clients', '0'], '--clients: expected a whole number from 1 to 64'],
    [['bench', '--value-bytes', 'x'], '--value-bytes: expected a size'],
  ])('%j is wrong usage: 2', async (args, message) => {
    const { code, stdout, stderr } = await runClient(['--name', regionName(), ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.split('\n')[0]).toContain(`kvs-client: ${message}`);
  });

  test('an empty key is wrong usage too', async () => {
    const { kvs } = await started();
    const { code, stderr } = await kvs(['get', '']);
    expect(code).toBe(2);
    expect(stderr).toContain('key must have at least one byte');
  });

  test('no server is 3', async () => {
    const { code, stdout, stderr } = await runClient(['get', 'a', '--name', regionName()]);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(/^kvs-client: no server named .*\(ERR_KVS_NO_REGION\)\n$/);
  });

  test('a timeout is 4', async () => {
    const { kvs, server } = await started();
    freeze(server.child);
    const { code, stderr } = await kvs(['--timeout', '20', 'set', 'a', '1']);
    expect(code).toBe(4);
    expect(stderr).toMatch(/^kvs-client: .*\(ERR_KVS_TIMEOUT\)\n$/);
  });

  test('any other error is 5', async () => {
    const { kvs } = await started();
    const { code, stderr } = await kvs(['set', 'a'], { input: Buffer.alloc(2 ** 19 + 1) });
    expect(code).toBe(5);
    expect(stderr).toMatch(/^kvs-client: .*\(ERR_KVS_TOO_LARGE\)\n$/);
  });
});

describe('the program', () => {
  test('--help names every command and exit code, --version the version', async () => {
    const { code, stdout } = await runClient(['--help']);
    expect(code).toBe(0);
    for (const text of ['getentry <key>', 'keys [prefix]', 'bench', 'Exit codes:', 'Examples:']) {
      expect(stdout).toContain(text);
    }
    expect(await runClient(['get', '--help'])).toMatchObject({ code: 0 });
    expect(await runClient(['--version'])).toMatchObject({ code: 0, stdout: `${VERSION}\n` });
  });

  test('a reader that stops early ends it without a word', async () => {
    const { name, kvs } = await started();
    const pairs = Array.from({ length: 2000 }, (_, i) => `set key-${i}-${'x'.repeat(100)} ${i}`).join('\n');
    await kvs([], { input: pairs });
    const { stdout, stderr } = spawnSync('sh', [
      '-c',
      `"${process.execPath}" "${CLIENT}" --name ${name} keys | head -1`,
    ]);
    expect(stdout.toString()).toMatch(/^key-/);
    expect(stderr.toString()).toBe('');
  });

  test('it leaves nothing in use at the server', async () => {
    const { kvs, json } = await started();
    await kvs(['get', 'none']);
    await kvs(['set', 'a', '1']);
    expect(await json('stats')).toMatchObject({ clients: 1, slots: { inUse: 1 } });
  });
});

describe('bench', () => {
  const LOADS = [
    'set, blocking',
    'get, blocking',
    'set, awaited',
    'get, awaited',
    'set, 64 in flight',
    'get, 64 in flight',
    'mset of 64',
    'mget of 64',
    'getView',
    '95 % gets, zipfian',
    '50 % gets, zipfian',
  ];

  test('measures every load, checks what it reads, and removes its keys', async () => {
    const { kvs } = await started();
    await kvs(['set', 'mine', '1']);
    const { code, stdout, stderr } = await kvs(['bench', '--seconds', '0.02', '--keys', '100', '--value-bytes', '1k']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const load of LOADS) expect(stdout).toContain(load);
    expect(stdout).toContain('1 client, 100 keys, values of 1 KiB');
    expect(await kvs(['keys'])).toEqual(done('mine\n'));
  });

  test('as JSON, with several clients', async () => {
    const { json } = await started();
    const report = await json('bench', '--clients', '2', '--seconds', '0.02', '--keys', '9');
    expect(report).toMatchObject({ clients: 2, keys: 10, valueBytes: 64 });
    const { measurements } = report as { measurements: { name: string; keysPerSecond: number; verified: number }[] };
    expect(measurements.map(({ name }) => name)).toEqual(LOADS);
    for (const { name, keysPerSecond, verified } of measurements) {
      expect(keysPerSecond).toBeGreaterThan(0);
      expect(verified > 0, name).toBe(/get/.test(name));
    }
  });

  test('a value that somebody else has written is found, and nothing stays behind', async () => {
    const { name, kvs } = await started();
    const bench = new Running(process.execPath, [CLIENT, 'bench', '--keys', '64', '--name', name]);
    await using client = await KvsClient.connect({ name, codec: 'buffer' });
    const over = new AbortController();
    const ended = bench.ended.finally(() => over.abort());
    // Only what is there: nothing comes back that the bench has removed.
    while (!over.signal.aborted) {
      for await (const key of client.keys('bench:')) {
        const version = (await client.getEntry(key))?.version;
        if (version !== undefined) await client.cas(key, version, Buffer.alloc(64));
      }
    }
    const { code, stderr } = await ended;
    expect(code).toBe(5);
    expect(stderr).toMatch(/^kvs-client: .*the value of bench:\S+ is not the one last written/);
    expect(await kvs(['size'])).toEqual(done('0\n'));
  });

  test('Ctrl-C ends it early, and its keys are removed', async () => {
    const { name, kvs } = await started();
    const bench = new Running(process.execPath, [CLIENT, 'bench', '--seconds', '100', '--name', name]);
    await using client = await KvsClient.connect({ name });
    while ((await client.size()) < 1000) await client.ping();
    bench.child.kill('SIGINT');
    const { code, stderr } = await bench.ended;
    expect(code).toBe(130);
    expect(stderr).toMatch(/^kvs-client: the bench was ended .*\(ERR_KVS_ABORTED\)\n$/);
    expect(await kvs(['size'])).toEqual(done('0\n'));
  });

  test('a value too large for the server is an error, and nothing stays behind', async () => {
    const { kvs } = await started();
    const { code, stderr } = await kvs(['bench', '--seconds', '0.02', '--value-bytes', '1M']);
    expect(code).toBe(5);
    expect(stderr).toMatch(/^kvs-client: .*\(ERR_KVS_TOO_LARGE\)\n$/);
    expect(await kvs(['size'])).toEqual(done('0\n'));
  });
});
