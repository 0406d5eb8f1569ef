/** Prints how many milliseconds a server of 256 MiB takes in this process from its start to the first answer. */
import { KvsClient, KvsServer } from 'shm-kvs';

const name = `bench-probe-${process.pid}`;
const startedAt = performance.now();
const server = await KvsServer.start({ name, maxMemory: 256 * 2 ** 20 });
const client = await KvsClient.connect({ name });
await client.get('anything');
console.log(performance.now() - startedAt);
await client.close();
await server.stop();
