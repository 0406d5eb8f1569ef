/** A client process as lean as can be: connects to the server of the name given, writes and reads once, then idles. */
import { KvsClient } from 'shm-kvs';

const client = await KvsClient.connect({ name: process.argv[2] });
const key = `idle:${process.pid}`;
await client.set(key, 'here');
if ((await client.get(key)) !== 'here') throw new Error('a value read is not the one written');
// Held by the open channel alone: an idle client keeps no process alive.
process.on('disconnect', () => process.exit(0));
process.send?.('ready');
