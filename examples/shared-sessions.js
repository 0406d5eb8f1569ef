/** Sessions shared by processes: typed JSON values, changed by several at once without a lost update. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { KvsClient, KvsServer } from 'shm-kvs';

/** @typedef {{ user: string, cart: string[] }} Session */

const name = process.env['KVS_NAME'] ?? 'shared-sessions';
const PROCESSES = 3;
const ITEMS = 50;

/** @returns {Promise<KvsClient<Session>>} */
const connect = async () => KvsClient.connect({ name, codec: 'json' });

/**
 * Replaces the session by what `change` makes of it. If somebody else was faster, its version has changed, and the
 * change is made again on the newer session.
 * @param {KvsClient<Session>} client
 * @param {string} id
 * @param {(session: Session) => Session} change must have no effects of its own
 */
async function update(client, id, change) {
  for (;;) {
    const entry = await client.getEntry(`session:${id}`);
    if (entry === undefined) throw new Error(`no session ${id}`);
    if (await client.cas(`session:${id}`, entry.version, change(entry.value))) return;
  }
}

const shopper = process.argv[2];
if (shopper === undefined) {
  const server = await KvsServer.start({ name });
  const client = await connect();
  await client.post('session:42', { user: 'ada', cart: [] });

  const self = fileURLToPath(import.meta.url);
  const shoppers = Array.from({ length: PROCESSES }, (_, i) => fork(self, [String(i)]));
  await Promise.all(shoppers.map(async (shopper) => once(shopper, 'exit')));

  const session = await client.get('session:42');
  console.log('user:', session?.user);
  console.log('items in the cart:', session?.cart.length);
  console.log('different items:', new Set(session?.cart).size);
  await client.close();
  await server.stop();
} else {
  const client = await connect();
  for (let i = 0; i < ITEMS; i++) {
    await update(client, '42', ({ user, cart }) => ({ user, cart: [...cart, `item ${i} of ${shopper}`] }));
  }
  await client.close();
}
