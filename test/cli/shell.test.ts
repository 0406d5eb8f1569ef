import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { CLIENT, runClient, Running, startServer } from '../fixtures/cli.js';
import { temporaryDirectory } from '../fixtures/processes.js';

const HAS_SCRIPT = spawnSync('script', ['--version']).status === 0;

const ESCAPE = '\u001B';
const CTRL_C = '\u0003';
const CTRL_D = '\u0004';

describe('a script on stdin', () => {
  test('runs line by line, and each answer ends its line', async () => {
    const { name } = await startServer();
    const input = [
      '# a comment',
      '',
      'set a "x  y"',
      "set 'key two' -5",
      'get a',
      'get "key two"',
      'mget a none',
      'incr n 2',
    ];
    const { code, stdout, stderr } = await runClient(['--name', name], { input: input.join('\n') });
    expect(stdout).toBe('OK\nOK\nx  y\n-5\nx  y\n(nil)\n2\n');
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
  });

  test('goes on after errors, and ends with the worst exit code', async () => {
    const { name } = await startServer();
    const input = 'get none\nfoo\nset a\nget "a\nbench --what\nset a 1\nincr a\n';
    const { code, stdout, stderr } = await runClient(['--name', name], { input });
    expect({ code, stdout }).toEqual({ code: 2, stdout: '(nil)\nOK\n2\n' });
    expect(stderr.trim().split('\n')).toEqual([
      'kvs-client: line 2: unknown command "foo": "help" lists the commands',
      'kvs-client: line 3: missing the value, "" for an empty one',
      'kvs-client: line 4: the quote " is never closed',
      "kvs-client: line 5: Unknown option '--what'",
    ]);
  });

  test('exit ends it, --json makes every answer a line of JSON', async () => {
    const { name } = await startServer();
    const input = 'set a 1\nget a\nhelp get\nexit\nget a\n';
    const { code, stdout } = await runClient(['--json', '--name', name], { input });
    expect(code).toBe(0);
    expect(
      stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      { ok: true },
      { key: 'a', found: true, value: '1', codec: 'utf8' },
      { help: expect.stringContaining('get <key>') as string },
    ]);
  });

  test('bytes are written as escapes and printed as they are', async () => {
    const { name } = await startServer();
    const input = String.raw`set a "\xff\x00"` + '\nget a\nentries\n';
    const { bytes } = await runClient(['--name', name], { input });
    expect(bytes).toEqual(Buffer.concat([Buffer.from('OK\n\xff\0\n', 'latin1'), Buffer.from('a "\\xff\\x00"\n')]));
  });

  test('what entries prints can be put back by set', async () => {
    const { name } = await startServer();
    await runClient(['--name', name], { input: String.raw`mset "k 1" "it's\n" k\x00 "\xfe" '"' ''` });
    const { stdout: before } = await runClient(['entries', '--name', name]);
    const script = before.trimEnd().replaceAll(/^/gm, 'set ');
    expect((await runClient(['--name', name], { input: `flush\n${script}\n` })).code).toBe(0);
    const { stdout: after } = await runClient(['entries', '--name', name]);
    expect(after.split('\n').sort()).toEqual(before.split('\n').sort());
  });
});

/** The shell in a terminal. */
class Terminal {
  readonly #running: Running;
  readonly #prompt: string;
  #seen = 0;

  constructor(name: string, stateHome: string) {
    const command = `"${process.execPath}" "${CLIENT}" --name ${name}`;
    const environment = { XDG_STATE_HOME: stateHome, TERM: 'xterm', SHELL: '/bin/sh' };
    this.#running = new Running('script', ['-qec', command, '/dev/null'], environment);
    this.#prompt = `${name}> `;
  }

  /** Waits for the text to show up behind what was waited for before. @returns all that came until then */
  async sees(text: string): Promise<string> {
    const from = this.#seen;
    this.#seen = await this.#running.seen(text, from);
    return this.#running.stdout.slice(from, this.#seen);
  }

