/** A script without promises: each call returns its result. Good for tools, start-up code and migrations. */
import { KvsClient, KvsError, KvsServer } from 'shm-kvs';

const name = process.env['KVS_NAME'] ?? 'blocking-script';
const server = await KvsServer.start({ name });
const client = await KvsClient.connect({ name, codec: 'json' });

for (const word of 'the more the merrier the more the better'.split(' ')) client.incrSync(`count:${word}`);

const counts = [...client.entriesSync('count:')].sort(([a], [b]) => a.localeCompare(b));
for (const [key, count] of counts) console.log(key, count);

if (client.postSync('schema', 1)) console.log('schema: created');
if (!client.postSync('schema', 1)) console.log('schema: was there already');

try {
  client.setSync('text', 'four');
  client.incrSync('text');
} catch (error) {
  if (!(error instanceof KvsError)) throw error;
  console.log('incr of a text:', error.code);
}

console.log(client.mdelSync(client.keysSync('count:')), 'deleted,', client.sizeSync(), 'left');

await client.close();
await server.stop();
