import { expect, test } from 'vitest';

import { parseInFull } from '#dist/cli/server-command.js';
import { parsePlain } from '#dist/cli/server-flags.js';
import { SETTINGS } from '#dist/cli/server-setting-table.js';

test('plain command lines are read as the full parser reads them', () => {
  const everything = SETTINGS.flatMap(({ flag, argument }) => (argument === '' ? [flag] : [flag, '7']));
  const lines = [
    [],
    everything,
    [...everything, '--config', 'kvs.json'],
    ['--name', 'a', '--name', 'b'],
    ['--name=a=b', '--max-memory=4M', '--dir='],
    ['--keep', '--keep', '--name', ''],
  ];
  for (const line of lines) {
    expect(parsePlain(line)).toBeDefined();
    expect(parsePlain(line)).toEqual(parseInFull(line));
  }
  expect(parsePlain(everything)).toMatchObject({ maxSlotsPerClient: '7', keep: true });
});

test.each([
  ['--help'],
  ['--version'],
  ['--nmae', 'a'],
  ['--name'],
  ['--keep=true'],
  ['--no-keep'],
  ['extra'],
  ['--', 'a'],
])('%j is left to the full parser', (...line) => {
  expect(parsePlain(line)).toBeUndefined();
});

test('a value that looks like a flag is one all the same', () => {
  expect(parsePlain(['--name', '--workers'])).toBeUndefined();
  expect(parseInFull(['--name', '--workers'])).toEqual({ name: '--workers' });
});
