import { readdirSync, readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { ExampleProcess, examplesFolder } from './example-process.js';

/** All that each example prints. */
const expected: Record<string, string[]> = {
  'quick-start.js': [
    'awaited: hello',
    'blocking: hello',
    'inserted again: false',
    'deleted: true',
    'missing: undefined',
  ],
  'cluster-counter.js': ['/ 40', '/about 20'],
  'shared-sessions.js': ['user: ada', 'items in the cart: 150', 'different items: 150'],
  'blocking-script.js': [
    'count:better 1',
    'count:merrier 1',
    'count:more 2',
    'count:the 4',
    'schema: created',
    'schema: was there already',
    'incr of a text: ERR_KVS_NOT_A_NUMBER',
    '4 deleted, 2 left',
  ],
  'batch-import.js': ['imported: 10000', 'found: product 7, , product 9999', 'sum of all prices: 504900.00'],
  'tasks.js': [
    'first: true fulfilled',
    'second: 5 fulfilled',
    'last: queued',
    'cancelled: true cancelled',
    'last: ERR_KVS_ABORTED, executed: no',
    'late: ERR_KVS_TIMEOUT, executed: no',
    'wait: ERR_KVS_TIMEOUT, executed: unknown',
    'after all: true',
    'keys: 5001',
  ],
  'worker-threads.js': ['primes below 30000 are 3245', 'parts done: true'],
  'custom-codec.js': ['2024-06-01T12:00:00.000Z 11.5', 'bytes: 16', 'as json: ERR_KVS_CODEC'],
  'lock.js': ['total: 60', 'late write accepted: false'],
};

const files = readdirSync(examplesFolder).filter((file) => file.endsWith('.js'));

test.each(Object.entries(expected))(
  '%s prints what it has found, ends by itself and leaves nothing behind',
  async (file, lines) => {
    const example = new ExampleProcess(file);
    const code = await example.ended;
    expect(example.stderr).toBe('');
    expect(example.lines).toEqual(lines);
    expect(code).toBe(0);
    expect(example.leftovers).toEqual([]);
  },
);

test('every small example is run here and listed in the README', () => {
  expect(files.sort()).toEqual(Object.keys(expected).sort());
  const readme = readFileSync(`${examplesFolder}README.md`, 'utf8');
  for (const file of files) expect(readme).toContain(`node examples/${file}`);
});
