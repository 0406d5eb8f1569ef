/**
 * A server with a log that tells how it was loaded, and then waits to be killed.
 *
 *   node bench/workload/load-probe.mjs <options of the server as JSON>
 */
import { KvsServer } from 'shm-kvs';

/** @import { KvsServerOptions, ServerEvent } from 'shm-kvs' */
/** @typedef {{ entries: number, records: number, ms: number }} LoadReport */

const options = /** @type {KvsServerOptions} */ (JSON.parse(process.argv[2]));
/** @param {ServerEvent} event */
const onEvent = (event) => {
  if (event.type !== 'log-loaded') return;
  const { entries, records, ms } = event;
  process.send?.({ entries, records, ms });
};
const server = await KvsServer.start({ ...options, onEvent });
process.on('disconnect', () => void server.stop());
