/** A server with a directory, stopped, killed, and started again: over what is in memory, and without it. */
import { readdirSync } from 'node:fs';

import { describe, expect, onTestFinished, test } from 'vitest';

import { KvsServer, type ServerEvent } from '#dist/index.js';

import { diskDirectory } from '../fixtures/processes.js';
import { regionName } from '../fixtures/region.js';
import { connect, type ServerShape } from '../fixtures/service.js';

async function start(
  name: string,
  dir: string,
  options: ServerShape = {},
): Promise<{ server: KvsServer; events: ServerEvent[] }> {
  const events: ServerEvent[] = [];
  const shape = { name, dir, workers: 2, maxMemory: 16 * 2 ** 20, maxValueBytes: 100_000 };
  const server = await KvsServer.start({ ...shape, ...options, onEvent: (event) => events.push(event) });
  onTestFinished(() => server.stop());
  return { server, events };
}

describe.each(['everysec', 'no', 'always'] as const)('sync: %s', (sync) => {
  test('what was written is there after a stop, in another region', async () => {
    const name = regionName();
    const dir = diskDirectory();
    const first = await start(name, dir, { sync });
    const client = await connect(name);
    for (let i = 0; i < 500; i++) await client.set(`key ${i}`, `value ${i}`);
    await client.set('long', 'x'.repeat(90_000));
    await client.incr('counter', 41);
    await client.incr('counter');
    await client.mset([
      ['a', '1'],
      ['b', '2'],
    ]);
    expect(await client.mdel(['a', 'key 7', 'none'])).toBe(2);
    expect(await client.getdel('key 8')).toBe('value 8');
    const before = await client.getEntry('key 9');
    await first.server.stop();
    const { server, events } = await start(name, dir, { sync });
    expect(events.find(({ type }) => type === 'log-loaded')).toMatchObject({ entries: 501, torn: undefined });
    const again = await connect(name);
    expect(server.size).toBe(501);
    for (let i = 0; i < 500; i++)
      expect(await again.get(`key ${i}`)).toBe(i === 7 || i === 8 ? undefined : `value ${i}`);
    expect(await again.get('long')).toBe('x'.repeat(90_000));
    expect(await again.get('counter')).toBe('42');
    expect(await again.get('a')).toBeUndefined();
    expect(await again.get('b')).toBe('2');
    expect((await again.getEntry('key 9'))?.version).toBeGreaterThan(before?.version ?? Infinity);
    expect(await again.cas('key 9', before?.version ?? 0, 'other')).toBe(false);
    await again.flush();
    await server.stop();
    const third = await start(name, dir, { sync });
    expect(third.server.size).toBe(0);
  });
});

// Without the look at the store's identity the start fails with ERR_KVS_LOG_DAMAGED (seen).
test('a directory of another store, with fewer records than the region has, takes the place of the region', async () => {
  const name = regionName();
  const [dir, other] = [diskDirectory(), diskDirectory()];
  const first = await start(name, other, {});
  const writer = await connect(name);
  await writer.set('of the other', 'yes');
  await writer.close();
  await first.server.stop();
  const second = await start(name, dir, {});
  const client = await connect(name);
  for (let i = 0; i < 100; i++) await client.set(`key ${i}`, 'x');
  await client.close();
  await second.server.stop({ keep: true });
  const { server, events } = await start(name, other, {});
  expect(events.map(({ type }) => type)).toContain('region-replaced');
  expect(server.size).toBe(1);
  expect(await (await connect(name)).get('of the other')).toBe('yes');
});

// Without the versions of the stripes in the snapshot the version after is the lower one (seen): no record names it any more.
test('versions go on above those of a key that was deleted before the snapshot', async () => {
  const name = regionName();
  const dir = diskDirectory();
  const first = await start(name, dir, { segmentBytes: 2 ** 16 });
  const client = await connect(name);
  for (let i = 0; i < 200; i++) await client.set('key', `${i}`);
  const before = await client.getEntry('key');
  await client.del('key');
  const segment = readdirSync(dir).find((file) => file.endsWith('.kvl'));
  for (let i = 0; i < 3; i++) {
    await client.set('other', 'x'.repeat(70_000));
    const asked = await client.snapshot();
    while (((await client.stats()).log?.snapshotsServed ?? 0) < asked) await client.ping();
  }
  expect(readdirSync(dir)).not.toContain(segment);
  await client.close();
  await first.server.stop();
  await start(name, dir, {});
  const again = await connect(name);
  await again.set('key', 'new');
  expect((await again.getEntry('key'))?.version).toBeGreaterThan(before?.version ?? Infinity);
});
