import { chmodSync, existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';

import { describe, expect, test, vi } from 'vitest';

import { CtlHeader, DataHeader, RegionState } from '#dist/memory/layout.js';
import { claimRegion } from '#dist/memory/region-claim.js';
import {
  attachData,
  attachRegion,
  isServerAlive,
  type OwnedRegion,
  regionState,
  removeRegion,
} from '#dist/memory/region.js';
import { store } from '#dist/memory/words.js';
import { native } from '#dist/native.js';

import { Peer, run, temporaryDirectory } from '../fixtures/processes.js';
import { attachTestRegion, createTestRegion, regionFiles, regionName, shapeOf } from '../fixtures/region.js';

const SHM = '/dev/shm';
const error = (code: string, text: string): unknown =>
  expect.objectContaining({ code, message: expect.stringContaining(text) as unknown });

function ownerOf(name: string, shmDir = SHM) {
  return Peer.start('memory/region-owner', name, shmDir);
}

const filesOf = (name: string): string[] => regionFiles(name).toSorted();

describe('claimRegion', () => {
  test('both files are private, of the size of their geometry, and name the same region', () => {
    const region = createTestRegion();
    const { paths, geometry } = region;
    expect(filesOf(region.name)).toEqual([basename(paths.ctl), basename(paths.data)]);
    for (const [path, bytes] of [
      [paths.ctl, geometry.ctlBytes],
      [paths.data, geometry.dataBytes],
    ] as const) {
      const { mode, size, blocks } = statSync(path);
      expect([mode & 0o7777, size]).toEqual([0o600, bytes]);
      expect(blocks * 512).toBeGreaterThanOrEqual(bytes);
    }
    expect(region.regionId).toMatch(/^[0-9a-f]{16}$/);
    expect(region.origin).toEqual({ kind: 'new' });
    expect(regionState(region)).toBe(RegionState.starting);
    expect(region.ctl.words[CtlHeader.serverPid]).toBe(process.pid);
    expect(region.ctl.bytes.toString('latin1', CtlHeader.version, CtlHeader.version + 10)).toBe('0.0.0-test');
  });

  test('two regions never share identity or hash seed', () => {
    const [one, other] = [createTestRegion(), createTestRegion()];
    const seedOf = ({ data }: OwnedRegion) => [...data.words.subarray(DataHeader.hashSeed, DataHeader.hashSeed + 2)];
    expect(one.regionId).not.toBe(other.regionId);
    expect(seedOf(one)).not.toEqual(seedOf(other));
  });

  test('a second server of the name is refused with the pid of the first, whose region stays', async () => {
    const name = regionName();
    const owner = await ownerOf(name);
    const created = await owner.tell('create');
    const inode = statSync(`${SHM}/kvs.${name}.ctl`).ino;
    expect(() => createTestRegion(name)).toThrow(
      expect.objectContaining({
        code: 'ERR_KVS_ALREADY_RUNNING',
        pid: owner.process.pid,
        message: `a server named "${name}" is already running (process ${owner.process.pid}): stop it, or choose another --name`,
      }),
    );
    expect(statSync(`${SHM}/kvs.${name}.ctl`).ino).toBe(inode);
    expect(attachTestRegion(name).regionId).toBe((created as OwnedRegion).regionId);
  });

  test('a second server in the same process is refused as well', () => {
    const { name } = createTestRegion();
    expect(() => createTestRegion(name)).toThrow(
      expect.objectContaining({ code: 'ERR_KVS_ALREADY_RUNNING', pid: process.pid }),
    );
  });

  test('a server whose header is garbage is refused without a pid', () => {
    const region = createTestRegion();
    region.ctl.bytes.fill(0xa5, 0, 64);
    expect(() => createTestRegion(region.name)).toThrow(
      error('ERR_KVS_ALREADY_RUNNING', 'is already running (another process)'),
    );
  });

  test('a stopped server is alive: its region is not replaced', async () => {
    const name = regionName();
    const owner = await ownerOf(name);
    await owner.tell('create');
    owner.process.kill('SIGSTOP');
    expect(() => createTestRegion(name)).toThrow(expect.objectContaining({ code: 'ERR_KVS_ALREADY_RUNNING' }));
  });

  test('after SIGKILL of its server a region is taken over, for those who have it mapped as well', async () => {
    const name = regionName();
    const owner = await ownerOf(name);
    await owner.tell('create');
    const client = attachTestRegion(name);
    native.makeFifo(client.paths.bell(3), 0o600);
    store(client.ctl.words, CtlHeader.state, RegionState.ready);
    expect(isServerAlive(client)).toBe(true);
    await owner.kill();
    expect(isServerAlive(client)).toBe(false);

    const region = createTestRegion(name, shapeOf({ workers: 7 }));
    expect(region.origin).toEqual({ kind: 'taken-over' });
    expect(region.regionId).toBe(client.regionId);
    expect(region.geometry.workers).toBe(7);
    expect(isServerAlive(client)).toBe(true);
    expect(regionState(client)).toBe(RegionState.recovering);
    expect(client.ctl.words[CtlHeader.serverPid]).toBe(process.pid);
    expect(client.ctl.words[CtlHeader.epoch]).toBe(2);
    expect(filesOf(name)).toEqual(['bell.3', 'ctl', 'data'].map((file) => `kvs.${name}.${file}`));
  });

  test.each(['starting', 'stopped'] as const)(
    'a region left %s is replaced, and those who have it mapped learn so',
    async (state) => {
      const name = regionName();
      const owner = await ownerOf(name);
      await owner.tell('create');
      const client = attachTestRegion(name);
      native.makeFifo(client.paths.bell(3), 0o600);
      store(client.ctl.words, CtlHeader.state, RegionState[state]);
      await owner.kill();

      const region = createTestRegion(name);
      expect(region.origin).toMatchObject({ kind: 'replaced', archive: undefined });
      expect(region.regionId).not.toBe(client.regionId);
      expect(regionState(client)).toBe(RegionState.stopped);
      expect(filesOf(name)).toEqual([`kvs.${name}.ctl`, `kvs.${name}.data`]);
      expect(attachTestRegion(name).regionId).toBe(region.regionId);
    },
  );

  test('a region that cannot be used is kept aside only while there is room', () => {
    const name = regionName();
    writeFileSync(`${SHM}/kvs.${name}.ctl`, 'garbage', { mode: 0o600 });
    const createSegment = native.createSegment.bind(native);
    const full = Object.assign(new Error('full'), { code: 'ENOSPC' });
    const spy = vi.spyOn(native, 'createSegment').mockImplementation((...given) => {
      if (existsSync(`${SHM}/kvs.${name}.ctl.old`)) throw full;
      return createSegment(...given);
    });
    const { origin } = createTestRegion(name);
    expect(spy).toHaveBeenCalled();
    spy.mockRestore();
    expect(origin).toMatchObject({ kind: 'replaced', archive: undefined });
    expect(filesOf(name)).toEqual([`kvs.${name}.ctl`, `kvs.${name}.data`]);
  });

  test.each([
    ['empty', ''],
    ['a byte short of a header', 'x'.repeat(4095)],
    ['garbage', 'x'.repeat(9000)],
  ])('a leftover ctl file that is %s is replaced when nobody holds it', (_, content) => {
    const name = regionName();
    writeFileSync(`${SHM}/kvs.${name}.ctl`, content, { mode: 0o600 });
    expect(createTestRegion(name).origin.kind).toBe('replaced');
  });

  test('a data file without its ctl file is replaced', () => {
    const name = regionName();
    writeFileSync(`${SHM}/kvs.${name}.data`, 'left over', { mode: 0o600 });
    const region = createTestRegion(name);
    expect(attachData(region).bytes.equals(region.data.bytes)).toBe(true);
  });

  test('a leftover that is not ours is neither locked nor removed', () => {
    const name = regionName();
    writeFileSync(`${SHM}/kvs.${name}.ctl`, 'x', { mode: 0o600 });
    chmodSync(`${SHM}/kvs.${name}.ctl`, 0o666);
    expect(() => createTestRegion(name)).toThrow(error('ERR_KVS_NOT_OURS', 'remove it and start the server again'));
    expect(filesOf(name)).toEqual([`kvs.${name}.ctl`]);
  });

  test.each([false, true])('of processes that start at once exactly one wins (stale region: %s)', async (isStale) => {
    for (let round = 0; round < 5; round++) {
      const name = regionName();
      if (isStale) {
        const dead = await ownerOf(name);
        await dead.tell('create');
        await dead.kill();
      }
      const owners = await Promise.all([ownerOf(name), ownerOf(name), ownerOf(name)]);
      const outcomes = await Promise.all(owners.map((owner) => owner.tell('create')));
      const winner = owners[outcomes.findIndex((outcome) => 'regionId' in (outcome as object))];
      const created = outcomes.filter((outcome) => 'regionId' in (outcome as object)) as OwnedRegion[];
      const refused = outcomes.filter((outcome) => !('regionId' in (outcome as object))) as { pid?: number }[];
      expect(created.map((region) => region.regionId)).toEqual([attachTestRegion(name).regionId]);
      expect(refused).toEqual([error('ERR_KVS_ALREADY_RUNNING', name), error('ERR_KVS_ALREADY_RUNNING', name)]);
      // Whoever is still clearing the dead server's files away cannot be named yet; the dead server never is.
      const pids = new Set([...owners.map((owner) => owner.process.pid), undefined]);
      for (const { pid } of refused) expect(isStale ? pids.has(pid) : pid === winner.process.pid).toBe(true);
      await Promise.all(owners.map((owner) => owner.kill()));
    }
  });

  test('a name is taken before the store is reserved: who comes late is refused without reserving another', () => {
    const name = regionName();
    const seen: string[][] = [];
    const onNamed = () => {
      seen.push(filesOf(name));
      expect(() => createTestRegion(name)).toThrow(expect.objectContaining({ code: 'ERR_KVS_ALREADY_RUNNING' }));
    };
    const region = claimRegion({ name, shmDir: SHM, shape: shapeOf(), version: '0', asked: {}, fresh: false, onNamed });
    expect(seen).toEqual([[`kvs.${name}.ctl`]]);
    expect(filesOf(name)).toEqual([`kvs.${name}.ctl`, `kvs.${name}.data`]);
    removeRegion(region);
  });

  test('a file system without room is refused with what to do, and keeps nothing', async () => {
    const directory = temporaryDirectory();
    const create = ['--input-type=module', '-e', ENOSPC_SCRIPT, directory];
    const node = `exec "${process.execPath}" "$@"`;
    const mount = `mount -t tmpfs -o size=1m kvs-test "${directory}" && touch "${directory}/mounted" && ${node}`;
    let ended = await run('unshare', ['-Urm', 'sh', '-c', mount, 'sh', ...create]);
    let code = 'ENOSPC';
    if (ended.stdout === '') {
      // No mount is allowed here: a limit on the size of files fails the same call.
      ended = await run('sh', ['-c', `ulimit -f 512; ${node}`, 'sh', ...create]);
      code = 'EFBIG';
    }
    expect(ended.stderr).toBe('');
    const { message, ...rest } = JSON.parse(ended.stdout) as { message: string };
    expect(rest).toEqual({ code: 'ERR_KVS_NO_SPACE', cause: code, left: 0 });
    expect(message).toMatch(
      new RegExp(`^${directory} has no room for \\d+ MiB of shared memory \\(${code}\\): lower maxMemory`),
    );
    expect(message).toContain('mount -o remount,size=1G /dev/shm');
    expect(message).toContain('--shm-size=1g');
  });
});

/** Creates a region of 4 MiB in argv[1] and prints the error and how many region files it left. */
const ENOSPC_SCRIPT = `
  import { readdirSync } from 'node:fs';
  import { claimRegion } from '#dist/memory/region-claim.js';
  process.on('SIGXFSZ', () => {});
  const shmDir = process.argv[1];
  const shape = { slots: 16, stripes: 4, workers: 2, maxValueBytes: 65536, maxMemoryBytes: 4 * 2 ** 20 };
  try {
    claimRegion({ name: 'full', shmDir, shape, version: '0', asked: {}, fresh: false });
  } catch (error) {
    const left = readdirSync(shmDir).filter((file) => file.startsWith('kvs.')).length;
    console.log(JSON.stringify({ code: error.code, cause: error.cause?.code, message: error.message, left }));
  }`;

describe('removeRegion', () => {
  test('no name is left, and the lease is free', () => {
    const region = claimRegion({
      name: regionName(),
      shmDir: SHM,
      shape: shapeOf(),
      version: '0',
      asked: {},
      fresh: false,
    });
    const client = attachTestRegion(region.name);
    native.makeFifo(region.paths.bell(0), 0o600);
    removeRegion(region);
    expect(filesOf(region.name)).toEqual([]);
    expect(isServerAlive(client)).toBe(false);
    expect(createTestRegion(region.name).origin).toEqual({ kind: 'new' });
  });

  test('what another process removed is gone for good', async () => {
    const name = regionName();
    const owner = await ownerOf(name);
    await owner.tell('create');
    await owner.tell('remove');
    expect(existsSync(`${SHM}/kvs.${name}.ctl`)).toBe(false);
    expect(() => attachRegion(name, SHM)).toThrow(error('ERR_KVS_NO_REGION', name));
  });
});

test('what stands under the name of a doorbell and cannot be removed keeps no server from stopping', () => {
  const name = regionName();
  const region = createTestRegion(name);
  mkdirSync(region.paths.bell(7));
  removeRegion(region);
  expect(existsSync(region.paths.ctl)).toBe(false);
  expect(createTestRegion(name).origin).toEqual({ kind: 'new' });
});
