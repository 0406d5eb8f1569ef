/**
 * Versions rise with each load from files alone, whatever the files say of them. Seen to fail when a segment does not name
 * the highest version that had been given when it began, and when entries get versions before that is heeded.
 */

import { expect, test } from 'vitest';

import { diskDirectory } from '../fixtures/processes.js';
import { loseRegion, regionName } from '../fixtures/region.js';
import { connect, startServerProcess } from '../fixtures/service.js';

const KEYS = Array.from({ length: 40 }, (_, i) => `key ${i}`);

test.each([false, true])(
  'a version that was seen never comes again, after whatever losses (snapshots: %s)',
  async (snaps) => {
    const name = regionName();
    const dir = diskDirectory();
    /** Of each key, the highest that anybody has seen. */
    const highest = new Map<string, number>();
    for (let round = 0; round < 5; round++) {
      const server = await startServerProcess(
        { dir, sync: 'always', workers: 1, stripes: 4, maxMemory: 2 ** 22 },
        name,
      );
      const client = await connect(name);
      const look = async (key: string): Promise<void> => {
        const version = (await client.getEntry(key))?.version ?? Infinity;
        expect(version, `${key} in round ${round}`).toBeGreaterThan(highest.get(key) ?? 0);
        highest.set(key, version);
      };
      if (round === 0) await client.mset(KEYS.map((key) => [key, 'first'] as const));
      for (const key of KEYS) await look(key);
      // In between nothing is written that could name a version.
      for (const key of round % 2 === 0 ? KEYS.slice(0, 8) : []) {
        await client.del(key);
        await client.set(key, `in round ${round}`);
        await look(key);
      }
      if (snaps && round === 1) {
        const asked = await client.snapshot();
        while (((await client.stats()).log?.snapshotsServed ?? 0) < asked) await client.ping();
      }
      await client.close();
      await server.kill();
      loseRegion(name);
    }
  },
);
