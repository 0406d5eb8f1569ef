/**
 * A client's index, won by locking byte 64 + index of the ctl file: the lock is the allocator, and the kernel gives it
 * back only when the process can no longer write. An index whose record is still in use belongs to a dead client that
 * the reaper has not cleaned up yet: it is not taken.
 */
import { KvsError } from '../errors.js';
import { native } from '../native.js';
import { CLIENT_LEASE_BYTE, ClientRecord, LeaseState, MAX_CLIENTS } from './layout.js';
import { hostMs } from './clock.js';
import type { Region } from './region.js';
import { cas, load, store } from './words.js';

/** Word index of a client's record in the ctl segment. */
export const clientBase = ({ geometry }: Pick<Region, 'geometry'>, client: number): number =>
  (geometry.clientsOffset + client * ClientRecord.sizeBytes) / 4;

/** The client indices in use, dead clients that are not reaped yet among them. */
export function clientsInUse(region: Pick<Region, 'ctl' | 'geometry'>): number[] {
  const clients: number[] = [];
  for (let client = 0; client < MAX_CLIENTS; client++) {
    if (load(region.ctl.words, clientBase(region, client) + ClientRecord.inUse) !== 0) clients.push(client);
  }
  return clients;
}

/** @returns the client index. @throws KvsError ERR_KVS_TOO_MANY_CLIENTS */
export function claimLease(region: Region): number {
  const { words, floats } = region.ctl;
  for (let client = 0; client < MAX_CLIENTS; client++) {
    const base = clientBase(region, client);
    if (load(words, base + ClientRecord.inUse) !== 0) continue;
    if (!native.tryLockByte(region.ctlFd, CLIENT_LEASE_BYTE + client)) continue;
    if (load(words, base + ClientRecord.inUse) !== 0) {
      native.unlockByte(region.ctlFd, CLIENT_LEASE_BYTE + client);
      continue;
    }
    store(words, base + ClientRecord.inUse, LeaseState.leased);
    store(words, base + ClientRecord.armed, 0);
    store(words, base + ClientRecord.starving, 0);
    words[base + ClientRecord.pid] = process.pid;
    floats[base / 2 + ClientRecord.connectedAtMs] = hostMs();
    return client;
  }
  throw new KvsError(
    'ERR_KVS_TOO_MANY_CLIENTS',
    `all ${MAX_CLIENTS} client leases of region ${region.name} are taken: close clients that are not needed`,
  );
}

/**
 * Gives the index back. The caller has left no slot behind that it still waits for. That of an expelled client comes free
 * when the reaper has forgotten what it was expelled for.
 */
export function releaseLease(region: Region, client: number): void {
  cas(region.ctl.words, clientBase(region, client) + ClientRecord.inUse, LeaseState.leased, LeaseState.unused);
  native.unlockByte(region.ctlFd, CLIENT_LEASE_BYTE + client);
}
