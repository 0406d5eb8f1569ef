/**
 * Servers with a directory are killed under load, across snapshots, again and again. The next one goes on from the region
 * that the killed one left, or, where that is taken away as a failing machine would, from the files alone: with `always`
 * nothing that was acknowledged is missing then. `KVS_KILLS=500` has more of them.
 * Seen to fail when: answers do not wait for the log (`always` served as `everysec`).
 */

import { expect, test } from 'vitest';

import { KvsClient, KvsError } from '#dist/index.js';

import { diskDirectory } from '../fixtures/processes.js';
import { loseRegion, regionName } from '../fixtures/region.js';
import { randomness, startServerProcess } from '../fixtures/service.js';

const KILLS = Number(process.env['KVS_KILLS'] ?? 12);
const WRITERS = 24;

/** One key, written again and again with rising numbers, or removed. */
class Writer {
  readonly key: string;
  acknowledged = 0;
  attempted = 0;

  constructor(index: number) {
    this.key = `writer ${index}`;
  }

  /** Until the server is gone. */
  async run(client: KvsClient): Promise<void> {
    for (;;) {
      const number = this.attempted + 1;
      this.attempted = number;
      try {
        if (number % 50 === 0) await client.del(this.key);
        else await client.set(this.key, `${number}:${'x'.repeat((number * 37) % 3000)}`);
      } catch (error) {
        if (error instanceof KvsError && error.executed !== undefined) return;
        throw error;
      }
      this.acknowledged = number;
    }
  }

  /** What the server may show now: the last state that was acknowledged, or the one that was being written. */
  isAllowed(shown: string | undefined): boolean {
    for (let number = this.acknowledged; number <= this.attempted; number++) {
      const isGone = number === 0 || number % 50 === 0;
      const expected = isGone ? undefined : `${number}:${'x'.repeat((number * 37) % 3000)}`;
      if (expected === shown) return true;
    }
    return false;
  }
}

test('no kill loses what was acknowledged, nor does a lost machine with `always`', async () => {
  const random = randomness();
  const name = regionName();
  const dir = diskDirectory();
  const writers = Array.from({ length: WRITERS }, (_, index) => new Writer(index));
  let recovered = 0;
  for (let kill = 0; kill <= KILLS; kill++) {
    const options = {
      dir,
      sync: 'always',
      snapshotIntervalMs: 150,
      segmentBytes: 2 ** 18,
      maxMemory: 8 * 2 ** 20,
    } as const;
    const server = await startServerProcess(options, name);
    const client = await KvsClient.connect({ name, timeoutMs: 60_000, reconnectTimeoutMs: 0, reads: 'server' });
    for (const writer of writers) {
      const shown = await client.get(writer.key);
      expect(
        writer.isAllowed(shown),
        `${writer.key}: ${writer.acknowledged} to ${writer.attempted}, got ${shown?.slice(0, 10)}`,
      ).toBe(true);
      if (shown !== undefined) recovered++;
      // What was not known is known now.
      if (shown !== undefined) writer.acknowledged = Number.parseInt(shown, 10);
      else if (writer.attempted % 50 === 0) writer.acknowledged = writer.attempted;
    }
    if (kill === KILLS) {
      await client.close();
      break;
    }
    const running = writers.map((writer) => writer.run(client));
    const killAt = 40 + random(400);
    await new Promise((resolve) => {
      setTimeout(resolve, killAt);
    });
    await server.kill();
    await Promise.all(running);
    await client.close();
    if (random(2) === 0) loseRegion(name);
  }
  expect(recovered).toBeGreaterThan(KILLS);
});
