import { existsSync } from 'node:fs';

import { expect, test } from 'vitest';

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
