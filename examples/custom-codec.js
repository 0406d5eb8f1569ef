/** Values in a format of your own: readings of a sensor in 16 bytes each, where JSON would take three times as many. */
import { KvsClient, KvsServer } from 'shm-kvs';

/** @typedef {{ at: Date, celsius: number }} Reading */

/** @type {import('shm-kvs').CustomCodec<Reading>} */
const readingCodec = {
  encode({ at, celsius }) {
    const bytes = Buffer.alloc(16);
    bytes.writeDoubleLE(at.getTime(), 0);
    bytes.writeDoubleLE(celsius, 8);
    return bytes;
  },
  // The bytes are a copy of this client's own: keep them, if you like.
  decode: (bytes) => ({ at: new Date(bytes.readDoubleLE(0)), celsius: bytes.readDoubleLE(8) }),
};

const name = process.env['KVS_NAME'] ?? 'custom-codec';
const server = await KvsServer.start({ name });
const client = await KvsClient.connect({ name, codec: readingCodec });

await client.set('cellar', { at: new Date('2024-06-01T12:00:00Z'), celsius: 11.5 });
const reading = await client.get('cellar');
console.log(reading?.at.toISOString(), reading?.celsius);

// A value knows its codec: who reads it with another one gets an error, and the bytes with 'buffer'.
const bytes = await KvsClient.connect({ name, codec: 'buffer' });
console.log('bytes:', (await bytes.get('cellar'))?.length);
const json = await KvsClient.connect({ name, codec: 'json' });
await json.get('cellar').catch((/** @type {{ code: string }} */ error) => console.log('as json:', error.code));

await Promise.all([client, bytes, json].map(async (each) => each.close()));
await server.stop();
