/**
 * Attaching and leaving leaves nothing behind; `npm run test:sanitizers` does it 10,000 times.
 * Seen to fail when: a client does not close its descriptor of the ctl file; a view keeps a reference to its mapping.
 */
import { expect, test } from 'vitest';

import { runFixture } from '../fixtures/processes.js';
import { regionName } from '../fixtures/region.js';
import { startServerProcess } from '../fixtures/service.js';

const CYCLES = Number(process.env['KVS_ATTACH_CYCLES'] ?? 300);

const what = `${CYCLES} times attached and left, nothing is left of mappings, descriptors and threads`;
test(what, { timeout: 240_000 + 100 * CYCLES }, async () => {
  const name = regionName();
  const server = await startServerProcess({}, name);
  const { code, stdout, stderr } = await runFixture('native/attach-cycles', [name, String(CYCLES)]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const left = JSON.parse(stdout) as { shared: number; maps: number; descriptors: number; threads: number };
  console.log(`left behind: ${stdout.trim()}`);
  expect(left.shared).toBeLessThanOrEqual(0);
  expect(left.descriptors).toBeLessThanOrEqual(0);
  expect(left.threads).toBeLessThanOrEqual(0);
  // The runtime's own memory comes and goes.
  expect(left.maps).toBeLessThan(CYCLES / 5);
  expect((await server.tell('stats')) as object).toMatchObject({ clients: 0 });
});
