/** Whoever reads a key gets a whole value that somebody wrote to that key, and never one older than it has known. */
import { expect, test } from 'vitest';

import { Peer } from '../fixtures/processes.js';
import { connect, startServer } from '../fixtures/service.js';

const CLIENTS = 4;
const OPERATIONS = 100_000;

interface Report {
  readonly sets: number;
  readonly found: number;
  readonly foreign: number;
  readonly faults: readonly string[];
}

const CASES = [
  { keys: 3, workers: 1, reads: 'server' },
  { keys: 3, workers: 4, reads: 'server' },
  { keys: 5000, workers: 4, reads: 'server' },
  { keys: 3, workers: 4, reads: 'direct' },
  { keys: 5000, workers: 1, reads: 'direct' },
];

test.each(CASES)(
  'no foreign, torn or stale value on $keys keys with $workers workers, $reads reads',
  async ({ keys, workers, reads }) => {
    const server = await startServer({ workers });
    const start = (writer: number) =>
      Peer.start('service/foreign', JSON.stringify({ name: server.name, writer, keys, operations: OPERATIONS, reads }));
    const peers = await Promise.all(Array.from({ length: CLIENTS }, (_, writer) => start(writer)));
    const reports = (await Promise.all(peers.map((peer) => peer.tell('run')))) as Report[];
    expect(reports.flatMap(({ faults }) => faults)).toEqual([]);
    for (const { sets, found, foreign } of reports) {
      expect(sets).toBeGreaterThan(OPERATIONS / 3);
      expect(found).toBeGreaterThan(OPERATIONS / 4);
      expect(foreign).toBeGreaterThan(0);
    }
    expect(server.size).toBe(keys);
    const client = await connect(server.name);
    const { operations } = await client.stats();
    expect(operations['set']?.count).toBe(reports.reduce((sum, { sets }) => sum + sets, 0));
  },
  240_000,
);
