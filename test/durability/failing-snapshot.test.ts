/**
 * A disk that takes the log and no snapshot: it is tried again and again, told of once for each reason, and who waits for
 * it is told. Seen to fail when: each try is told of; the command does not look at errors, or not at the time.
 */
import { expect, test } from 'vitest';

import type { ServerEvent } from '#dist/index.js';

import { startOnBadDisk } from '../fixtures/bad-disk.js';
import { runClient } from '../fixtures/cli.js';
import { connect, freeze, statsUntil } from '../fixtures/service.js';

async function start() {
  const { name, server, faults } = await startOnBadDisk();
  const failures = async (): Promise<string[]> => {
    const events = (await server.tell('events')) as ServerEvent[];
    return events.flatMap((event) => (event.type === 'snapshot-failed' ? [event.error] : []));
  };
  return { name, server, faults, failures };
}

test('a snapshot that fails is tried until it is there, and told of when the reason is a new one', async () => {
  const { name, faults, failures } = await start();
  const client = await connect(name);
  await client.set('k', 'v');
  faults.begin('writeSync ENOSPC .kvs');
  const number = await client.snapshot();
  await statsUntil(client, ({ log }) => (log?.errors ?? 0) >= 3);
  expect(await failures()).toEqual([expect.stringContaining('ENOSPC')]);
  faults.begin('writeSync EIO .kvs');
  // One that was under way may still fail for the old reason, of which nothing is told.
  let told: string[] = [];
  while (told.length === 0) told = await failures();
  expect(told).toEqual([expect.stringContaining('EIO')]);
  faults.end();
  await statsUntil(client, (stats) => stats.log?.snapshotsServed === number);
  expect((await client.stats()).log).toMatchObject({ snapshotEntries: 1, trouble: 'none' });
  // Of a later one it is told anew.
  faults.begin('writeSync ENOSPC .kvs');
  const before = (await client.stats()).log?.errors ?? 0;
  await client.snapshot();
  await statsUntil(client, (stats) => (stats.log?.errors ?? 0) > before);
  expect(await failures()).toEqual([expect.stringContaining('ENOSPC')]);
  faults.end();
});

test('the command that waits for a snapshot ends when there is none', async () => {
  const { name, server, faults } = await start();
  const client = await connect(name);
  await client.set('k', 'v');
  faults.begin('writeSync ENOSPC .kvs');
  expect(await runClient(['--name', name, 'snapshot'])).toMatchObject({
    code: 5,
    stdout: '',
    stderr: expect.stringMatching(/^kvs-client: the disk takes no snapshot: .* \(ERR_KVS_LOG_FAILED\)\n$/) as string,
  });
  faults.begin('writeSync hang .kvs');
  expect(await runClient(['--name', name, '--timeout', '2000', 'snapshot'])).toMatchObject({
    code: 4,
    stdout: '',
    stderr: expect.stringContaining('no snapshot was made within 2000 ms') as string,
  });
  faults.end();
  expect(await runClient(['--name', name, 'snapshot'])).toMatchObject({ code: 0, stderr: '' });
  freeze(server);
  expect((await runClient(['--name', name, '--timeout', '200', 'snapshot'])).code).toBe(4);
  server.process.kill('SIGCONT');
});
