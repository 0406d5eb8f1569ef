/** What a timeout says about execution holds: what was not executed never will be. */
import { expect, test } from 'vitest';

import { type Executed, type KvsClient, KvsError } from '#dist/index.js';

import { regionName } from '../fixtures/region.js';
import { connect, freeze, randomness, startServerProcess } from '../fixtures/service.js';

const ROUNDS = 12;
const CALLS = 150;

type Outcome = 'done' | Executed;

async function outcomeOf(call: () => unknown): Promise<Outcome> {
  try {
    await call();
    return 'done';
  } catch (error) {
    if (!(error instanceof KvsError) || error.code !== 'ERR_KVS_TIMEOUT') throw error;
    expect(error.executed, error.message).toMatch(/^(no|unknown)$/);
    return error.executed as Executed;
  }
}

/** One write of `key`, in any of the ways there are. */
function write(client: KvsClient, way: number, key: string, timeoutMs: number): unknown {
  const options = { timeoutMs };
  switch (way % 6) {
    case 0:
      return client.set(key, key, options);
    case 1:
      return client.submit('post', key, key, options);
    case 2:
      return client.cas(key, 0, key, options);
    case 3:
      return client.mset([[key, key]], options);
    case 4:
      return client.set(key, key.repeat(400), options);
    default:
      return way < 12 ? client.setSync(key, key, options) : client.incr(key, 1, options);
  }
}

test('writes that time out under a stopped server and are said not to be executed never are', async () => {
  const name = regionName();
  const server = await startServerProcess({ workers: 2 }, name);
  const client = await connect(name);
  const random = randomness();
  const outcomes = new Map<string, Outcome>();
  for (let round = 0; round < ROUNDS; round++) {
    // Some are on their way when it stops, some come while it stands, some while it goes on.
    const calls: Promise<void>[] = [];
    const issue = (count: number, phase: string): void => {
      for (let i = 0; i < count; i++) {
        const key = `${round}.${phase}.${i}`;
        const outcome = outcomeOf(() => write(client, random(300), key, random(6)));
        calls.push(outcome.then((result) => void outcomes.set(key, result)));
      }
    };
    issue(CALLS, 'before');
    freeze(server);
    issue(CALLS, 'during');
    await Promise.all(calls);
    server.process.kill('SIGCONT');
    issue(CALLS, 'after');
    await Promise.all(calls);
  }
  await client.ping();
  // Whatever waited in the queue has had its turn: an operation on the whole store comes last.
  await client.size();
  const counts = { done: 0, no: 0, unknown: 0, unknownAndDone: 0 };
  for (const [key, outcome] of outcomes) {
    counts[outcome]++;
    const value = await client.get(key);
    if (outcome === 'done') expect(value, key).toBeDefined();
    if (outcome === 'no') expect(value, key).toBeUndefined();
    if (outcome === 'unknown' && value !== undefined) counts.unknownAndDone++;
    if (value !== undefined) expect([key, key.repeat(400), '1'], key).toContain(value);
  }
  console.log('outcomes:', counts);
  expect(counts.no).toBeGreaterThan(ROUNDS);
  expect(outcomes.size).toBe(3 * ROUNDS * CALLS);
  const stats = await client.stats();
  expect(stats.slots.inUse).toBe(1);
  expect(stats.memory.arenaUsedBytes).toBe(0);
});

test('a key whose writes were all not executed keeps its version, and the order of what follows', async () => {
  const name = regionName();
  const server = await startServerProcess({ workers: 4 }, name);
  const client = await connect(name);
  for (let round = 0; round < 10; round++) {
    await client.set('guarded', `round ${round}`);
    const before = await client.getEntry('guarded');
    freeze(server);
    const patient = client.get('guarded');
    const late = Array.from({ length: 20 }, (_, i) =>
      outcomeOf(() => client.set('guarded', 'late', { timeoutMs: i % 5 })),
    );
    const next = client.get('guarded');
    expect(await Promise.all(late)).toEqual(late.map(() => 'no'));
    expect(await outcomeOf(() => client.setSync('guarded', 'late', { timeoutMs: 2 }))).toBe('no');
    server.process.kill('SIGCONT');
    expect([await patient, await next]).toEqual([`round ${round}`, `round ${round}`]);
    expect(await client.getEntry('guarded')).toEqual(before);
  }
});

test('a blocking call after others have timed out gets its turn', async () => {
  const name = regionName();
  const server = await startServerProcess({ workers: 2 }, name);
  const client = await connect(name);
  for (let round = 0; round < 20; round++) {
    const busy = Array.from({ length: 50 }, (_, i) => outcomeOf(() => client.set('key', `${i}`, { timeoutMs: 1 })));
    freeze(server);
    expect(await outcomeOf(() => client.setSync('key', 'x', { timeoutMs: 1 }))).not.toBe('done');
    await Promise.all(busy);
    server.process.kill('SIGCONT');
    expect(client.setSync('key', `${round}`)).toBe(true);
    expect(client.getSync('key')).toBe(`${round}`);
    expect(client.sizeSync()).toBe(1);
  }
});

test('any number of calls may end at the same time, by their deadline or with the server', async () => {
  const name = regionName();
  const server = await startServerProcess({ workers: 1 }, name);
  const client = await connect(name);
  freeze(server);
  // Far more than a walk past all others for each of them would leave time for.
  const setMany = (timeoutMs: number) =>
    Promise.all(Array.from({ length: 100_000 }, (_, i) => outcomeOf(() => client.set(`k${i}`, 'v', { timeoutMs }))));
  expect(new Set(await setMany(100))).toEqual(new Set<Outcome>(['no']));
  const gone = Promise.allSettled(Array.from({ length: 100_000 }, (_, i) => client.set(`k${i}`, 'v')));
  await server.kill();
  for (const outcome of await gone) expect(outcome.status).toBe('rejected');
});
