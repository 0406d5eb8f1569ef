/** The shortest program: a server and a client in one process. */
import { KvsClient, KvsServer } from 'shm-kvs';

const name = process.env['KVS_NAME'] ?? 'quick-start';
const server = await KvsServer.start({ name });

// Any process of this host connects by the name alone.
const client = await KvsClient.connect({ name });

await client.set('greeting', 'hello');
console.log('awaited:', await client.get('greeting'));
console.log('blocking:', client.getSync('greeting'));

console.log('inserted again:', await client.post('greeting', 'good evening'));
console.log('deleted:', await client.del('greeting'));
console.log('missing:', await client.get('greeting'));

await client.close();
await server.stop();
