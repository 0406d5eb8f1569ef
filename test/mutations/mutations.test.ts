/** The machinery that looks for faults finds faults: some of those that `npm run test:mutations` puts in. */
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { run } from '../fixtures/processes.js';

test('faults in claims of the arena are found', async () => {
  const program = fileURLToPath(new URL('main.mjs', import.meta.url));
  const { code, stdout, stderr } = await run(process.execPath, [program, '--only', 'arena: ']);
  expect(`${stdout}${stderr}`).toContain('3 of 3 mutations caught');
  expect(code).toBe(0);
}, 900_000);
