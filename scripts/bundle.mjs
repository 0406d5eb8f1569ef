/**
 * Bundles the two commands and their worker threads into bin/: Node loads a few files several times as fast as a hundred,
 * which is a third of the time from the start of a server to its first answer, and of a client's command. Dependencies
 * stay what they are. As deep as dist/, so that paths from there to the package hold.
 */
import { chmodSync, rmSync } from 'node:fs';

import { rolldown } from 'rolldown';

const BUNDLES = {
  'kvs-server': { 'kvs-server': 'dist/cli/kvs-server.js', worker: 'dist/server/worker.js' },
  'kvs-client': { 'kvs-client': 'dist/cli/kvs-client.js', 'bench-thread': 'dist/cli/bench-thread.js' },
};

export async function bundle() {
  rmSync('bin', { recursive: true, force: true });
  for (const [command, input] of Object.entries(BUNDLES)) {
    // One by one: what they share would otherwise be cut into many files, for each to load.
    const bundled = await rolldown({ input, platform: 'node', external: /^[a-z]/ });
    await bundled.write({ dir: 'bin', format: 'esm', chunkFileNames: `${command}-[name].js`, comments: false });
    chmodSync(`bin/${command}.js`, 0o755);
  }
}
