/**
 * Direct reads while the server is stopped, dead or replaced, after writes of one's own that are still on their way,
 * and what a client has mapped.
 * Seen to fail when: reads ask whether the server is alive; `staleReads: false` does not; a client stays with the region
 * it knows; the cache outlives its region; reads do not look for pending writes, or not for queued ones; `reads: 'server'`
 * maps the store; the store is mapped writable; a store's file that went with its server counts as damage.
 */
import { readFileSync } from 'node:fs';

import { expect, test, vi } from 'vitest';

import { KvsClient, KvsServer } from '#dist/index.js';
import { CtlHeader, RegionState } from '#dist/memory/layout.js';
import { removeFile } from '#dist/memory/region-files.js';
import { native } from '#dist/native.js';

import { Peer, until } from '../fixtures/processes.js';
import { createTestRegion, regionName } from '../fixtures/region.js';
import { closing, connect, failureOf, freeze, startServer, startServerProcess } from '../fixtures/service.js';

const timeoutMs = 60_000;
const connectDirect = async (name: string, options: object = {}) =>
  closing(await KvsClient.connect({ name, timeoutMs, ...options }));

const ENDINGS: Readonly<Record<string, (server: Peer) => unknown>> = {
  SIGSTOPped: freeze,
  SIGKILLed: (server) => server.kill(),
  stopped: (server) => server.tell('stop'),
};

async function expectReads(client: KvsClient): Promise<void> {
  const target = Buffer.alloc(4);
  expect(await client.get('a')).toBe('one');
  expect(client.getSync('a')).toBe('one');
  expect(await client.get('none')).toBeUndefined();
  expect(await client.mget(['a', 'none', 'b'])).toEqual(['one', undefined, 'two']);
  expect(client.mgetSync(['b'])).toEqual(['two']);
  expect([await client.exists('a'), client.existsSync('none')]).toEqual([true, false]);
  expect((await client.getEntry('b'))?.value).toBe('two');
  expect(client.getEntrySync('b')?.version).toBeGreaterThan(0);
  expect([await client.getInto('a', target), client.getIntoSync('b', target)]).toEqual([3, 3]);
  expect(target.toString('utf8', 0, 3)).toBe('two');
}

test.each(Object.keys(ENDINGS))('reads go on while the server is %s', async (how) => {
  const name = regionName();
  const server = await startServerProcess({}, name);
  const client = await connectDirect(name);
  await client.mset({ a: 'one', b: 'two' });
  await ENDINGS[how]?.(server);
  for (let round = 0; round < 100; round++) await expectReads(client);
});

test.each(['SIGKILLed', 'stopped'])('without staleReads they end once the server is %s', async (how) => {
  const name = regionName();
  const server = await startServerProcess({}, name);
  const client = await connectDirect(name, { staleReads: false });
  await client.mset({ a: 'one', b: 'two' });
  freeze(server);
  // It is alive.
  await expectReads(client);
  server.process.kill('SIGCONT');
  await ENDINGS[how]?.(server);
  let failure: unknown;
  await until(() => {
    try {
      client.getSync('a');
    } catch (error) {
      failure = error;
    }
    return failure !== undefined;
  });
  expect(failure).toMatchObject({ code: 'ERR_KVS_SERVER_GONE', executed: 'no' });
  for (const read of [client.get('a'), client.exists('a'), client.getEntry('a'), client.mget(['a'])]) {
    expect(await failureOf(read)).toMatchObject({ code: 'ERR_KVS_SERVER_GONE', executed: 'no' });
  }
});

test.each(['SIGKILLed', 'stopped'])('a client of a server that was %s sees the next one’s store', async (how) => {
  const name = regionName();
  const server = await startServerProcess({}, name);
  const client = closing(await KvsClient.connect<string[]>({ name, timeoutMs, codec: 'json', cacheEntries: 8 }));
  await client.set('a', ['old']);
  expect(await client.get('a')).toBe(await client.get('a'));
  await ENDINGS[how]?.(server);
  expect(await client.get('a')).toEqual(['old']);
  await server.kill();
  await startServerProcess({ fresh: true }, name);
  await until(() => client.getSync('a') === undefined);
  await client.set('a', ['new']);
  expect(await client.get('a')).toEqual(['new']);
});

test('reads never fail while servers come and go, and each sees a later one', async () => {
  const name = regionName();
  let server = await KvsServer.start({ name, workers: 1, maxMemory: 4 * 2 ** 20 });
  const peers = await Promise.all(
    [0, 10].map((cacheEntries) => Peer.start('service/spinner', JSON.stringify({ name, cacheEntries }))),
  );
  for (const peer of peers) await peer.tell('run');
  const lives = 12;
  for (let life = 0; life < lives; life++) {
    if (life > 0) server = await KvsServer.start({ name, workers: 1, maxMemory: 4 * 2 ** 20 });
    const client = await KvsClient.connect({ name, timeoutMs: 60_000 });
    await client.set('life', `${life}`);
    await client.close();
    for (const peer of peers) {
      while (((await peer.tell('progress')) as { last: string }).last !== `${life}`);
    }
    await server.stop();
  }
  for (const peer of peers) {
    const { failures, values } = (await peer.tell('report')) as { failures: object; values: (string | null)[] };
    expect(failures).toEqual({});
    expect(values.filter((value) => value !== null)).toEqual(Array.from({ length: lives }, (_, life) => `${life}`));
  }
});

