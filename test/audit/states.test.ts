/**
 * Sound regions in every state: idle, busy, stopped, dead, kept, followed: nothing is found in them that is not so.
 * Seen to fail when: one look is enough where others are at work.
 */
import { expect, test } from 'vitest';

import { auditFiles, type AuditReport, isSound } from '#dist/audit/audit.js';
import { clientBase } from '#dist/memory/client-lease.js';
import { SlotState } from '#dist/exchange/slot-word.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { ClientRecord, CtlHeader } from '#dist/memory/layout.js';

import { audited, auditedAtRest, workersAtRest } from '../fixtures/audited.js';
import { Peer, until } from '../fixtures/processes.js';
import { attachTestRegion, regionName } from '../fixtures/region.js';
import { connect, freeze, openClient, startServer, startServerProcess, statsUntil } from '../fixtures/service.js';
import { stickRequest } from '../fixtures/stuck-request.js';

const startVictims = (name: string): Promise<Peer[]> =>
  Promise.all([0, 1, 2].map((kind) => Peer.start('service/victim', JSON.stringify({ name, kind }))));

test('a server that has done all that it was asked: every byte of the heap is somewhere', async () => {
  const server = await startServer();
  const client = await connect(server.name);
  for (let i = 0; i < 600; i++) await client.set(`key ${i}`, 'x'.repeat((i * 37) % 9000));
  for (let i = 0; i < 600; i += 3) await client.del(`key ${i}`);
  const before = await audited(server.name);
  expect(before).toMatchObject({
    state: 'ready',
    isServed: true,
    isExact: false,
    clients: { live: 1, dead: 0, pins: 0 },
  });
  await client.close();
  const { map, clients } = await auditedAtRest(server.name);
  expect(map.entries).toBe(400);
  expect(clients).toEqual({ live: 0, dead: 0, pins: 0 });
});

test('a client that holds views, also of values that were replaced', async () => {
  const server = await startServer();
  const client = await openClient({ name: server.name, codec: 'buffer' });
  await client.set('large', Buffer.alloc(50_000));
  const view = await client.getView('large');
  expect((await audited(server.name)).clients.pins).toBe(1);
  await client.set('large', Buffer.alloc(60_000));
  const report = await audited(server.name);
  expect(report.clients.pins).toBe(1);
  expect(report.heap).toMatchObject({ limboBlocks: 1, limboBytes: 49 * 1024 });
  view?.release();
  expect((await audited(server.name)).clients.pins).toBe(0);
});

test('a client that stands still, with more answers to come than there is room for', async () => {
  const name = regionName();
  await startServerProcess({ workers: 1 }, name);
  const client = await connect(name);
  await client.set('large', 'x'.repeat(1_000_000));
  const options = { name, reads: 'server', timeoutMs: 60_000 };
  const peer = await Peer.start('service/client', JSON.stringify(options));
  const { ctl, geometry } = attachTestRegion(name);
  const table = new SlotTable(ctl, geometry);
  const waiting = (): number => table.countWhere((state) => state === SlotState.submitted);
  // Until it stands still before it has taken them all.
  do {
    peer.process.kill('SIGCONT');
    for (let i = 0; i < 40; i++) peer.process.send(['get', 'large']);
    await until(() => waiting() > 10);
    freeze(peer);
    await client.ping();
  } while (waiting() < 5);
  for (let look = 0; look < 4; look++) expect((await audited(name)).slots.submitted).toBeGreaterThan(4);
});

test('a server at work; stopped in the middle; killed; followed by another that has everything cleared away', async () => {
  const name = regionName();
  const options = { workers: 3, slots: 64 };
  const server = await startServerProcess(options, name);
  const victims = await startVictims(name);
  for (let i = 0; i < 3; i++) expect(await audited(name)).toMatchObject({ isServed: true, clients: { live: 6 } });
  freeze(server);
  await audited(name);
  await server.kill();
  await audited(name);
  for (const victim of victims) await victim.kill();
  const left = await audited(name);
  expect(left).toMatchObject({ isServed: false, isExact: true, looks: 1, clients: { live: 0, dead: 6 } });
  const next = await startServerProcess(options, name);
  const client = await connect(name);
  await statsUntil(client, ({ clients, slots }) => clients === 1 && slots.inUse === 1);
  await client.close();
  await auditedAtRest(name);
  await next.kill();
});

test('a region that was kept with requests in flight, and what the next server makes of it', async () => {
  const name = regionName();
  const server = await startServerProcess({ workers: 2 }, name);
  const victims = await startVictims(name);
  await server.tell('leave');
  while ((await audited(name)).slots.submitted === 0);
  for (const victim of victims) freeze(victim);
  const report = await audited(name);
  expect(report).toMatchObject({ state: 'kept', isServed: false, isExact: false, clients: { live: 6 } });
  expect(report.slots.submitted).toBeGreaterThan(0);
});

/** A region beside whose server somebody has died or garbage was written, and which nobody sets right. */
async function plantBesideStopped() {
  const name = regionName();
  const server = await startServerProcess({ slots: 64 }, name);
  freeze(server);
  stickRequest(name);
  const region = attachTestRegion(name);
  region.ctl.words[clientBase(region, 3) + ClientRecord.inUse] = 5;
  return { name, server, region };
}

const told = ({ findings }: AuditReport) => findings.map(({ severity, what, where }) => [severity, what, where]);

test('what is wrong is found although a server holds the region and clients are alive', async () => {
  const { name, region } = await plantBesideStopped();
  // Nothing says that it is stopped: it is given no time here to set anything right.
  region.ctl.words[CtlHeader.serverPid] = process.pid;
  const report = await auditFiles({ name }, 0);
  expect(report).toMatchObject({ looks: 4, isStopped: false });
  expect(told(report)).toEqual([
    ['hint', 'client-record', 'client 3'],
    ['hint', 'client-count', 'header'],
    ['leak', 'slot-unnamed', 'slot 63'],
  ]);
  expect(isSound(report)).toBe(false);
});

test('a server that is stopped is not blamed for what it would set right by itself', async () => {
  const { name } = await plantBesideStopped();
  const report = await auditFiles({ name });
  expect(report).toMatchObject({ looks: 4, isServed: true, isStopped: true });
  expect(told(report)).toEqual([
    ['hint', 'client-record', 'client 3'],
    ['busy', 'client-count', 'header'],
    ['busy', 'slot-unnamed', 'slot 63'],
  ]);
  expect(isSound(report)).toBe(true);
});

test('a server that is stopped, and a slot in execution that no record names', async () => {
  const name = regionName();
  const server = await startServerProcess({ workers: 1 }, name);
  const client = await connect(name);
  await client.set('k', 'v');
  await workersAtRest(name);
  freeze(server);
  const answer = client.get('k');
  const { ctl, geometry } = attachTestRegion(name);
  const table = new SlotTable(ctl, geometry);
  const slot = Array.from({ length: table.count }, (_, at) => at).find((at) => table.submitted(at) !== 0)!;
  // As somebody may have written.
  const executing = table.begin(slot, table.submitted(slot));
  const report = await audited(name);
  expect(report).toMatchObject({ isStopped: true, slots: { executing: 1 } });
  expect(told(report)).toEqual([['busy', 'slot-unnamed', `slot ${slot}`]]);
  table.putBack(slot, executing);
  server.process.kill('SIGCONT');
  expect(await answer).toBe('v');
  expect((await audited(name)).isStopped).toBe(false);
});
