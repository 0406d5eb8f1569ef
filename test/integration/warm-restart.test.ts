/**
 * A server that follows another on the same region: everything that was acknowledged is there, everything in flight is
 * executed exactly once, and clients see nothing but latency.
 * Seen to fail when: clients give up at once; a request that had taken effect is executed again; the heap is not rebuilt;
 * the epoch's locks stay; requests that were submitted are forgotten; a stopping server refuses although it is followed.
 */
import { closeSync, existsSync, openSync, writeSync } from 'node:fs';

import { expect, onTestFinished, test } from 'vitest';

import { KvsClient, KvsServer, type ServerEvent } from '#dist/index.js';
import { PayloadArena } from '#dist/exchange/payload-arena.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { SlotState, stateOf } from '#dist/exchange/slot-word.js';
import { TaskQueue } from '#dist/exchange/task-queue.js';
import { CtlHeader, DataHeader, LAYOUT_VERSION, RegionState } from '#dist/memory/layout.js';
import { claimRegion } from '#dist/memory/region-claim.js';
import { attachData, checkData, leaveRegion } from '#dist/memory/region.js';
import { recoverRegion } from '#dist/server/warm-restart.js';

import { audited } from '../fixtures/audited.js';
import { Peer, until } from '../fixtures/processes.js';
import { attachTestRegion, regionFiles, regionName, shapeOf } from '../fixtures/region.js';
import {
  closing,
  connect,
  failureOf,
  freeze,
  openClient,
  randomness,
  startServer,
  startServerProcess,
} from '../fixtures/service.js';
import { auditStore } from '../fixtures/store/audit.js';

interface Report {
  readonly rounds: number;
  readonly sum: number;
  readonly swaps: number;
  readonly deleted: number;
  readonly won: readonly number[];
  readonly faults: readonly string[];
  readonly last: Readonly<Record<string, string>>;
}

const patience = { timeoutMs: 120_000, reconnectTimeoutMs: 120_000 };
const patient = async (name: string, options: object = {}) =>
  closing(await KvsClient.connect({ name, reads: 'server', ...patience, ...options }));

async function startLedgers(name: string): Promise<Peer[]> {
  const client = await connect(name);
  await client.set('fixed', 'as it was');
  const peers = await Promise.all([0, 1, 2, 3].map((id) => Peer.start('service/ledger', JSON.stringify({ name, id }))));
  for (const peer of peers) await peer.tell('run');
  return peers;
}

const progressOf = (peers: readonly Peer[]) =>
  Promise.all(peers.map((peer) => peer.tell('progress') as Promise<number>));

async function untilAllGoOn(peers: readonly Peer[], rounds: number): Promise<void> {
  for (const peer of peers) {
    const goal = ((await peer.tell('progress')) as number) + rounds;
    while (((await peer.tell('progress')) as number) < goal);
  }
}

/** Ends the load, and expects what was acknowledged, to each client and to all of them, to be what is there. */
async function balance(name: string, peers: readonly Peer[]): Promise<void> {
  const reports = (await Promise.all(peers.map((peer) => peer.tell('stop')))) as Report[];
  const client = await connect(name);
  for (const { faults, rounds, deleted, last } of reports) {
    expect(faults).toEqual([]);
    expect(deleted).toBe(rounds);
    const keys = Object.keys(last);
    expect(await client.mget(keys)).toEqual(keys.map((key) => last[key]));
  }
  const total = (of: (report: Report) => number) => reports.reduce((sum, report) => sum + of(report), 0);
  const numbers = await openClient({ name, codec: 'int32', reads: 'server' });
  expect(await numbers.get('count')).toBe(total(({ sum }) => sum));
  expect(await client.get('swapped')).toBe(`${total(({ swaps }) => swaps)}`);
  const winners = new Map<number, number>();
  for (const { won } of reports) for (const round of won) winners.set(round, (winners.get(round) ?? 0) + 1);
  const rounds = Math.max(...reports.map((report) => report.rounds));
  expect([...winners.values()].every((count) => count === 1)).toBe(true);
  expect(winners.size).toBe(rounds);
}

