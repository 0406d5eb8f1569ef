import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe, expect, test } from 'vitest';

import { readSettings } from '#dist/cli/server-settings.js';

import { temporaryDirectory } from '../fixtures/processes.js';

function configFile(content: unknown): string {
  const path = join(temporaryDirectory(), 'kvs.json');
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

describe('precedence', () => {
  test('a flag wins over the environment, that over the file, that over the default', () => {
    const path = configFile({ name: 'file', workers: 3, slots: 64, maxMemory: '8M', logLevel: 'warn' });
    const environment = { KVS_NAME: 'variable', KVS_WORKERS: '4', KVS_MAX_MEMORY: '16MiB', KVS_STRIPES: '' };
    const { resolved: server, logLevel } = readSettings({ name: 'flag', maxMemory: '32m' }, environment, path);
    expect(server.name).toBe('flag');
    expect(server.shape).toEqual({
      workers: 4,
      slots: 64,
      stripes: 64,
      maxMemoryBytes: 32 * 2 ** 20,
      maxValueBytes: 2 ** 20,
      logBytes: 0,
    });
    expect(logLevel).toBe('warn');
  });

  test('nothing given is the server "default" that logs what matters', () => {
    const { resolved: server, logLevel } = readSettings({}, {});
    expect(server).toMatchObject({ name: 'default', shmDir: '/dev/shm', drainTimeoutMs: 5000, hugePages: true });
    expect(server.eviction).toBe('none');
    expect(logLevel).toBe('info');
  });

  test('$KVS_CONFIG names the file, --config wins', () => {
    const KVS_CONFIG = configFile({ name: 'variable' });
    expect(readSettings({}, { KVS_CONFIG }).resolved.name).toBe('variable');
    expect(readSettings({}, { KVS_CONFIG }, configFile({ name: 'flag' })).resolved.name).toBe('flag');
  });

  test('numbers and sizes in a file are numbers or text', () => {
    const path = configFile({ workers: '2', maxMemory: 4_194_304, maxValue: '64k', drainTimeout: 10.5 });
    expect(readSettings({}, {}, path).resolved).toMatchObject({
      drainTimeoutMs: 10.5,
      shape: { workers: 2, maxMemoryBytes: 4_194_304, maxValueBytes: 65_536 },
    });
  });
});

test('a file may name settings as the API does', () => {
  const path = configFile({ maxValueBytes: '64k', drainTimeoutMs: 100, dir: '/tmp/log', snapshotIntervalMs: 0 });
  expect(readSettings({}, {}, path).resolved).toMatchObject({
    drainTimeoutMs: 100,
    shape: { maxValueBytes: 65_536 },
    log: { snapshotIntervalMs: 0 },
  });
});

describe('what is wrong is named by where it was given', () => {
  test.each<[string, Record<string, string>, Record<string, string>, string]>([
    ['a flag', { workers: '0' }, {}, '--workers: expected a whole number from 1 to 32, got "0"'],
    ['a variable', {}, { KVS_SLOTS: '100' }, 'KVS_SLOTS: expected a power of two from 16 to 4096, got "100"'],
    ['a size', { maxMemory: '3x' }, {}, '--max-memory: expected a whole number from 4194304 to 4294967296, or a size'],
    ['a level', { logLevel: 'loud' }, {}, '--log-level: expected one of silent, error, warn, info, debug, got "loud"'],
    ['a misfit', { maxMemory: '4M', maxValue: '2M' }, {}, '--max-value: expected at most a quarter of --max-memory'],
    ['a directory', { shmDir: '/nowhere' }, {}, '--shm-dir: expected a directory, got "/nowhere"'],
    ['also what loses', { name: 'good' }, { KVS_NAME: 'b/d' }, 'KVS_NAME: expected 1 to 64 characters'],
  ])('%s', (_, flags, environment, message) => {
    expect(() => readSettings(flags, environment)).toThrow(message);
  });

  test('all at once, a line each', () => {
    const read = () => readSettings({ workers: 'x', stripes: '3' }, { KVS_DRAIN_TIMEOUT: '-1' });
    expect(read).toThrow(/^--workers: .*\n--stripes: .*\nKVS_DRAIN_TIMEOUT: expected milliseconds.*$/);
  });

  test.each([
    ['an unknown key', { worker: 1 }, /unknown key "worker"; known are name, workers, /],
    ['a list', [1], /expected an object of settings, got Array/],
    ['no JSON', '{', /is not JSON/],
    [
      'one setting by two names',
      { maxValue: '64k', maxValueBytes: 65_536 },
      /maxValue and maxValueBytes are one setting, expected one of them$/,
    ],
    ['nothing for a value', { maxValueBytes: null }, /^maxValue in .*kvs\.json: expected a whole number .*, got null$/],
    ['a wrong value', { workers: [] }, /^workers in .*kvs\.json: expected a whole number from 1 to 32, got Array/],
  ])('a configuration file with %s', (_, content, message) => {
    expect(() => readSettings({}, {}, configFile(content))).toThrow(message);
  });

  test('a configuration file that is not there', () => {
    expect(() => readSettings({}, {}, '/nowhere/kvs.json')).toThrow(
      '--config: /nowhere/kvs.json cannot be read (ENOENT)',
    );
  });
});
