/**
 * Who is expelled, and what becomes of it and of others. Seen to fail when: faults are not counted; the worker executes
 * what an expelled client asks for; the sweeper does not look while nobody asks for anything but somebody waits for a slot.
 */
import { performance } from 'node:perf_hooks';

import { afterEach, expect, test, vi } from 'vitest';

import { Session } from '#dist/client/session.js';
import { Exile } from '#dist/client/exile.js';
import { Status } from '#dist/errors.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { TaskQueue } from '#dist/exchange/task-queue.js';
import type { ServerEvent } from '#dist/index.js';
import { clientBase, clientsInUse } from '#dist/memory/client-lease.js';
import { ClientRecord, LeaseState, Slot } from '#dist/memory/layout.js';
import type { Region } from '#dist/memory/region.js';
import { Conduct } from '#dist/server/conduct.js';
import { Expulsion, FORGIVE_MS, MAX_FAULTS } from '#dist/server/expulsion.js';
import { Reaper } from '#dist/server/reaper.js';

import { Peer, until } from '../fixtures/processes.js';
import { attachTestRegion, createTestRegion } from '../fixtures/region.js';
import { connect, failureOf, openClient, startServer, statsUntil } from '../fixtures/service.js';

afterEach(() => void vi.restoreAllMocks());

const vandalOf = (name: string) => Peer.start('service/vandal', JSON.stringify({ name, seed: 1, mode: 'own' }));

/** Starts a server; tells whom it expels. */
async function start() {
  const expelled: Extract<ServerEvent, { type: 'client-expelled' }>[] = [];
  const server = await startServer({
    slots: 64,
    onEvent: (event) => {
      if (event.type === 'client-expelled') expelled.push(event);
    },
  });
  return { name: server.name, expelled };
}

/** Requests without a key in another's name. */
function forge({ ctl, geometry }: Region, owner: number, count: number): void {
  const table = new SlotTable(ctl, geometry);
  const queue = new TaskQueue(ctl, geometry);
  for (let slot = table.count - count; slot < table.count; slot++) {
    const claimed = table.claim(slot, owner);
    const base = table.base(slot);
    ctl.words.fill(0, base + Slot.waiter, base + Slot.status);
    ctl.words[base + Slot.op] = 2;
    ctl.words[base + Slot.after] = -1;
    table.submit(slot, claimed);
    queue.enqueue(slot);
  }
}

test('who sends malformed requests is told so, and after some of them not served any more; others are', async () => {
  const { name, expelled } = await start();
  const client = await connect(name);
  const vandal = await vandalOf(name);
  const index = await vandal.tell('client');
  expect(await vandal.tell('malformed', 1)).toEqual([Status.badRequest]);
  expect(await vandal.tell('sound')).toBe(Status.ok);
  const asked = ((await vandal.tell('malformed', 15)) as number[]).filter((status) => status === Status.badRequest);
  expect(asked).toHaveLength(15);
  await until(() => expelled.length > 0);
  expect(expelled).toEqual([
    { type: 'client-expelled', client: index, pid: vandal.process.pid, reason: 'malformed-requests' },
  ]);
  // Nothing of it is executed from here on: its SET would have been.
  expect(await vandal.tell('sound')).toBe(Status.expelled);
  const { ctl, geometry } = attachTestRegion(name);
  const inUse = clientBase({ geometry }, index as number) + ClientRecord.inUse;
  expect(ctl.words[inUse]).toBe(LeaseState.expelled);
  // Whoever clears the mark changes nothing.
  ctl.words[inUse] = LeaseState.leased;
  expect(await vandal.tell('sound')).toBe(Status.expelled);
  await until(() => {
    client.setSync('k', 'v');
    return ctl.words[inUse] === LeaseState.expelled;
  });
  expect(client.getSync('k')).toBe('v');
  expect(await client.stats()).toMatchObject({ clients: 2, expelled: 1 });
  await vandal.kill();
  await statsUntil(client, ({ clients, slots }) => clients === 1 && slots.inUse === 1);
  // The index is as good as new.
  const next = await vandalOf(name);
  expect(await next.tell('client')).toBe(index);
  expect(await next.tell('sound')).toBe(Status.ok);
});

test.each(['right', 'a year ahead'])('who hoards slots loses them while it lives; the clock is %s', async (clock) => {
  if (clock !== 'right') vi.spyOn(Date, 'now').mockReturnValue(Date.now() + 365 * 86_400_000);
  const { name, expelled } = await start();
  const client = await connect(name);
  const hoarder = await vandalOf(name);
  expect(await hoarder.tell('hoard')).toBe(64);
  // Waits until there is a slot again.
  expect(await client.set('k', 'v')).toBe(true);
  expect(expelled).toMatchObject([{ pid: hoarder.process.pid, reason: 'too-many-slots' }]);
  await statsUntil(client, ({ slots }) => slots.inUse === 1);
  // Answered so, or taken from it before.
  expect([Status.expelled, -1]).toContain(await hoarder.tell('sound'));
});

