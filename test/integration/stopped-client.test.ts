/** A client that stands still (SIGSTOP) while others use the slots many times over neither harms nor is harmed. */
import { setImmediate } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { Peer } from '../fixtures/processes.js';
import { connect, startServer } from '../fixtures/service.js';

const SLOTS = 16;
/** How often the others go through all slots while the client is stopped. */
const LAPS = 30;

interface Report {
  readonly found: number;
  readonly faults: readonly string[];
}

test('others lap the slot table while a client is stopped in the middle of its calls; all results are right', async () => {
  const server = await startServer({ slots: SLOTS, workers: 2 });
  const start = (writer: number, operations: number, group: number) =>
    Peer.start('service/foreign', JSON.stringify({ name: server.name, writer, keys: 4, operations, group }));
  const stopped = await start(0, 6000, 4);
  const others = await Promise.all([start(1, 20_000, 4), start(2, 20_000, 16), start(3, 20_000, 4)]);
  const executed = () => Object.values(server.stats().operations).reduce((sum, { count }) => sum + count, 0);

  const over = new AbortController();
  let laps = 0;
  // However often that takes.
  const run = async (peer: Peer): Promise<Report> => {
    const report = (await peer.tell('run')) as Report;
    return laps > 10 * LAPS ? report : run(peer);
  };
  const finished = Promise.all(others.map(run)).finally(() => over.abort());
  const late = run(stopped);
  while (!over.signal.aborted) {
    stopped.process.kill('SIGSTOP');
    const goal = executed() + LAPS * SLOTS;
    while (!over.signal.aborted && executed() < goal) await setImmediate();
    stopped.process.kill('SIGCONT');
    laps += LAPS;
    const next = executed() + SLOTS;
    while (!over.signal.aborted && executed() < next) await setImmediate();
  }
  const reports = [await late, ...(await finished)];
  expect(reports.flatMap(({ faults }) => faults)).toEqual([]);
  expect(reports.every(({ found }) => found > 1000)).toBe(true);
});

test('an answer that a stopped client has not taken is still its own when it goes on', async () => {
  const server = await startServer({ slots: SLOTS, workers: 2 });
  const client = await connect(server.name);
  const peer = await Peer.start('service/client', JSON.stringify({ name: server.name, timeoutMs: 60_000 }));
  for (let round = 0; round < 20; round++) {
    await client.set('mine', `round ${round}`);
    const answer = peer.tell('get', 'mine');
    // Perhaps before its request, perhaps with the answer in its slot.
    for (let turn = 0; turn < round; turn++) await setImmediate();
    peer.process.kill('SIGSTOP');
    for (let lap = 0; lap < LAPS; lap++) {
      const keys = Array.from({ length: SLOTS }, (_, i) => `other ${i}`);
      await Promise.all(keys.map((key) => client.set(key, `${lap}`)));
      expect(await Promise.all(keys.map((key) => client.get(key)))).toEqual(keys.map(() => `${lap}`));
    }
    peer.process.kill('SIGCONT');
    expect(await answer).toEqual({ result: `round ${round}` });
  }
});
