/**
 * `kvs-client export` and `import`, as users run them: a store comes back byte for byte, and what is cut off is noticed.
 * Seen to fail when: minus zero is a number, bytes that are no UTF-8 are text, the expiry is left out (by either side), the
 * last line is not asked for or its count not looked at, a newer version or a second export in the file is taken, what has
 * expired is written, --insert-only replaces, an import does not wait for what is on its way, two lines of one key are on
 * their way at once, an interruption is not looked at, a first line has no bound, an output that is no regular file is
 * replaced, ASCII is not marked.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { KvsClient } from '#dist/index.js';
import { CodecTag, type StoredValue, StoredValueCodec } from '#dist/codec/codec.js';
import { ASCII_FLAG } from '#dist/codec/text.js';

import { CLIENT, linesOf, parsedLines, runClient, Running, SMALL, startServer } from '../fixtures/cli.js';
import { temporaryDirectory } from '../fixtures/processes.js';
import { closing, openClient, shareServer } from '../fixtures/service.js';

const LARGE = ['--workers', '1', '--max-memory', '64M'];
const HOUR = 3_600_000;
const BIG_BYTES = 256 * 1024;

type Stored = KvsClient<StoredValue, Buffer>;
interface Entry {
  readonly key: Buffer;
  readonly value: StoredValue;
  readonly expiresAt?: number;
}

const clientOf = async (name: string, tag: number): Promise<Stored> =>
  closing(await KvsClient.connect<StoredValue>({ name, codec: new StoredValueCodec(tag), keyEncoding: 'buffer' }));

type Bytes = string | Uint8Array | readonly number[];

const entry = (key: Bytes, tag: number, bytes: Bytes, expiresAt?: number): Entry => ({
  key: Buffer.from(key as string),
  value: { bytes: Buffer.from(bytes as string), tag },
  ...(expiresAt === undefined ? {} : { expiresAt }),
});

async function fill(name: string, entries: readonly Entry[]): Promise<void> {
  const clients = new Map<number, Stored>();
  for (const { key, value, expiresAt } of entries) {
    const client = clients.get(value.tag) ?? (await clientOf(name, value.tag));
    clients.set(value.tag, client);
    await client.set(key, value, { expiresAt });
  }
}

/** Everything in the store by key: tag, bytes, and when it expires. */
async function contents(name: string): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const client = await clientOf(name, CodecTag.buffer);
  for await (const [key, { value, expiresAt }] of client.versionedEntries()) {
    // Moments go through a clock with fractions twice.
    const when = expiresAt === undefined ? 'stays' : String(Math.round(expiresAt / 1000));
    found.set(key.toString('hex'), `${value.tag} ${when} ${value.bytes.toString('base64')}`);
  }
  return found;
}

const double = (value: number): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return bytes;
};

/** In the middle of a second, so that a millisecond does not round it to another. */
const LATER = Math.floor((Date.now() + HOUR) / 1000) * 1000 + 100;

const VARIETY: readonly Entry[] = [
  entry('text', CodecTag.utf8, 'Grüße, 世界 🙂'),
  entry('ascii', CodecTag.utf8, 'plain'),
  entry('lines', CodecTag.utf8, 'a\r\nb\u2028c\0"\\'),
  entry('empty text', CodecTag.utf8, ''),
  entry('empty bytes', CodecTag.buffer, ''),
  entry('bytes', CodecTag.buffer, randomBytes(1000)),
  entry('json', CodecTag.json, '{"a":[1,2.5,null,"ü"],"__proto__":{"b":true}}'),
  entry('spaced json', CodecTag.json, '{ "big": 12345678901234567890 }'),
  entry('surrogate', CodecTag.json, String.raw`"\ud800"`),
  entry('int32', CodecTag.int32, [0, 0, 0, 0x80]),
  entry('float64', CodecTag.float64, double(0.1)),
  entry('minus zero', CodecTag.float64, double(-0)),
  entry('no number', CodecTag.float64, double(Number.NaN)),
  entry('custom', CodecTag.custom, [1, 2, 0xff]),
  entry('nameless', 9, 'of another version'),
  entry('expires', CodecTag.utf8, 'soon', LATER),
  entry('expires, bytes', CodecTag.buffer, [0xff], LATER + 5000),
  entry('big bytes', CodecTag.buffer, randomBytes(BIG_BYTES)),
  entry('big text', CodecTag.utf8, 'ü\n'.repeat(BIG_BYTES / 3).slice(0, BIG_BYTES / 2)),
  entry('__proto__', CodecTag.utf8, 'key'),
  entry('🙂'.repeat(256), CodecTag.utf8, 'longest text key'),
  entry([0xff, 0, 0xfe], CodecTag.utf8, 'binary key'),
  // What a lone surrogate would be in UTF-8, if it could.
  entry([0xed, 0xa0, 0x80], CodecTag.utf8, 'surrogate key'),
  entry(randomBytes(1024), CodecTag.utf8, 'longest binary key'),
];

