/** Worker threads share data without messages: each has a client of its own, connected by name. */
import { once } from 'node:events';
import { isMainThread, Worker } from 'node:worker_threads';

import { KvsClient, KvsServer } from 'shm-kvs';

const name = process.env['KVS_NAME'] ?? 'worker-threads';
const THREADS = 3;
const LIMIT = 30_000;

/** @param {number} n */
function isPrime(n) {
  for (let d = 2; d * d <= n; d++) if (n % d === 0) return false;
  return n > 1;
}

if (isMainThread) {
  const server = await KvsServer.start({ name });
  const client = await KvsClient.connect({ name, codec: 'float64' });
  const threads = Array.from({ length: THREADS }, () => new Worker(new URL(import.meta.url)));
  await Promise.all(threads.map(async (thread) => once(thread, 'exit')));
  console.log('primes below', LIMIT, 'are', await client.get('primes'));
  console.log('parts done:', (await client.get('next-part')) === LIMIT / 1000 + THREADS);
  await client.close();
  await server.stop();
} else {
  const client = await KvsClient.connect({ name, codec: 'float64' });
  // Each thread takes the next part that nobody has taken. A thread that computes may as well block.
  for (;;) {
    const end = client.incrSync('next-part') * 1000;
    if (end > LIMIT) break;
    let primes = 0;
    for (let n = end - 1000; n < end; n++) if (isPrime(n)) primes++;
    client.incrSync('primes', primes);
  }
  await client.close();
}
