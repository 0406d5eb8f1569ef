/** The machinery that looks for faults finds faults: some of those that `npm run test:mutations` puts in. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { run } from '../fixtures/processes.js';
import { MUTATIONS } from './mutations.mjs';

test('each fault is one that can be put into the code as it is now, under a name of its own', () => {
  const lost = MUTATIONS.filter(({ file, from }) => {
    const text = readFileSync(new URL(`../../src/${file}`, import.meta.url), 'utf8');
    return text.split(from).length !== 2;
  });
  expect(lost.map(({ name }) => name)).toEqual([]);
  expect(new Set(MUTATIONS.map(({ name }) => name)).size).toBe(MUTATIONS.length);
  expect(MUTATIONS.length).toBeGreaterThan(150);
});

test('faults in claims of the arena are found', async () => {
  const program = fileURLToPath(new URL('main.mjs', import.meta.url));
  const { code, stdout, stderr } = await run(process.execPath, [program, '--only', 'arena: ']);
  expect(`${stdout}${stderr}`).toContain('3 of 3 mutations caught');
  expect(code).toBe(0);
}, 900_000);
