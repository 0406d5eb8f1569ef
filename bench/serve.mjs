/**
 * A server process: of shm-kvs with the options given as JSON, or of a plain Map on a Unix socket.
 *
 *   node bench/serve.mjs shm-kvs '{"name":"example"}' | socket-map <path>
 */
import { KvsServer } from 'shm-kvs';

import { serveMap } from './peers/socket-map-server.mjs';

/** @import { KvsServerOptions } from 'shm-kvs' */

const [kind, argument] = process.argv.slice(2);

/** @returns {Promise<() => unknown>} how to stop it */
async function start() {
  if (kind === 'socket-map') return serveMap(argument);
  const server = await KvsServer.start(/** @type {KvsServerOptions} */ (JSON.parse(argument)));
  return async () => server.stop();
}

const stop = await start();
let isStopping = false;
async function end() {
  if (isStopping) return;
  isStopping = true;
  await stop();
  process.exit(0);
}
process.on('SIGTERM', () => void end());
process.on('SIGINT', () => void end());
// The benchmark is gone: so is what it measured.
process.on('disconnect', () => void end());
process.send?.('ready');
