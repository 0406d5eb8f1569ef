/** What is promised to allocate nothing. Seen to fail when: the copy takes a view of its source; the read is made of closures. */
import { fileURLToPath } from 'node:url';

import { expect, test } from 'vitest';

import { run } from '../fixtures/processes.js';
import { startServer } from '../fixtures/service.js';

const PROGRAM = fileURLToPath(new URL('../fixtures/service/allocations.mjs', import.meta.url));

test('getIntoSync, whatever the size of the value', async () => {
  const { name } = await startServer();
  const flags = ['--expose-gc', '--max-semi-space-size=64'];
  const { code, stdout, stderr } = await run(process.execPath, [...flags, PROGRAM, name]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const found = JSON.parse(stdout) as { bytes: number; allocated: number }[];
  expect(found.map(({ bytes }) => bytes)).toEqual([0, 8, 48, 49, 200, 4000, 100_000]);
  // A number on the heap would be 16.
  for (const { bytes, allocated } of found) expect(allocated, `value of ${bytes} bytes`).toBeLessThan(8);
});
