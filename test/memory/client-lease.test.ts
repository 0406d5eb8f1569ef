import { expect, test } from 'vitest';

import { claimLease, clientBase, releaseLease } from '#dist/memory/client-lease.js';
import { CLIENT_LEASE_BYTE, ClientRecord, CTL_MAGIC, MAX_CLIENTS } from '#dist/memory/layout.js';
import { load, store } from '#dist/memory/words.js';
import { native } from '#dist/native.js';

import { Peer } from '../fixtures/processes.js';
import { attachTestRegion, createTestRegion } from '../fixtures/region.js';

test('clients get different indices, each with its byte locked and its record filled', () => {
  const server = createTestRegion();
  const clients = [attachTestRegion(server.name), attachTestRegion(server.name), attachTestRegion(server.name)];
  expect(clients.map(claimLease)).toEqual([0, 1, 2]);
  for (const client of [0, 1, 2]) {
    expect(native.isByteLocked(server.ctlFd, CLIENT_LEASE_BYTE + client)).toBe(true);
    const base = clientBase(server, client);
    expect(load(server.ctl.words, base + ClientRecord.inUse)).toBe(1);
    expect(server.ctl.words[base + ClientRecord.pid]).toBe(process.pid);
    expect(server.ctl.floats[base / 2 + ClientRecord.connectedAtMs]).toBeGreaterThan(0);
  }
  expect(native.isByteLocked(server.ctlFd, CLIENT_LEASE_BYTE + 3)).toBe(false);
});

test('one attached region may hold several leases', () => {
  const client = attachTestRegion(createTestRegion().name);
  expect([claimLease(client), claimLease(client)]).toEqual([0, 1]);
});

test('a released index is given again, with what its last user left cleared', () => {
  const server = createTestRegion();
  const [one, other] = [attachTestRegion(server.name), attachTestRegion(server.name)];
  claimLease(one);
  const base = clientBase(server, 0);
  store(server.ctl.words, base + ClientRecord.armed, 1);
  store(server.ctl.words, base + ClientRecord.starving, 1);
  releaseLease(one, 0);
  expect(native.isByteLocked(server.ctlFd, CLIENT_LEASE_BYTE)).toBe(false);
  expect(claimLease(other)).toBe(0);
  expect(load(server.ctl.words, base + ClientRecord.armed)).toBe(0);
  expect(load(server.ctl.words, base + ClientRecord.starving)).toBe(0);
});

test('the index of a process that was killed is not given again before its record is cleaned up', async () => {
  const server = createTestRegion();
  const peer = await Peer.start('memory/region-owner', server.name, server.shmDir);
  expect(await peer.tell('lease')).toBe(0);
  expect(native.tryLockByte(server.ctlFd, CLIENT_LEASE_BYTE)).toBe(false);
  await peer.kill();
  const client = attachTestRegion(server.name);
  expect(claimLease(client)).toBe(1);

  // What a reaper does: prove the death by the lock, clean up, and let go.
  expect(native.tryLockByte(server.ctlFd, CLIENT_LEASE_BYTE)).toBe(true);
  store(server.ctl.words, clientBase(server, 0) + ClientRecord.inUse, 0);
  expect(claimLease(client)).toBe(2);
  native.unlockByte(server.ctlFd, CLIENT_LEASE_BYTE);
  expect(claimLease(client)).toBe(0);
});

test('a stopped process keeps its index', async () => {
  const server = createTestRegion();
  const peer = await Peer.start('memory/region-owner', server.name, server.shmDir);
  await peer.tell('lease');
  peer.process.kill('SIGSTOP');
  expect(native.tryLockByte(server.ctlFd, CLIENT_LEASE_BYTE)).toBe(false);
});

test('closing the descriptor gives the lease back at once, though the segment stays mapped', async () => {
  const server = createTestRegion();
  const peer = await Peer.start('memory/region-owner', server.name, server.shmDir);
  await peer.tell('lease');
  expect(native.isByteLocked(server.ctlFd, CLIENT_LEASE_BYTE)).toBe(true);
  expect(await peer.tell('close')).toBe(CTL_MAGIC);
  expect(native.isByteLocked(server.ctlFd, CLIENT_LEASE_BYTE)).toBe(false);
});

test('a terminated thread loses its lease, though its process still has the segment mapped', async () => {
  const server = createTestRegion();
  const peer = await Peer.start('memory/region-owner', server.name, server.shmDir);
  expect(await peer.tell('leaseInThread')).toEqual([0, CTL_MAGIC]);
  expect(native.isByteLocked(server.ctlFd, CLIENT_LEASE_BYTE)).toBe(false);
});

test('when all leases are taken the next client is refused with what to do', () => {
  const server = createTestRegion();
  const client = attachTestRegion(server.name);
  for (let index = 0; index < MAX_CLIENTS; index++) expect(claimLease(client)).toBe(index);
  const refuse = () => claimLease(attachTestRegion(server.name));
  const message = `all ${MAX_CLIENTS} client leases of region ${server.name} are taken: close clients that are not needed`;
  expect(refuse).toThrow(expect.objectContaining({ code: 'ERR_KVS_TOO_MANY_CLIENTS', message }));
  releaseLease(client, 517);
  expect(claimLease(client)).toBe(517);
});