/** An export of these values under key 1, key 2, ... */
const exportOf = (...values: readonly object[]): string =>
  [
    { format: 'shm-kvs export', version: 1 },
    ...values.map((value, index) => ({ key: `key ${index + 1}`, codec: 'utf8', value: 'v', ...value })),
    { end: true, entries: values.length },
  ]
    .map((line) => `${JSON.stringify(line)}\n`)
    .join('');

describe('round trip', () => {
  test('every codec, binary keys, empty and large values, moments: the same store in another server', async () => {
    const { name } = await startServer(LARGE);
    const { name: other } = await startServer(LARGE);
    await fill(name, VARIETY);
    const file = join(temporaryDirectory(), 'backup.jsonl');
    const exported = await runClient(['--name', name, 'export', '--output', file]);
    expect(exported).toMatchObject({ code: 0, stderr: '' });
    expect(exported.stdout).toMatch(/^24 entries, [\d.]+ KiB, in .*backup\.jsonl\n$/);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const lines = parsedLines(readFileSync(file, 'utf8'));
    expect(lines[0]).toMatchObject({ format: 'shm-kvs export', version: 1, server: name });
    expect(lines.at(-1)).toEqual({ end: true, entries: VARIETY.length });
    expect(await runClient(['--name', other, 'import', file])).toMatchObject({
      code: 0,
      stdout: '24 entries read: 24 written\n',
      stderr: '',
    });
    const before = await contents(name);
    expect(before.size).toBe(VARIETY.length);
    expect(await contents(other)).toEqual(before);
  });

  test('50,000 entries through a pipe; a second import inserts none', async () => {
    const { name } = await startServer(LARGE);
    const { name: other } = await startServer(LARGE);
    const client = await openClient({ name });
    await client.mset(
      Array.from({ length: 50_000 }, (_, i) => [`key ${i}`, `value ${i} `.padEnd(i % 200, 'ü')] as const),
    );
    const { bytes, code } = await runClient(['--name', name, 'export']);
    expect(code).toBe(0);
    const first = await runClient(['--name', other, 'import'], { input: bytes });
    expect(first).toMatchObject({ code: 0, stdout: '50,000 entries read: 50,000 written\n' });
    expect(await contents(other)).toEqual(await contents(name));
    const again = await runClient(['--name', other, '--json', 'import', '--insert-only', '-'], { input: bytes });
    expect(again.code).toBe(0);
    expect(JSON.parse(again.stdout)).toEqual({ read: 50_000, written: 0, expired: 0, existing: 50_000 });
  });

  test('ASCII is marked as such, as if a client had written it', async () => {
    const { name } = await startServer();
    await runClient(['--name', name, 'import'], { input: exportOf({ value: 'plain' }, { value: 'ü' }) });
    class Tags extends StoredValueCodec {
      override decode(source: Buffer, start = 0, end = source.length, tag = 0): StoredValue {
        return { bytes: Buffer.from(source.subarray(start, end)), tag };
      }
    }
    const client = closing(await KvsClient.connect<StoredValue>({ name, codec: new Tags(CodecTag.utf8) }));
    expect((await client.get('key 1'))?.tag).toBe(CodecTag.utf8 | ASCII_FLAG);
    expect((await client.get('key 2'))?.tag).toBe(CodecTag.utf8);
  });

  test('an empty store, and keys of a prefix only', async () => {
    const { name } = await startServer();
    const empty = await runClient(['--name', name, 'export']);
    expect(parsedLines(empty.stdout)).toMatchObject([{ server: name }, { end: true, entries: 0 }]);
    expect((await runClient(['--name', name, 'import'], { input: empty.bytes })).stdout).toBe(
      '0 entries read: 0 written\n',
    );
    await runClient(['--name', name, 'mset', 'user:1', 'a', 'user:2', 'b', 'other', 'c']);
    const { stdout } = await runClient(['--name', name, 'export', '--prefix', 'user:']);
    const [header, ...rest] = parsedLines(stdout);
    expect(header).toMatchObject({ prefix: 'user:' });
    expect(rest).toHaveLength(3);
    expect(rest).toEqual(
      expect.arrayContaining([
        { key: 'user:1', value: 'a', codec: 'utf8' },
        { key: 'user:2', value: 'b', codec: 'utf8' },
        { end: true, entries: 2 },
      ]),
    );
  });
});

