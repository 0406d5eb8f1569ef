/**
 * Whatever workers do while statistics are read: what these count as gone is not among what they say is there.
 * Seen to fail when: what has expired or was evicted is counted after memory or entries are looked at.
 */
import { expect, test, vi } from 'vitest';

import { workerBase, WorkerRecord } from '#dist/memory/layout.js';
import { viewsOf } from '#dist/memory/segment.js';
import { Conduct } from '#dist/server/conduct.js';
import { StatisticsReader } from '#dist/server/statistics.js';

import { KeyStore, newSegment, smallGeometry } from '../fixtures/store/key-store.js';

const COUNTS = [WorkerRecord.expired, WorkerRecord.evicted, WorkerRecord.evictedBytes];

test.each(['size', 'usage'] as const)('what happens once %s was looked at is not counted', (look) => {
  const geometry = smallGeometry();
  const ctl = viewsOf(new SharedArrayBuffer(geometry.ctlBytes));
  const data = newSegment(geometry);
  const { store } = new KeyStore(data, geometry);
  const reader = new StatisticsReader(ctl, data, geometry, 'kvs', store, [], new Conduct(Conduct.allocate()));
  const original = store[look].bind(store) as () => never;
  vi.spyOn(store, look).mockImplementation(() => {
    const seen = original();
    for (const count of COUNTS) data.floats[workerBase(geometry, 1) / 2 + count]++;
    return seen;
  });
  for (const times of [0, 1]) {
    const { expired, eviction } = reader.read();
    expect({ expired, ...eviction }).toEqual({ expired: times, policy: 'none', evicted: times, evictedBytes: times });
  }
});