test('a server that goes while it is attached to was not there', async () => {
  const { name, ctl, paths } = createTestRegion();
  ctl.words[CtlHeader.state] = RegionState.ready;
  // The client has seen that the server is ready, and alive; it has not opened the store.
  const spy = vi.spyOn(native, 'isByteLocked').mockImplementationOnce((fd, byte) => {
    ctl.words[CtlHeader.state] = RegionState.stopped;
    removeFile(paths.data);
    return native.isByteLocked(fd, byte);
  });
  expect(await failureOf(KvsClient.connect({ name }))).toMatchObject({ code: 'ERR_KVS_NO_REGION' });
  expect(spy).toHaveBeenCalled();
  spy.mockRestore();
  // A store that is missing beside a server that runs is another matter.
  ctl.words[CtlHeader.state] = RegionState.ready;
  expect(await failureOf(KvsClient.connect({ name }))).toMatchObject({ code: 'ERR_KVS_CORRUPT' });
});

test('a read waits for the writes on its key that this client has issued, and for no others', async () => {
  const name = regionName();
  const server = await startServerProcess({ slots: 16 }, name);
  const client = await connectDirect(name);
  await client.mset({ a: '1', b: '2', c: '3', d: '4', e: '5' });
  freeze(server);
  const settled: string[] = [];
  const note = (key: string) => client.get(key).then((value) => settled.push(`${key}=${value}`));
  const writes = [client.set('a', 'set'), client.del('b'), client.mset({ c: 'mset', x: 'y' }), client.incr('d', 10)];
  const waiting = ['a', 'b', 'c', 'd'].map(note);
  expect(await client.get('e')).toBe('5');
  expect(client.getSync('e')).toBe('5');
  expect(settled).toEqual([]);
  // More than there are slots: the last ones are not even submitted.
  const many = Array.from({ length: 40 }, (_, i) => client.set('e', `${i}`));
  waiting.push(note('e'));
  const all = client.flush();
  const last = client.get('e').then((value) => value === undefined);
  expect(settled).toEqual([]);
  server.process.kill('SIGCONT');
  await Promise.all([...writes, ...many, all, ...waiting]);
  expect(settled.sort()).toEqual(['a=set', 'b=undefined', 'c=mset', 'd=14', 'e=39']);
  expect(await last).toBe(true);
});

test('a blocking read sees what was issued before it, awaited or not', async () => {
  const { name } = await startServer({ slots: 16 });
  const client = await connectDirect(name);
  for (let round = 0; round < 300; round++) {
    void client.set('a', `${round}`);
    expect(client.getSync('a')).toBe(`${round}`);
    void client.mset({ a: `m${round}`, b: 'b' });
    expect(client.getEntrySync('a')?.value).toBe(`m${round}`);
    void client.submit('del', 'a');
    expect(client.existsSync('a')).toBe(false);
    for (let i = 0; i < 30; i++) void client.set('b', `${round} ${i}`);
    expect(client.mgetSync(['a', 'b'])).toEqual([undefined, `${round} 29`]);
    void client.flush();
    expect(client.getIntoSync('b', Buffer.alloc(0))).toBeUndefined();
  }
});

test('a client that reads through the server does not map the store; others map it for reading only', async () => {
  const { name } = await startServer();
  const mappings = async (reads: string) => {
    const client = await Peer.start('service/client', JSON.stringify({ name, reads }));
    expect(await client.tell('set', 'a', reads)).toEqual({ result: true });
    for (const read of ['get', 'getSync']) expect(await client.tell(read, 'a')).toEqual({ result: reads });
    expect(await client.tell('mget', 'a')).toHaveProperty('error');
    const maps = readFileSync(`/proc/${client.process.pid}/maps`, 'utf8').split('\n');
    return maps.flatMap((line) => /^\S+ (\S+) .*\/kvs\..*\.(ctl|data)/.exec(line)?.slice(1).join(' ') ?? []);
  };
  expect(await mappings('server')).toEqual(['rw-s ctl']);
  expect((await mappings('direct')).sort()).toEqual(['r--p data', 'r--s data', 'rw-s ctl']);
});

test('a process that writes to the store dies of it, and nobody else notices', async () => {
  const { name } = await startServer();
  const client = await connectDirect(name);
  await client.set('a', 'one');
  const intruder = await Peer.start('service/intruder', name);
  const bytes = (await intruder.tell('bytes')) as number;
  const intruders = [intruder, await Peer.start('service/intruder', name), await Peer.start('service/intruder', name)];
  for (const [i, each] of intruders.entries()) {
    await expect(each.tell('write', [0, bytes / 2, bytes - 1][i])).rejects.toThrow('ended without an answer');
    expect(await each.ended).toEqual({ code: null, signal: 'SIGSEGV' });
  }
  expect(await client.get('a')).toBe('one');
  const other = await connect(name);
  expect(await other.get('a')).toBe('one');
  await other.set('a', 'two');
  expect(await client.get('a')).toBe('two');
});