test('keys that are there are replaced, or stay with --insert-only; what has expired is passed over', async () => {
  const { name } = await startServer();
  const run = (...args: string[]) => runClient(['--name', name, ...args], { input });
  const expired = { expiresAt: '2001-01-01T00:00:00.000Z' };
  const input = exportOf(
    { value: 'new' },
    { value: 'new' },
    { value: 'new', ...expired },
    { value: 'new', expiresAt: LATER },
  );
  await run('mset', 'key 1', 'old', 'key 3', 'old');
  expect((await run('import', '--insert-only')).stdout).toBe(
    '4 entries read: 2 written, 1 passed over: expired, 1 passed over: there already\n',
  );
  expect((await run('mget', 'key 1', 'key 2', 'key 3', 'key 4')).stdout).toBe('old\nnew\nold\nnew\n');
  expect((await run('import')).stdout).toBe('4 entries read: 3 written, 1 passed over: expired\n');
  expect((await run('mget', 'key 1', 'key 2', 'key 3', 'key 4')).stdout).toBe('new\nnew\nold\nnew\n');
  const { expiresAt } = JSON.parse((await run('--json', 'getentry', 'key 4')).stdout) as { expiresAt: number };
  expect(Math.abs(expiresAt - LATER)).toBeLessThanOrEqual(2);
});

test('lines of one key are written in their order, whatever their codecs', async () => {
  const { name } = await startServer();
  // The client of the first codec has more to do than fits its slots; that of the second has not.
  const keys = Array.from({ length: 120 }, (_, i) => `twice ${i}`);
  const lines = [
    ...keys.map((key) => ({ key, value: 'x'.repeat(8000) })),
    ...keys.map((key) => ({ key, value: 1, codec: 'int32' })),
  ];
  const { stdout } = await runClient(['--name', name, 'import'], { input: exportOf(...lines) });
  expect(stdout).toBe('240 entries read: 240 written\n');
  const client = await clientOf(name, CodecTag.buffer);
  const values = await client.mget(keys);
  expect(values.filter((value) => value?.tag !== CodecTag.int32)).toEqual([]);
});

