/**
 * Reads without the server, while others write through it as fast as they can: whoever reads a key gets a whole value
 * of that key, none older than it has seen or than was acknowledged before it asked, and versions that rise.
 * Seen to fail when: isStillThere() says yes always, or does not look at the incarnation; torn bytes that fail to decode
 * count as a failure; a cached value is used without a look; the version is another entry's. (What only two rare events
 * in a row bring about is for test/model/reader.test.ts.)
 */
import { expect, test } from 'vitest';

import { Peer } from '../fixtures/processes.js';
import { connect, startServer, statsUntil } from '../fixtures/service.js';

interface Report {
  readonly faults: readonly string[];
  readonly rounds: number;
}

const KEYS = 3;
const READS = 40_000;
const MIB = 2 ** 20;
const CASES = [
  { cacheEntries: 0, maxMemory: 16 * MIB, ballast: 0 },
  { cacheEntries: 64, maxMemory: 16 * MIB, ballast: 0 },
  { cacheEntries: 0, maxMemory: 4 * MIB, ballast: 4 * MIB },
  { cacheEntries: 64, maxMemory: 4 * MIB, ballast: 4 * MIB },
];

test.each(CASES)(
  'no torn, foreign, stale or older value: cache of $cacheEntries, $ballast bytes that shift',
  async ({ cacheEntries, maxMemory, ballast }) => {
    const { name } = await startServer({ workers: 1, stripes: 4, maxMemory });
    const writer = await Peer.start('service/stamper', JSON.stringify({ name, keys: KEYS, ballast }));
    const start = (codec: string) => {
      const cache = codec === 'buffer' ? 0 : cacheEntries;
      const options = { name, codec, keys: KEYS, reads: READS, cacheEntries: cache };
      return Peer.start('service/onlooker', JSON.stringify(options));
    };
    const readers = await Promise.all(['utf8', 'buffer', 'json'].map(start));
    await writer.tell('run');
    const reports = (await Promise.all(readers.map((reader) => reader.tell('run')))) as Report[];
    expect(reports.flatMap(({ faults }) => faults)).toEqual([]);
    const client = await connect(name);
    if (ballast > 0) await statsUntil(client, ({ memory }) => memory.movedBytes > MIB / 4);
    await writer.tell('stop');
    // Reads were direct indeed, but for those of values that changed too fast.
    const reads = reports.reduce((sum, { rounds }) => sum + rounds, 0);
    const { operations } = await client.stats();
    expect(operations['get']?.count ?? 0).toBeLessThan(reads / 4);
  },
);