/** Kills the server of the name and expects a recovery to find all in order and nothing left over. */
async function auditAfterwards(name: string, server: Peer): Promise<void> {
  await server.kill();
  expect(await audited(name)).toMatchObject({ isServed: false, unsettled: [] });
  const region = claimRegion({ name, shmDir: '/dev/shm', shape: shapeOf(), version: '0', asked: {}, fresh: false });
  try {
    expect(region.origin.kind).toBe('taken-over');
    const { ctl, data, geometry } = region;
    expect(recoverRegion(region, new TaskQueue(ctl, geometry))).toMatchObject({ dropped: 0, refused: 0 });
    auditStore(data, geometry);
    const table = new SlotTable(ctl, geometry);
    const slots = Array.from({ length: table.count }, (_, slot) => stateOf(table.word(slot)));
    expect(slots.filter((state) => state !== SlotState.free)).toEqual([]);
    expect(new PayloadArena(ctl, geometry, 0).used()).toBe(0);
  } finally {
    leaveRegion(region);
  }
  expect((await audited(name)).map.entries).toBeGreaterThan(0);
}

test('twelve kills of the server under load: nothing is lost, doubled or refused, and reads go on', async () => {
  const name = regionName();
  const random = randomness();
  let server = await startServerProcess({ workers: 3 }, name);
  const peers = await startLedgers(name);
  const reader = await openClient({ name });
  let resolved = 0;
  for (let life = 0; life < 12; life++) {
    await untilAllGoOn(peers, 1 + random(20));
    await server.kill();
    for (let read = 0; read < 1000; read++) expect(reader.getSync('fixed')).toBe('as it was');
    // Another number of workers is no reason to lose anything.
    server = await startServerProcess({ workers: 1 + (life % 3) }, name);
    const [recovered] = (await server.tell('events')) as ServerEvent[];
    expect(recovered).toMatchObject({ type: 'recovered', dropped: 0, refused: 0 });
    if (recovered?.type === 'recovered') resolved += recovered.replayed + recovered.answered;
  }
  console.log('requests that a server died over:', resolved, 'rounds:', await progressOf(peers));
  await untilAllGoOn(peers, 5);
  await balance(name, peers);
  await auditAfterwards(name, server);
});

test('servers that hand over to one another under load: clients notice nothing', async () => {
  const name = regionName();
  let server = await startServerProcess({}, name);
  const peers = await startLedgers(name);
  for (let life = 0; life < 5; life++) {
    await untilAllGoOn(peers, 10);
    const next = await startServerProcess({ takeover: true }, name);
    await server.tell('ended');
    expect((await server.tell('events')) as ServerEvent[]).toContainEqual({ type: 'takeover-requested' });
    expect((await next.tell('events')) as ServerEvent[]).toMatchObject([
      { type: 'recovered', dropped: 0, answered: 0, refused: 0 },
    ]);
    await server.kill();
    server = next;
  }
  await untilAllGoOn(peers, 5);
  await balance(name, peers);
  await auditAfterwards(name, server);
});

test('a server that is stopped with keep leaves all to the next one, also what is asked for meanwhile', async () => {
  const name = regionName();
  const first = await startServerProcess({}, name);
  const client = await patient(name);
  const version = await client.set('k', 'v').then(() => client.getEntry('k'));
  await first.tell('leave');
  expect(existsSync(`/dev/shm/kvs.${name}.data`)).toBe(true);
  const waiting = [client.incr('n'), client.incr('n'), client.getEntry('k')];
  await startServer({}, name);
  expect(await Promise.all(waiting)).toEqual([1, 2, version]);
  await client.set('k', 'w');
  expect((await client.getEntry('k'))?.version).toBeGreaterThan(version?.version ?? Infinity);
});

test('calls wait for a server as long as they may, and then fail at once', async () => {
  const name = regionName();
  const server = await startServerProcess({}, name);
  const client = await patient(name, { reconnectTimeoutMs: 300 });
  const hasty = await patient(name, { reconnectTimeoutMs: 300, timeoutMs: 1 });
  await client.set('k', 'v');
  freeze(server);
  const calls = [client.incr('n'), client.mset({ a: 'b' })];
  const killedAt = performance.now();
  await server.kill();
  for (const call of calls)
    expect(await failureOf(call)).toMatchObject({ code: 'ERR_KVS_SERVER_GONE', executed: 'no' });
  expect(performance.now() - killedAt).toBeGreaterThanOrEqual(300);
  expect(await failureOf(() => client.incrSync('n'))).toMatchObject({ code: 'ERR_KVS_SERVER_GONE', executed: 'no' });
  // Its time is up before anybody could come, and it is known that nobody is there.
  expect(await failureOf(() => hasty.incrSync('n'))).toMatchObject({ code: 'ERR_KVS_SERVER_GONE', executed: 'no' });
  expect(await failureOf(hasty.incr('n'))).toMatchObject({ code: 'ERR_KVS_SERVER_GONE', executed: 'no' });
  await startServer({}, name);
  let count: unknown;
  while (count === undefined) count = await client.incr('n').catch(() => undefined);
  expect(count).toBe(1);
});