describe('refused is', () => {
  const name = shareServer();
  const whole = exportOf({}, {}, {});
  const lines = linesOf(whole);

  test.each<[string, string, string, number]>([
    [
      'an export without its last line',
      `${lines.slice(0, -1).join('\n')}\n`,
      'line 5: expected the last line of an export',
      3,
    ],
    ['one that is cut off in an entry', whole.slice(0, whole.indexOf('key 3')), 'line 4: expected an entry as JSON', 2],
    ['one that is cut off in its last line', whole.slice(0, -4), 'line 5: expected an entry as JSON', 3],
    [
      'one that lacks a line',
      lines.filter((_, i) => i !== 2).join('\n'),
      'line 4: the last line counts 3 entries, but 2 were',
      2,
    ],
    ['two in one', whole + whole, 'line 6: expected nothing behind the last line of an export', 3],
    [
      'a line that says something else',
      whole.replace('"value":"v"', '"value":5'),
      'line 2: "value" of codec utf8 must be text',
      0,
    ],
    [
      'nothing',
      '',
      'line 1: expected the first line of an export, {"format":"shm-kvs export",…}, got an empty file',
      0,
    ],
    ['another format', '{"a":1}\n', 'line 1: expected the first line of an export', 0],
    [
      'a newer version',
      whole.replace('"version":1', '"version":2'),
      'line 1: this kvs-client reads version 1 of the format',
      0,
    ],
    [
      'a first line without an end',
      'x'.repeat(100_000),
      'line 1: expected a line of at most 65536 bytes, got a longer one',
      0,
    ],
  ])('%s, with the line and what was written', async (_, input, message, written) => {
    const file = join(temporaryDirectory(), 'bad.jsonl');
    writeFileSync(file, input);
    closing(await KvsClient.connect({ name })).flushSync();
    const [{ code, stdout, stderr }, check] = await Promise.all([
      runClient(['--name', name, 'import'], { input }),
      // The same without a server.
      runClient(['--name', 'none', 'import', '--check', file]),
    ]);
    expect(stdout).toBe('');
    expect(stderr).toContain(`kvs-client: stdin: ${message}`);
    expect(stderr).toContain(written === 0 ? '(nothing was written)' : `(${written} entries were written and stay`);
    expect(stderr.trim()).not.toContain('\n');
    expect(code).toBe(5);
    expect((await contents(name)).size).toBe(written);
    expect(check).toMatchObject({ code: 5, stdout: '' });
    expect(check.stderr).toContain(`${file}: ${message}`);
    expect(check.stderr).not.toContain('written');
  });

  test('a value that is too large for the server', async () => {
    const { name } = await startServer([...SMALL, '--max-value', '1k']);
    const input = exportOf({ value: 'x'.repeat(1024) }, { value: 'x'.repeat(1025) }, {});
    const { code, stderr } = await runClient(['--name', name, 'import'], { input });
    expect(stderr).toMatch(
      /stdin: line 3: the value has 1025 bytes, this server takes up to 1024: start it .*ERR_KVS_TOO_LARGE/,
    );
    expect(code).toBe(5);
  });

  test('more than the server has room for', async () => {
    const { name } = await startServer();
    const value = 'x'.repeat(100_000);
    const { code, stderr } = await runClient(['--name', name, 'import'], {
      input: exportOf(...Array.from({ length: 60 }, () => ({ value }))),
    });
    expect(stderr).toMatch(/stdin: line \d+: the store is full.*ERR_KVS_OUT_OF_MEMORY/);
    const [, written] = /\((\d+) entries were written and stay/.exec(stderr) ?? [];
    expect((await contents(name)).size).toBe(Number(written));
    expect(code).toBe(5);
  });

  test('a moment that no server takes', async () => {
    const { code, stderr } = await runClient(['--name', name, 'import'], { input: exportOf({ expiresAt: 8e15 }) });
    expect(stderr).toContain(
      'stdin: line 2: expiresAt must be a Date or milliseconds since 1970, at most 100 years from now',
    );
    expect(code).toBe(5);
  });

  test.each<[string[], number, string]>([
    [['import', '/nowhere/x.jsonl'], 5, "/nowhere/x.jsonl: ENOENT: no such file or directory, open '/nowhere/x.jsonl'"],
    [['import', '--check', '--insert-only'], 2, 'import takes --insert-only or --check, got both'],
    [['export', '--output', '/nowhere/x.jsonl'], 5, 'cannot write /nowhere/x.jsonl: ENOENT'],
  ])('%j', async (args, expected, message) => {
    const { code, stderr } = await runClient(['--name', name, ...args]);
    expect(stderr).toContain(message);
    expect(code).toBe(expected);
  });

  // Never of a device of the machine's: who breaks this code as root would replace it for everybody.
  test('an output that is no regular file, which stays what it is', async () => {
    const fifo = join(temporaryDirectory(), 'fifo');
    execFileSync('mkfifo', [fifo]);
    const { code, stderr } = await runClient(['--name', name, 'export', '--output', fifo]);
    expect(stderr).toContain(`${fifo} is no regular file: leave --output out`);
    expect(code).toBe(2);
    expect(statSync(fifo).isFIFO()).toBe(true);
  });

  test.each(['export', 'import'])('%s without a server', async (command) => {
    const { code, stderr } = await runClient(['--name', 'none', command], { input: exportOf() });
    expect(stderr).toContain('no server named "none" runs');
    expect(code).toBe(3);
  });
});

test('an import that is interrupted says how far it came', async () => {
  const { name } = await startServer();
  const client = closing(await KvsClient.connect({ name, codec: 'buffer' }));
  const running = new Running(CLIENT, ['--name', name, 'import']);
  running.child.stdin?.write(`${linesOf(exportOf({}, {})).slice(0, 3).join('\n')}\n`);
  while (!(await client.exists('key 2')));
  running.child.kill('SIGINT');
  const { code, stderr } = await running.ended;
  expect(stderr).toContain('kvs-client: stdin: line 3: interrupted (2 entries were written and stay');
  expect(code).toBe(130);
});

test('whoever reads an export may stop early', async () => {
  const { name } = await startServer(LARGE);
  const client = await openClient({ name });
  await client.mset(Array.from({ length: 20_000 }, (_, i) => [`key ${i}`, 'v'.repeat(100)] as const));
  const running = new Running(CLIENT, ['--name', name, 'export']);
  const { stdout } = running.child;
  if (stdout !== null) {
    await once(stdout, 'data');
    stdout.destroy();
  }
  const { code, stderr } = await running.ended;
  expect(stderr).toBe('');
  expect(code).toBe(0);
});

test('in the shell: import takes a file', async () => {
  const { name } = await startServer();
  const file = join(temporaryDirectory(), 'with space.jsonl');
  const input = [`set a 1`, `export --output "${file}"`, 'del a', `import --insert-only "${file}"`, 'get a', 'import'];
  const { stdout, stderr, code } = await runClient(['--name', name], { input: input.join('\n') });
  expect(stdout).toContain('OK\n1 entry, 17');
  expect(stdout).toContain('\ntrue\n1 entry read: 1 written\n1\n');
  expect(stderr).toBe('kvs-client: line 6: import: expected a file, or an export on stdin, got neither\n');
  expect(code).toBe(2);
});
