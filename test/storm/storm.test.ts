/**
 * A short storm; `npm run test:soak` makes long ones.
 */
import { expect, test } from 'vitest';

import { temporaryDirectory } from '../fixtures/processes.js';
import { regionName } from '../fixtures/region.js';
import { storm } from './storm.mjs';

test('whoever is killed or stopped, and whenever: all that was answered fits together and nothing is left over', async () => {
  const seed = (Math.random() * 2 ** 31) | 0;
  console.log(`random seed: ${seed}`);
  const folder = temporaryDirectory();
  const report = await storm({ seed, name: regionName(), folder, clientEvents: 24, serverEvents: 12 });
  console.log(report);
  expect(report).toMatchObject({ faults: [], violations: [], lost: [], leaks: [] });
  expect(report.operations).toBeGreaterThan(1000);
  expect(report.serverKills).toBeGreaterThanOrEqual(4);
  expect(report.clientKills).toBeGreaterThanOrEqual(4);
});