/** Waits until a server recovers the region, and kills it. @returns how many in a row have died before they were done */
async function killInRecovery(name: string): Promise<number> {
  const region = attachTestRegion(name);
  const { ctl } = region;
  const epoch = ctl.words[CtlHeader.epoch];
  const started = startServerProcess({}, name).catch(() => undefined);
  await until(() => Atomics.load(ctl.words, CtlHeader.epoch) !== epoch);
  process.kill(ctl.words[CtlHeader.serverPid], 'SIGKILL');
  const server = await started;
  await server?.ended;
  return attachData(region).words[DataHeader.recoveries];
}

test('a server that dies while it recovers is followed by another; after two of them the region is put aside', async () => {
  const name = regionName();
  const first = await startServerProcess({}, name);
  const client = await patient(name);
  const keys = Array.from({ length: 30_000 }, (_, i) => `key ${i}`);
  await client.mset(keys.map((key): [string, string] => [key, key]));
  // There before, so that it is one of so many whichever server executes what waits.
  await client.set('n', '0');
  freeze(first);
  const waiting = client.incr('n');
  await first.kill();
  while ((await killInRecovery(name)) === 0);
  const second = await startServerProcess({}, name);
  expect(await second.tell('events')).toMatchObject([{ type: 'recovered', entries: 30_001, dropped: 0 }]);
  expect(await waiting).toBe(1);
  expect(await client.mget(keys)).toEqual(keys);
  await second.kill();
  while ((await killInRecovery(name)) < 2);
  const events: ServerEvent[] = [];
  const last = await startServer({ onEvent: (event) => void events.push(event) }, name);
  const archive = `/dev/shm/kvs.${name}.ctl.old`;
  expect(events).toEqual([
    { type: 'region-replaced', reason: '2 servers in a row died while they recovered it', archive },
  ]);
  expect(last.size).toBe(0);
});

test('servers that are killed as soon as they answer, one after the other, lose nothing', async () => {
  const name = regionName();
  const first = await startServerProcess({}, name);
  const client = await patient(name);
  await client.set('k', 'v');
  await first.kill();
  for (let life = 0; life < 4; life++) {
    const server = startServerProcess({}, name).then(
      (peer) => peer.ended,
      () => 'it died before it said that it was ready',
    );
    process.kill((await client.stats()).pid, 'SIGKILL');
    await server;
  }
  await startServerProcess({}, name);
  expect(await client.get('k')).toBe('v');
});

function patch(path: string, offset: number, bytes: Uint8Array): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, bytes, 0, bytes.length, offset);
  closeSync(fd);
}

const wordOf = (value: number): Buffer => Buffer.from(Int32Array.of(value).buffer);

/** What is wrong, how to make it so, what is asked for besides, and what the event says of it. */
test.each<[string, (name: string) => void, object, string]>([
  [
    'of another layout version',
    (name) => {
      patch(`/dev/shm/kvs.${name}.ctl`, CtlHeader.layoutVersion * 4, wordOf(LAYOUT_VERSION - 1));
      patch(`/dev/shm/kvs.${name}.data`, DataHeader.layoutVersion * 4, wordOf(LAYOUT_VERSION - 1));
    },
    {},
    `has layout version ${LAYOUT_VERSION - 1}`,
  ],
  [
    'of an earlier boot',
    (name) => patch(`/dev/shm/kvs.${name}.data`, DataHeader.ctlHeader * 4 + CtlHeader.bootId, Buffer.from('-')),
    {},
    'made before this boot',
  ],
  [
    'of another size than asked for',
    () => {},
    { maxMemory: 32 * 2 ** 20 },
    'maxMemory is 16777216, 33554432 was asked',
  ],
  ['of other slots than asked for', () => {}, { slots: 64 }, 'its slots is 1024, 64 was asked for'],
  [
    'garbage',
    (name) => {
      for (const file of ['ctl', 'data']) patch(`/dev/shm/kvs.${name}.${file}`, 0, Buffer.alloc(4096, 0xa5));
    },
    {},
    'no magic number',
  ],
  [
    'without a heap that can be told',
    (name) => {
      const { geometry } = attachTestRegion(name);
      patch(`/dev/shm/kvs.${name}.data`, geometry.unitTableOffset, wordOf(0));
    },
    {},
    'could not be recovered: the heap’s unit table is damaged'.replace('’', "'"),
  ],
  [
    'with a data file of another region',
    (name) => patch(`/dev/shm/kvs.${name}.data`, DataHeader.regionId * 4, wordOf(7)),
    {},
    'of another region',
  ],
])('a region %s is put aside, and a new one takes its place', async (_, spoil, options, reason) => {
  const name = regionName();
  for (let round = 0; round < 2; round++) {
    const dead = await startServerProcess({ fresh: true, maxMemory: 16 * 2 ** 20 }, name);
    const client = await patient(name);
    await client.set('k', 'v');
    await dead.kill();
    spoil(name);
    const events: ServerEvent[] = [];
    const server = await KvsServer.start({ name, workers: 1, ...options, onEvent: (event) => void events.push(event) });
    onTestFinished(() => server.stop());
    const archive = `/dev/shm/kvs.${name}.ctl.old`;
    expect(events).toEqual([{ type: 'region-replaced', reason: expect.stringContaining(reason) as string, archive }]);
    expect(server.size).toBe(0);
    const archives = regionFiles(name).filter((file) => file.endsWith('.old'));
    expect(archives.sort()).toEqual([`kvs.${name}.ctl.old`, `kvs.${name}.data.old`]);
    expect(await (await connect(name)).get('k')).toBeUndefined();
    await server.stop();
  }
});