  prompt(): Promise<string> {
    return this.sees(this.#prompt);
  }

  type(keys: string): void {
    this.#running.child.stdin?.write(keys);
  }

  /** Types a line. @returns what is printed until the next prompt */
  async enter(line: string): Promise<string> {
    this.type(`${line}\r`);
    await this.sees('\r\n');
    return (await this.prompt())
      .replace(this.#prompt, '')
      .replaceAll(`${ESCAPE}[1G${ESCAPE}[0J`, '')
      .replaceAll('\r', '');
  }

  get ended() {
    return this.#running.ended;
  }
}

describe.skipIf(!HAS_SCRIPT)('in a terminal', () => {
  async function opened() {
    const { name, server } = await startServer();
    const stateHome = temporaryDirectory();
    const terminal = new Terminal(name, stateHome);
    expect(await terminal.prompt()).toContain(`Connected to server "${name}" (pid ${server.child.pid}, 0 keys)`);
    return { name, server, stateHome, terminal };
  }

  test('commands are answered for people, errors do not end it, Ctrl-D does', async () => {
    const { terminal } = await opened();
    expect(await terminal.enter('set a "one two"')).toBe('OK\n');
    expect(await terminal.enter('get a')).toBe('one two\n');
    expect(await terminal.enter('get none')).toBe('(nil)\n');
    expect(await terminal.enter('foo')).toContain('error: unknown command "foo"');
    await terminal.enter(String.raw`set b "\x1b[31m\xff"`);
    expect(await terminal.enter('get b')).toBe('"\\x1b[31m\\xff"\n');
    expect(await terminal.enter('help')).toContain('cas <key> <version> [value]');
    terminal.type(CTRL_D);
    expect((await terminal.ended).code).toBe(0);
  });

  test('Tab completes commands and keys', async () => {
    const { terminal } = await opened();
    await terminal.enter('mset user:1 Ann "a key" 2');
    terminal.type('getd');
    await terminal.sees('getd');
    terminal.type('\t');
    await terminal.sees('el ');
    terminal.type('us');
    await terminal.sees('us');
    terminal.type('\t');
    await terminal.sees('er:1 ');
    expect(await terminal.enter('')).toBe('Ann\n');
    terminal.type('get "a');
    await terminal.sees('get "a');
    terminal.type('\t');
    await terminal.sees(' key" ');
    expect(await terminal.enter('')).toBe('2\n');
  });

  test('Ctrl-C clears the line', async () => {
    const { terminal } = await opened();
    terminal.type('set a lost');
    await terminal.sees('lost');
    terminal.type(CTRL_C);
    await terminal.sees('^C');
    await terminal.prompt();
    expect(await terminal.enter('size')).toBe('0\n');
  });

  test('flush asks first', async () => {
    const { name, terminal } = await opened();
    await terminal.enter('set a 1');
    terminal.type('flush\r');
    await terminal.sees(`Remove every key of server "${name}"? [y/N] `);
    expect(await terminal.enter('n')).toContain('nothing was removed');
    expect(await terminal.enter('size')).toBe('1\n');
    terminal.type('flush\r');
    await terminal.sees('[y/N] ');
    expect(await terminal.enter('y')).toContain('OK');
    expect(await terminal.enter('size')).toBe('0\n');
  });

  test('lines are remembered by the next shell', async () => {
    const { name, stateHome, terminal } = await opened();
    await terminal.enter('set a 1');
    terminal.type('exit\r');
    expect((await terminal.ended).code).toBe(0);
    expect(readFileSync(join(stateHome, 'shm-kvs', 'history'), 'utf8')).toBe('set a 1\nexit\n');
    const next = new Terminal(name, stateHome);
    await next.prompt();
    next.type(`${ESCAPE}[A`);
    await next.sees('exit');
    next.type(`${ESCAPE}[A`);
    await next.sees('set a 1');
    expect(await next.enter('')).toBe('OK\n');
  });

  test('a server that has gone is an error, not the end', async () => {
    const { server, terminal } = await opened();
    server.child.kill('SIGTERM');
    await server.ended;
    expect(await terminal.enter('set a 1')).toContain('(ERR_KVS_SERVER_GONE)');
    terminal.type(CTRL_D);
    expect((await terminal.ended).code).toBe(0);
  });
});