test('a client in whose name others misbehave gets clear errors for a while, reads on, and comes back by itself', async () => {
  const { name, expelled } = await start();
  const client = await openClient({ name });
  await client.set('k', 'v');
  const region = attachTestRegion(name);
  forge(region, 0, MAX_FAULTS);
  await until(() => expelled.length > 0);
  const late = client.set('k', 'late');
  expect(await failureOf(late)).toMatchObject({ code: 'ERR_KVS_EXPELLED', executed: 'no' });
  // Its time begins with the next call, and does not pass before all this was seen.
  let now = performance.now();
  const clock = vi.spyOn(performance, 'now').mockImplementation(() => (now += 0.001));
  // At once, in both ways, until its time is over.
  expect(await failureOf(client.set('k', 'later'))).toMatchObject({ code: 'ERR_KVS_EXPELLED', executed: 'no' });
  expect(await failureOf(() => client.setSync('k', 'later'))).toMatchObject({ code: 'ERR_KVS_EXPELLED' });
  expect(await client.get('k')).toBe('v');
  let failures = 0;
  for (let isBack = false; !isBack;) {
    try {
      isBack = client.setSync('k', 'again');
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_KVS_EXPELLED' });
      failures++;
      expect(client.getSync('k')).toBe('v');
      clock.mockRestore();
    }
  }
  expect(failures).toBeGreaterThan(0);
  expect(await client.get('k')).toBe('again');
  expect(expelled).toHaveLength(1);
  // Under another index, until the server has forgotten the one that it had.
  const observer = await connect(name);
  await statsUntil(observer, ({ clients, slots }) => clients === 2 && slots.inUse === 1);
});

test('a blocking call that waits for its answer learns that its client is expelled', async () => {
  const { name, expelled } = await start();
  const client = await connect(name);
  forge(attachTestRegion(name), 0, MAX_FAULTS);
  await until(() => expelled.length > 0);
  expect(await failureOf(() => client.setSync('k', 'v'))).toMatchObject({ code: 'ERR_KVS_EXPELLED', executed: 'no' });
});

test('a mark in its record alone expels nobody', async () => {
  const { name } = await start();
  const client = await connect(name);
  const { ctl, geometry } = attachTestRegion(name);
  const inUse = clientBase({ geometry }, 0) + ClientRecord.inUse;
  ctl.words[inUse] = LeaseState.expelled;
  expect(await client.set('k', 'v')).toBe(true);
  await until(() => {
    client.setSync('k', 'v');
    return ctl.words[inUse] === LeaseState.leased;
  });
  // Left with the mark, the index still comes free: by the reaper.
  ctl.words[inUse] = LeaseState.expelled;
  await client.close();
  const next = await connect(name);
  await statsUntil(next, ({ clients }) => clients === 1);
});

test('malformed requests are forgiven after a while, and not held against who has the index next', () => {
  const region = createTestRegion();
  const conduct = new Conduct(Conduct.allocate());
  const events: ServerEvent[] = [];
  const onEvent = (event: ServerEvent): void => void events.push(event);
  const reaper = new Reaper(region, conduct, onEvent);
  const expulsion = new Expulsion(region, conduct, { slots: 4, chunks: 4 }, reaper, onEvent);
  const clientRegion = attachTestRegion(region.name);
  const session = () => new Session(clientRegion, { reads: 'server', reconnectTimeoutMs: 0 });
  const held = new Int32Array(1024);
  const blame = (count: number): void => {
    for (let i = 0; i < count; i++) conduct.blame(0);
  };
  const review = (now: number): number => expulsion.review(clientsInUse(region), held, now);
  session();
  review(0);
  for (let time = 1; time < 5; time++) {
    blame(MAX_FAULTS - 1);
    review(time * FORGIVE_MS - 1);
    review(time * FORGIVE_MS);
  }
  // Another client takes the index over, by its record.
  blame(MAX_FAULTS - 1);
  review(4 * FORGIVE_MS + 1);
  region.ctl.floats[clientBase(region, 0) / 2 + ClientRecord.connectedAtMs]++;
  blame(1);
  review(4 * FORGIVE_MS + 2);
  expect(events).toEqual([]);
  blame(MAX_FAULTS);
  review(4 * FORGIVE_MS + 3);
  expect(events).toMatchObject([{ type: 'client-expelled', client: 0, reason: 'malformed-requests' }]);
  // Once.
  blame(MAX_FAULTS);
  review(4 * FORGIVE_MS + 4);
  expect(events).toHaveLength(1);
});

test('each time in a row a client stays away for twice as long, within bounds', () => {
  const exile = new Exile();
  const expelled = () => ({ isExpelled: true }) as Session;
  const pauseOf = (session: Session, from: number): number => {
    let ms = 0;
    while (exile.isOn(session, from + ms)) ms += 100;
    return ms;
  };
  expect(exile.isOn({ isExpelled: false } as Session, 0)).toBe(false);
  let now = 0;
  const pauses: number[] = [];
  for (let time = 0; time < 7; time++) {
    pauses.push(pauseOf(expelled(), now));
    now += 40_000;
  }
  expect(pauses).toEqual([1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]);
  expect(pauseOf(expelled(), now + 200_000)).toBe(1000);
});
