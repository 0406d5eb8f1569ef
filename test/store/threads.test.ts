import { once } from 'node:events';

import { expect, test } from 'vitest';

import { auditStore } from '../fixtures/store/audit.js';
import { KeyStore, MIB, newSegment, smallGeometry } from '../fixtures/store/key-store.js';
import { startThread } from '../fixtures/threads.js';

interface Report {
  readonly entries: number;
  readonly full: number;
}

test.each([1, 64])('threads that churn one heap, with %i stripes, see their own values only', async (stripes) => {
  const workers = 3;
  const geometry = smallGeometry({ workers, stripes, maxMemoryBytes: 6 * MIB, maxValueBytes: MIB / 8 });
  const data = newSegment(geometry);
  const reports = await Promise.all(
    Array.from({ length: workers }, async (_, worker) => {
      const workerData = { buffer: data.buffer, geometry, worker, keys: 600, operations: 40_000, seed: worker + 1 };
      const thread = startThread('store/churner', workerData);
      const [report] = (await once(thread.worker, 'message')) as [Report];
      expect(await thread.ended).toBe(0);
      return report;
    }),
  );
  const { store } = new KeyStore(data, geometry);
  expect(store.size()).toBe(reports.reduce((sum, { entries }) => sum + entries, 0));
  expect(store.usage().compactions).toBeGreaterThan(0);
  auditStore(data, geometry);
  store.flush();
  auditStore(data, geometry);
});
