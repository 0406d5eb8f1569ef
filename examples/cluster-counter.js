/** Web server processes of node:cluster that count hits together: one number per page, whoever answered. */
import cluster from 'node:cluster';
import { once } from 'node:events';
import { createServer, get } from 'node:http';

import { KvsClient, KvsServer } from 'shm-kvs';

const name = process.env['KVS_NAME'] ?? 'cluster-counter';
const WORKERS = 3;
const HITS = 60;

/** @param {number} port @param {string} path @returns {Promise<void>} */
const hit = (port, path) =>
  new Promise((resolve, reject) => {
    get({ port, path, agent: false }, (response) => response.resume().on('end', resolve)).on('error', reject);
  });

async function primary() {
  const server = await KvsServer.start({ name });
  const workers = Array.from({ length: WORKERS }, () => cluster.fork());
  const ports = await Promise.all(
    workers.map(async (worker) => {
      const [address] = /** @type {[import('node:cluster').Address]} */ (await once(worker, 'listening'));
      return address.port;
    }),
  );
  for (let i = 0; i < HITS; i++) await hit(ports[0], i % 3 === 0 ? '/about' : '/');

  const client = await KvsClient.connect({ name, codec: 'float64' });
  console.log('/', await client.get('hits:/'));
  console.log('/about', await client.get('hits:/about'));

  for (const worker of workers) worker.send('end');
  await Promise.all(workers.map(async (worker) => once(worker, 'exit')));
  await client.close();
  await server.stop();
}

async function worker() {
  const client = await KvsClient.connect({ name, codec: 'float64' });
  const web = createServer((request, response) => {
    client.incr(`hits:${request.url}`).then(
      (hits) => response.end(`hit number ${hits}\n`),
      (error) => response.writeHead(500).end(String(error)),
    );
  });
  web.listen(0);
  await once(process, 'message');
  web.close();
  await client.close();
  process.disconnect();
}

await (cluster.isPrimary ? primary() : worker());
