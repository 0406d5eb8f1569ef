/** The benchmark's own code: what it is asked for, what it judges, what it draws. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { describe, expect, test } from 'vitest';

import { chartOf } from '../../bench/report/chart.mjs';
import { markdownOf } from '../../bench/report/markdown.mjs';
import { judge } from '../../bench/report/targets.mjs';

import { run } from '../fixtures/processes.js';

const bench = path.join(import.meta.dirname, '../../bench');
const load = () => JSON.parse(readFileSync(path.join(bench, 'results.json'), 'utf8')) as Parameters<typeof judge>[0];

describe('what it is asked for', () => {
  const ask = (...args: string[]) => run(process.execPath, [path.join(bench, 'main.mjs'), ...args]);

  test.each([
    [['--only', 'nothing'], /^bench: --only: expected names, .*, got "nothing": limits; values-64b; /],
    [['--only', 'values-64,limits'], /^bench: --only: expected names, .*, got "values-64,limits": limits; /],
    [['--only', '('], /^bench: --only: Invalid regular expression/],
    [['--peers', 'oracle'], /^bench: --peers: expected names, .*lmdb, coherent; /],
    [['--only'], /^bench: Option '--only <value>' argument missing/],
    [['--nope'], /^bench: Unknown option '--nope'/],
    [['quick'], /^bench: Unexpected argument 'quick'/],
  ])('%j is refused', async (args, message) => {
    const { code, stdout, stderr } = await ask(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(message);
    expect(stderr).toContain('Usage: npm run bench -- [options]');
  });

  test('a list of sections and peers', async () => {
    const { code, stdout } = await ask('--list');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^limits +physical limits\nvalues-64b +one client, values of 64 B\n/);
  });
});

test('the files are of the results beside them', () => {
  const results = load();
  expect(markdownOf(results, 'results.svg')).toBe(readFileSync(path.join(bench, 'RESULTS.md'), 'utf8'));
  expect(chartOf(results)).toBe(readFileSync(path.join(bench, 'results.svg'), 'utf8'));
});

test('a target is judged by the medians of both sides, against its best peer', () => {
  const results = load();
  const wanted = '64 SETs in flight, beside the best Node peer';
  const cells = results.cells.filter(({ section, work }) => section === '64 B' && work === 'set, in flight');
  for (const cell of cells) {
    cell.opsPerS = { shm: 5000, memcached: 1000 }[cell.peer === 'shm-kvs' ? 'shm' : cell.peer] ?? 900;
  }
  const judged = () => judge(results).find(({ target }) => target === wanted);
  expect(judged()).toMatchObject({ measured: '5.00×', isReached: true });
  for (const cell of cells) if (cell.peer === 'socket Map') cell.opsPerS = 1001;
  expect(judged()).toMatchObject({ measured: '5.00×', isReached: false });
});

test('the chart shows every mix, and every peer in it', () => {
  const results = load();
  const svg = chartOf(results);
  for (const share of ['95', '50']) {
    for (const how of ['one at a time', '64 in flight'])
      expect(svg).toContain(`four processes, ${share} % reads, ${how}`);
  }
  for (const { peer } of results.cells.filter(({ section }) => section === 'mixes')) expect(svg).toContain(peer);
});
