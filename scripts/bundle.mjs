/**
 * Bundles kvs-server and its worker threads into bin/: Node loads a few files several times as fast as a hundred, which
 * is a third of the time from the start of a server to its first answer. Dependencies stay what they are. As deep as
 * dist/, so that paths from there to the package hold.
 */
import { chmodSync, rmSync } from 'node:fs';

import { rolldown } from 'rolldown';

export async function bundle() {
  rmSync('bin', { recursive: true, force: true });
  const bundled = await rolldown({
    input: {
      'kvs-server': 'dist/cli/kvs-server.js',
      worker: 'dist/server/worker.js',
      'log-thread': 'dist/server/log-thread.js',
      'snapshot-thread': 'dist/server/snapshot-thread.js',
    },
    platform: 'node',
    external: /^[a-z]/,
  });
  await bundled.write({ dir: 'bin', format: 'esm', chunkFileNames: 'shared.js', comments: false });
  chmodSync('bin/kvs-server.js', 0o755);
}
