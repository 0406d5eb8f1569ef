import { existsSync } from 'node:fs';
import type { Worker } from 'node:worker_threads';

import { expect, test } from 'vitest';

import { KvsServer } from '#dist/index.js';
import { startWith } from '#dist/server/server.js';
import { WorkerPool } from '#dist/server/worker-pool.js';

import { fixturePath, run } from '../fixtures/processes.js';
import { regionName } from '../fixtures/region.js';

test('a server whose store cannot be reserved fails to start, ends its threads and keeps nothing', async () => {
  const name = regionName();
  // Files up to 8 MiB: the name can be taken, and the threads boot, before the store proves too large.
  const limited = `ulimit -f 16384; exec "$@"`;
  const server = [process.execPath, fixturePath('service/roomless-server'), name];
  const ended = await run('sh', ['-c', limited, 'sh', ...server]);
  expect(ended).toMatchObject({ stdout: 'ERR_KVS_NO_SPACE\n', stderr: '' });
  expect(existsSync(`/dev/shm/kvs.${name}.ctl`)).toBe(false);
});

test('a server starts within a process whose flags are not for threads', async () => {
  const script = `
    import { KvsServer } from '#dist/index.js';
    const server = await KvsServer.start({ name: process.argv[1], workers: 2, maxMemory: 4 * 2 ** 20 });
    console.log(server.isRunning);
    await server.stop();
  `;
  const ended = await run(process.execPath, ['--input-type=module', '-e', script, regionName()]);
  expect(ended).toMatchObject({ stdout: 'true\n', stderr: '' });
});

const SMALL = { workers: 2, slots: 16, maxMemory: 4 * 2 ** 20 };

/** A pool whose first thread boots before there is a server. */
function bootedAhead(): { pool: WorkerPool; thread: Worker } {
  const pool = new WorkerPool();
  pool.bootAhead();
  return { pool, thread: pool.threads[0] };
}

test('a thread that boots ahead of its server is the first of its workers', async () => {
  const { pool, thread } = bootedAhead();
  await using server = await startWith(pool, { ...SMALL, name: regionName() });
  expect(server.isRunning).toBe(true);
  expect(pool.threads).toHaveLength(2);
  expect(pool.threads[0]).toBe(thread);
});

test('a thread that boots ahead ends when its server does not start', async () => {
  const name = regionName();
  await using server = await KvsServer.start({ ...SMALL, name });
  const { pool, thread } = bootedAhead();
  const second = startWith(pool, { ...SMALL, name });
  await expect(second).rejects.toMatchObject({ code: 'ERR_KVS_ALREADY_RUNNING' });
  expect(thread.threadId).toBe(-1);
  expect(server.isRunning).toBe(true);
});

test('a thread that dies ahead of its server fails the start, and nothing stays', async () => {
  const name = regionName();
  const { pool, thread } = bootedAhead();
  await thread.terminate();
  const start = startWith(pool, { ...SMALL, name });
  await expect(start).rejects.toMatchObject({ code: 'ERR_KVS_INTERNAL' });
  await expect(start).rejects.toHaveProperty('cause.message', 'worker thread 0 ended before it was ready');
  expect(existsSync(`/dev/shm/kvs.${name}.ctl`)).toBe(false);
});

test('a thread that boots ahead keeps no process alive, and its end is waited for when it is asked for', async () => {
  const boot = `
    import { WorkerPool } from '#dist/server/worker-pool.js';
    const pool = new WorkerPool();
    pool.bootAhead();
  `;
  const left = await run(process.execPath, ['--input-type=module', '-e', boot]);
  expect(left).toMatchObject({ stdout: '', stderr: '' });
  const end = `${boot}
    pool.dismiss();
    await pool.join(0);
    console.log('ended');
  `;
  const ended = await run(process.execPath, ['--input-type=module', '-e', end]);
  expect(ended).toMatchObject({ stdout: 'ended\n', stderr: '' });
});
