import { describe, expect, test } from 'vitest';

import { formatBytes, formatDuration, formatNanoseconds, parseByteSize, parseDuration } from '#dist/cli/figures.js';

describe('parseByteSize', () => {
  test.each([
    ['0', 0],
    ['4096', 4096],
    ['64k', 65_536],
    ['64KB', 65_536],
    ['512M', 512 * 2 ** 20],
    ['2GiB', 2 ** 31],
    ['2gib', 2 ** 31],
    ['1.5k', 1536],
    [' 8 MiB ', 8 * 2 ** 20],
    ['100B', 100],
  ])('%j is %i bytes', (text, bytes) => {
    expect(parseByteSize(text)).toBe(bytes);
  });

  test.each(['', 'k', '3x', '-1', '1.1', '1e3', '0x10', '5 k b', '9999999T'])('%j is no size', (text) => {
    expect(parseByteSize(text)).toBeUndefined();
  });
});

describe('parseDuration', () => {
  test.each([
    ['0', 0],
    ['1500', 1500],
    ['250ms', 250],
    ['30s', 30_000],
    [' 1.5 M ', 90_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
  ])('%j is %i ms', (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each(['', 's', '-1', '5w', '1e3', '1:30', 'soon'])('%j is no time', (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});

test('sizes are shown in the largest unit that fits', () => {
  expect([0, 1023, 1536, 256 * 2 ** 20, 2 ** 32].map(formatBytes)).toEqual([
    '0 B',
    '1023 B',
    '1.5 KiB',
    '256 MiB',
    '4 GiB',
  ]);
});

test('nanoseconds are shown with three digits', () => {
  expect([850, 999.7, 12_345, 99_960, 4_560_000, 1.2e9].map(formatNanoseconds)).toEqual([
    '850 ns',
    '1.00 µs',
    '12.3 µs',
    '100 µs',
    '4.56 ms',
    '1.20 s',
  ]);
});

test('durations are shown in their two largest units', () => {
  expect([12, 2500, 59_000, 312_000, 3_600_000, 273_600_000].map(formatDuration)).toEqual([
    '12 ms',
    '2.5 s',
    '59 s',
    '5 min 12 s',
    '1 h',
    '3 d 4 h',
  ]);
});
