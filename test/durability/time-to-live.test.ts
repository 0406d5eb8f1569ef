/** Entries that expire, across a server whose memory is lost: by the wall clock they go on, and what has expired is gone. */

import { expect, test } from 'vitest';

import { diskDirectory } from '../fixtures/processes.js';
import { regionName } from '../fixtures/region.js';
import { connect, startServer } from '../fixtures/service.js';

test('an expiry goes on at its moment, from the log and from a snapshot', async () => {
  const name = regionName();
  const dir = diskDirectory();
  for (let round = 0; round < 3; round++) {
    const server = await startServer({ dir, sync: 'no' }, name);
    const client = await connect(name);
    if (round === 0) {
      await client.set('hour', 'a', { ttlMs: 3_600_000 });
      await client.set('soon', 'b', { ttlMs: 1 });
      await client.set('replaced', 'c', { ttlMs: 3_600_000 });
      await client.set('replaced', 'd');
      await client.set('kept', 'e');
      await client.expire('kept', { ttlMs: 7_200_000 });
    }
    const ttl = await client.ttl('hour');
    expect(ttl).toBeGreaterThan(3_000_000);
    expect(ttl).toBeLessThanOrEqual(3_600_000);
    expect(await client.ttl('kept')).toBeGreaterThan(7_000_000);
    expect(await client.get('kept')).toBe('e');
    expect(await client.get('replaced')).toBe('d');
    expect(await client.ttl('replaced')).toBeNull();
    await client.close();
    await server.stop();
  }
  const server = await startServer({ dir, sync: 'no' }, name);
  expect(server.size).toBe(3);
  const client = await connect(name);
  expect(await client.get('soon')).toBeUndefined();
});