test('a fresh start leaves nothing of what was there', async () => {
  const name = regionName();
  const dead = await startServerProcess({}, name);
  await (await connect(name)).set('k', 'v');
  await dead.kill();
  const events: ServerEvent[] = [];
  const server = await startServer({ fresh: true, onEvent: (event) => void events.push(event) }, name);
  expect(events).toEqual([{ type: 'region-replaced', reason: 'a fresh start was asked for', archive: undefined }]);
  expect(server.size).toBe(0);
  expect(regionFiles(name).filter((file) => file.endsWith('.old'))).toEqual([]);
});

test('a take-over that cannot be is refused, and the server that runs goes on', async () => {
  const { name } = await startServer();
  const client = await connect(name);
  await client.set('k', 'v');
  const refused = await failureOf(KvsServer.start({ name, takeover: true, slots: 64 }));
  expect(refused).toMatchObject({ code: 'ERR_KVS_LAYOUT' });
  expect(refused.message).toContain('its slots is 1024, 64 was asked for; leave that option out');
  expect(await client.get('k')).toBe('v');
});

/** Of a client, or of what became of its memory: the store is there all the same. */
test.each<[string, number, number]>([
  ['stopped', CtlHeader.state * 4, RegionState.stopped],
  ['not ready yet', CtlHeader.state * 4, RegionState.starting],
  ['of no state', CtlHeader.state * 4, 77],
  ['of other stripes', CtlHeader.stripes * 4, 32],
  ['no region', CtlHeader.magic * 4, 0],
  ['of another version', CtlHeader.layoutVersion * 4, 3],
  ['another region', CtlHeader.regionId * 4, 0],
  ['of another boot', CtlHeader.bootId, 0],
])('a header that says that its region is %s is put back', async (_, offset, word) => {
  const name = regionName();
  const first = await startServerProcess({}, name);
  const client = await connect(name);
  const keys = Array.from({ length: 100 }, (__, i) => `key ${i}`);
  await client.mset(keys.map((key) => [key, key] as const));
  await client.close();
  await first.kill();
  patch(`/dev/shm/kvs.${name}.ctl`, offset, wordOf(word));
  const second = await startServerProcess({}, name);
  const events = (await second.tell('events')) as ServerEvent[];
  expect(events).toMatchObject([{ type: 'recovered', entries: 100, dropped: 0 }]);
  expect(await (await connect(name)).mget(keys)).toEqual(keys);
});

test('who attaches while the header tells of another shape gets no store that is not there', async () => {
  const server = await startServer();
  const client = await connect(server.name);
  await client.set('k', 'v');
  const { ctl } = attachTestRegion(server.name);
  const data = attachData(attachTestRegion(server.name));
  expect(data.words[DataHeader.state]).toBe(RegionState.ready);
  ctl.words[CtlHeader.stripes] = 32;
  const isTold = { code: 'ERR_KVS_CORRUPT', message: expect.stringContaining('another shape') as string };
  expect(() => attachData(attachTestRegion(server.name))).toThrow(expect.objectContaining(isTold));
  // Nor those who do not map it.
  expect(() => checkData(attachTestRegion(server.name))).toThrow(expect.objectContaining(isTold));
  expect(await failureOf(KvsClient.connect({ name: server.name, reads: 'server' }))).toMatchObject(isTold);
});
