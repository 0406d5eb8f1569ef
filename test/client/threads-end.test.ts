/**
 * Node closes the descriptors that it thinks a worker thread has left open when that ends: whoever opens one must close it.
 * Seen to fail when: the addon closes what node:fs has opened, or the other way round.
 */
import { expect, test } from 'vitest';

import { runFixture } from '../fixtures/processes.js';
import { regionName } from '../fixtures/region.js';
import { startServerProcess } from '../fixtures/service.js';

test('a thread that ends closes no descriptor of another, and none twice', async () => {
  const name = regionName();
  await startServerProcess({}, name);
  const { stdout, stderr } = await runFixture('service/thread-files', [name, regionName()]);
  expect({ stdout, stderr }).toEqual({ stdout: '{"code":0,"closed":0}\n', stderr: '' });
});
