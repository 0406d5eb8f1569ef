import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { History, historyPath, MAX_LINES } from '#dist/cli/history.js';

import { temporaryDirectory } from '../fixtures/processes.js';

test('history lies under XDG_STATE_HOME, or under the home directory', () => {
  expect(historyPath({ XDG_STATE_HOME: '/var/state' })).toBe('/var/state/shm-kvs/history');
  for (const XDG_STATE_HOME of [undefined, '', 'relative']) {
    expect(historyPath({ XDG_STATE_HOME })).toMatch(/^\/.*\/\.local\/state\/shm-kvs\/history$/);
  }
});

test('lines of all shells come back, the newest first, and only their user may read them', () => {
  const path = join(temporaryDirectory(), 'a', 'history');
  const one = new History(path);
  const other = new History(path);
  one.add('get a');
  other.add('get b');
  one.add('get c');
  expect(new History(path).read()).toEqual(['get c', 'get b', 'get a']);
  expect(statSync(path).mode & 0o777).toBe(0o600);
});

test('a file that has grown is shortened', () => {
  const path = join(temporaryDirectory(), 'history');
  writeFileSync(path, Array.from({ length: 2 * MAX_LINES + 1 }, (_, i) => `get ${i}\n`).join(''));
  const lines = new History(path).read();
  expect(lines).toHaveLength(MAX_LINES);
  expect(lines[0]).toBe(`get ${2 * MAX_LINES}`);
  expect(readFileSync(path, 'utf8').trim().split('\n')).toHaveLength(MAX_LINES);
});

test('where nothing can be written there is no history, and no error', () => {
  const path = join(temporaryDirectory(), 'history');
  mkdirSync(path);
  const history = new History(path);
  history.add('get a');
  expect(history.read()).toEqual([]);
});
