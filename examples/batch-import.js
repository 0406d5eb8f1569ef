/** Loads many values with few requests, and reads them back: mset, mget and entries. */
import { KvsClient, KvsServer } from 'shm-kvs';

/** @typedef {{ id: number, name: string, price: number }} Product */

const name = process.env['KVS_NAME'] ?? 'batch-import';
const PRODUCTS = 10_000;
const BATCH = 500;

/** Stands for a file that is read piece by piece. */
function* readProducts() {
  for (let id = 1; id <= PRODUCTS; id++) yield { id, name: `product ${id}`, price: (id % 100) + 0.99 };
}

/**
 * @template T
 * @param {Iterable<T>} items
 * @param {number} size
 */
function* batchesOf(items, size) {
  /** @type {T[]} */
  let batch = [];
  for (const item of items) {
    if (batch.push(item) < size) continue;
    yield batch;
    batch = [];
  }
  if (batch.length > 0) yield batch;
}

const server = await KvsServer.start({ name });
/** @type {KvsClient<Product>} */
const client = await KvsClient.connect({ name, codec: 'json' });

for (const batch of batchesOf(readProducts(), BATCH)) {
  await client.mset(batch.map((product) => /** @type {const} */ ([`product:${product.id}`, product])));
}
console.log('imported:', await client.size());

// A missing key is undefined, in its place.
const some = await client.mget(['product:7', 'product:0', 'product:9999']);
console.log('found:', some.map((product) => product?.name).join(', '));

let total = 0;
for await (const [, product] of client.entries('product:')) total += product.price;
console.log('sum of all prices:', total.toFixed(2));

await client.close();
await server.stop();
