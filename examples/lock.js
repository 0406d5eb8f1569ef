/**
 * A lock between processes: post() lets one in. Others take over from a dead holder. A holder that is wrongly taken for
 * dead may still write: so each write shows its token, the lock's version, and a token older than the last is refused.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { KvsClient, KvsServer } from 'shm-kvs';

/** @typedef {{ total: number, token: number }} Account */

const name = process.env['KVS_NAME'] ?? 'lock';
const FREE = 0;
const lock = async () => KvsClient.connect({ name, codec: 'float64' });
/** @returns {Promise<KvsClient<Account>>} */
const data = async () => KvsClient.connect({ name, codec: 'json' });

/** For processes that see each other; and a process id may be used again. @param {number} pid */
function isAlive(pid) {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** One lock per process. @param {KvsClient<number>} locks @returns {Promise<number>} the token */
async function acquire(locks) {
  for (;;) {
    await locks.post('lock', process.pid);
    const holder = await locks.getEntry('lock');
    if (holder?.value === process.pid) return holder.version;
    const canTake = holder !== undefined && (holder.value === FREE || !isAlive(holder.value));
    if (!canTake || !(await locks.cas('lock', holder.version, process.pid))) await setTimeout(1);
  }
}

/** Not del(): if the lock was taken over, it is not ours to give up. @param {KvsClient<number>} locks @param {number} token */
const release = async (locks, token) => locks.cas('lock', token, FREE);

/** @param {KvsClient<Account>} accounts @param {Account} account @returns {Promise<boolean>} false: refused */
async function write(accounts, account) {
  for (;;) {
    const last = await accounts.getEntry('account');
    if (last !== undefined && last.value.token > account.token) return false;
    if (await accounts.cas('account', last?.version ?? 0, account)) return true;
  }
}

async function deposit() {
  const [locks, accounts] = await Promise.all([lock(), data()]);
  for (let turn = 0; turn < 20; turn++) {
    const token = await acquire(locks);
    const total = (await accounts.get('account'))?.total ?? 0;
    await setTimeout(1); // what takes its time, and needs the lock
    await write(accounts, { total: total + 1, token });
    await release(locks, token);
  }
  await Promise.all([locks.close(), accounts.close()]);
}

async function main() {
  const server = await KvsServer.start({ name });
  const self = fileURLToPath(import.meta.url);

  const careless = fork(self, ['hold']);
  const [oldToken] = /** @type {[number]} */ (await once(careless, 'message'));
  careless.kill('SIGKILL');
  await Promise.all([1, 2, 3].map(async () => once(fork(self, ['deposit']), 'exit')));

  const accounts = await data();
  console.log('total:', (await accounts.get('account'))?.total);
  console.log('late write accepted:', await write(accounts, { total: 0, token: oldToken }));
  await accounts.close();
  await server.stop();
}

if (process.argv[2] === 'deposit') await deposit();
else if (process.argv[2] === 'hold') process.send?.(await acquire(await lock()));
else await main();
