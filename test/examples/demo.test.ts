import { expect, test } from 'vitest';

import { ExampleProcess } from './example-process.js';

const WORDS = 2000;

function startDemo(env?: NodeJS.ProcessEnv, words = WORDS): ExampleProcess {
  return new ExampleProcess('demo/main.js', ['--words', `${words}`], env);
}

/** The rows of the table: phase, calls, operations, ops/s, p50, p99. */
function rowsOf(demo: ExampleProcess): string[][] {
  const rows = demo.lines.filter((line) => line.startsWith('│'));
  return rows.map((line) =>
    line
      .slice(1, -1)
      .split('│')
      .map((cell) => cell.trim()),
  );
}

test('the demo runs every phase, survives the kill of a client and ends with the full table', async () => {
  const demo = startDemo();
  const code = await demo.ended;
  expect(demo.stderr).toBe('');
  expect(code).toBe(0);

  const [head, ...rows] = rowsOf(demo);
  expect(head).toEqual(['phase', 'calls', 'operations', 'ops/s', 'p50', 'p99']);
  expect(rows.map(([phase, calls]) => `${phase}: ${calls}`)).toEqual([
    'load: setSync',
    'load: set',
    'load: mset',
    "read others': getSync",
    "read others': get",
    "read others': mget",
    'update: getEntry, cas',
    'delete: getdel',
    'check deleted: mget',
    'race to insert: post',
    'verify winners: mget',
    'verify all: entries',
    'all: ',
  ]);
  const operations = rows.map((row) => Number(row[2].replaceAll(',', '')));
  expect(operations[0] + operations[1] + operations[2]).toBe(WORDS);
  expect(operations[3] + operations[4] + operations[5]).toBe(WORDS * 3);
  expect(operations.slice(6, 12)).toEqual([WORDS / 2, WORDS / 4, WORDS / 4, WORDS, WORDS, WORDS]);
  expect(operations[12]).toBe(operations.slice(0, 12).reduce((sum, n) => sum + n));

  expect(demo.stdout).toMatch(/client 3, process \d+, was killed with requests in flight/);
  expect(demo.stdout).toMatch(/process \d+ takes over as client 3/);
  expect(demo.stdout).toMatch(/slots in use: 0 of 1,024, connected clients: 4/);
  expect(demo.stdout).toMatch(/500 of 500 races have one winner/);
  expect(demo.stdout).toContain('every value that was read was right');
  expect(demo.leftovers).toEqual([]);
});

test('the demo names a wrong value and exits with 1', async () => {
  const demo = startDemo({ KVS_DEMO_CORRUPT: '1' });
  expect(await demo.ended).toBe(1);
  // Each of the three others reads the wrong value, and the last phase finds it once more.
  expect(demo.stderr).toMatch(/4 wrong:\n {2}\w+: expected \{.*\}, got \{.*\}/);
  expect(rowsOf(demo)).toHaveLength(14);
  expect(demo.stdout).not.toContain('every value that was read was right');
  expect(demo.leftovers).toEqual([]);
});

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const)('%s stops the demo with all its processes and leaves nothing behind', async (signal, expectedCode) => {
  // So many that it has seconds to go after its first phases.
  const demo = startDemo({}, 100 * WORDS);
  await demo.printed('load            mset');
  demo.kill(signal);
  expect(await demo.ended).toBe(expectedCode);
  expect(demo.stdout).not.toContain('│');
  expect(demo.leftovers).toEqual([]);
});

test('the demo refuses a wrong option before it starts anything', async () => {
  const demo = new ExampleProcess('demo/main.js', ['--words', 'many']);
  expect(await demo.ended).toBe(1);
  expect(demo.stderr).toContain('--words takes a whole number from 100, got many');
});
