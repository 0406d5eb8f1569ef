/**
 * What a batch allocates is gone with the next collection of young objects. Seen to fail when an array of each batch comes
 * from a literal that has made many for large ones (Node 20), and when what is called with the result is assigned as it is
 * made (Node 26): then each leaves some kilobytes until the next full collection.
 */
import { expect, test } from 'vitest';

import { runFixture } from '../fixtures/processes.js';
import { startServer } from '../fixtures/service.js';

test.each(['mset', 'mget', 'mdel'])('%s of few after some of many leaves next to nothing behind', async (operation) => {
  const server = await startServer();
  const { stdout, stderr } = await runFixture('service/batcher', [server.name, operation]);
  expect(stderr).toBe('');
  const growth = (JSON.parse(stdout) as number[]).sort((a, b) => a - b);
  expect(growth.length).toBeGreaterThan(4);
  const usual = growth[Math.floor(growth.length / 2)];
  expect(usual).toBeLessThan(1000 * 512);
});
