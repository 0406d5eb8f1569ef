/** Regions as clients attach to them, and what is refused: those missing, damaged, or not ours. */
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';

import { describe, expect, test } from 'vitest';

import { CtlHeader, LAYOUT_VERSION, RegionState } from '#dist/memory/layout.js';
import { attachData, attachRegion, isServerAlive, type OwnedRegion, regionState } from '#dist/memory/region.js';
import { store } from '#dist/memory/words.js';
import { native } from '#dist/native.js';

import { attachTestRegion, createTestRegion, regionName } from '../fixtures/region.js';

const SHM = '/dev/shm';
const isRoot = process.geteuid?.() === 0;
const error = (code: string, text: string): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(text) as unknown });

/** How many descriptors of this process were opened by this name (the server's own was opened without one). */
function descriptorsOf(path: string) {
  return readdirSync('/proc/self/fd').filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(path);
    } catch {
      return false; // the descriptor of the listing itself
    }
  }).length;
}

/** Overwrites bytes of a file from outside. */
function patch(path: string, offset: number, bytes: Uint8Array) {
  const fd = openSync(path, 'r+');
  writeSync(fd, bytes, 0, bytes.length, offset);
  closeSync(fd);
}

describe('attachRegion', () => {
  test('the words of the server are those of the client', () => {
    const region = createTestRegion();
    const client = attachTestRegion(region.name);
    expect(client.geometry).toEqual(region.geometry);
    expect(client.regionId).toBe(region.regionId);
    store(region.ctl.words, CtlHeader.state, RegionState.ready);
    expect(regionState(client)).toBe(RegionState.ready);
    expect(isServerAlive(client)).toBe(true);
  });

  test('no region of that name is refused with how to start one', () => {
    const name = regionName();
    expect(() => attachRegion(name, SHM)).toThrow(
      error(
        'ERR_KVS_NO_REGION',
        `no server named "${name}" runs on this host (${SHM}/kvs.${name}.ctl does not exist): start one with \`kvs-server --name ${name}\``,
      ),
    );
  });

  /** What is wrong, how to make it so, the code and the part of the message that names the fix. */
  test.each<[string, (region: OwnedRegion) => void, string, string]>([
    [
      'another layout version',
      ({ paths }) => patch(paths.ctl, CtlHeader.layoutVersion * 4, Buffer.from([LAYOUT_VERSION + 1, 0, 0, 0])),
      'ERR_KVS_LAYOUT',
      'use the same version of shm-kvs for the server and all clients',
    ],
    [
      'an impossible geometry',
      ({ paths }) => patch(paths.ctl, CtlHeader.slots * 4, Buffer.from([7, 0, 0, 0])),
      'ERR_KVS_CORRUPT',
      'names an impossible geometry',
    ],
    [
      'another geometry than its size',
      ({ paths }) => patch(paths.ctl, CtlHeader.slots * 4, Buffer.from([32, 0, 0, 0])),
      'ERR_KVS_CORRUPT',
      'stop its processes, remove the file and start the server again',
    ],
    [
      'garbage in its header',
      ({ paths }) => patch(paths.ctl, 0, Buffer.alloc(4096, 0xa5)),
      'ERR_KVS_CORRUPT',
      'is not a shm-kvs region (no magic number)',
    ],
    [
      'no content',
      ({ paths: { ctl } }) => (rmSync(ctl), writeFileSync(ctl, '', { mode: 0o600 })),
      'ERR_KVS_CORRUPT',
      'is not a shm-kvs region (only 0 bytes)',
    ],
    [
      'been truncated',
      ({ paths: { ctl } }) => (
        copyFileSync(ctl, `${ctl}.copy`),
        truncateSync(`${ctl}.copy`, 8192),
        renameSync(`${ctl}.copy`, ctl)
      ),
      'ERR_KVS_CORRUPT',
      'has 8192 bytes, its header says',
    ],
    [
      'access for everybody',
      ({ paths }) => chmodSync(paths.ctl, 0o666),
      'ERR_KVS_NOT_OURS',
      'has mode 666, others must have no access; if it is a leftover, remove it',
    ],
    [
      'been replaced by a symbolic link',
      ({ paths: { ctl } }) => (renameSync(ctl, `${ctl}.moved`), symlinkSync(`${ctl}.moved`, ctl)),
      'ERR_KVS_NOT_OURS',
      'run as the user that started the server, or remove the file',
    ],
  ])('a ctl file that has %s is refused', (_, spoil, code, message) => {
    const region = createTestRegion();
    spoil(region);
    expect(() => attachRegion(region.name, SHM)).toThrow(error(code, message));
    expect(() => attachRegion(region.name, SHM)).toThrow(error(code, region.paths.ctl));
    expect(descriptorsOf(region.paths.ctl)).toBe(0);
  });

  test.runIf(isRoot)('a ctl file of another user is refused', () => {
    const region = createTestRegion();
    chownSync(region.paths.ctl, 65534, 65534);
    expect(() => attachRegion(region.name, SHM)).toThrow(
      error('ERR_KVS_NOT_OURS', 'belongs to uid 65534, we are uid 0'),
    );
  });
});

describe('attachData', () => {
  test('the data segment is the server’s', () => {
    const region = createTestRegion();
    region.data.words[5000] = 77;
    expect(attachData(attachTestRegion(region.name)).words[5000]).toBe(77);
  });

  test('a missing data file is refused', () => {
    const region = createTestRegion();
    rmSync(region.paths.data);
    expect(() => attachData(region)).toThrow(
      error('ERR_KVS_CORRUPT', `${region.paths.data} is missing beside its ctl file`),
    );
  });

  test('the data file of another region is refused', () => {
    const [region, other] = [createTestRegion(), createTestRegion()];
    renameSync(other.paths.data, region.paths.data);
    expect(() => attachData(region)).toThrow(error('ERR_KVS_CORRUPT', 'belongs to another region than its ctl file'));
  });

  test('a data file of another size is refused before it is mapped', () => {
    const region = createTestRegion();
    truncateSync(region.paths.data, 4096);
    expect(() => attachData(region)).toThrow(
      error('ERR_KVS_CORRUPT', `has 4096 bytes, its region needs ${4 * 2 ** 20}`),
    );
  });

  test('a data file with access for everybody is refused', () => {
    const region = createTestRegion();
    chmodSync(region.paths.data, 0o644);
    expect(() => attachData(region)).toThrow(error('ERR_KVS_NOT_OURS', 'has mode 644'));
  });

  test('a FIFO in its place is refused and does not block', () => {
    const region = createTestRegion();
    rmSync(region.paths.data);
    native.makeFifo(region.paths.data, 0o600);
    expect(() => attachData(region)).toThrow(error('ERR_KVS_NOT_OURS', 'is not a plain file'));
  });
});
