/** Calls handed over now and collected later, and what is known when one of them did not finish. */
import { KvsClient, KvsError, KvsServer } from 'shm-kvs';

const name = process.env['KVS_NAME'] ?? 'tasks';
// Few slots, so that most of the calls below wait for one.
const server = await KvsServer.start({ name, slots: 16 });
// Each of the calls has this long, from when it is submitted.
const client = await KvsClient.connect({ name, timeoutMs: 60_000 });

/** @param {unknown} error */
function describe(error) {
  if (!(error instanceof KvsError)) throw error;
  return `${error.code}, executed: ${error.executed}`;
}

// A task is on its way as soon as it is submitted. Await it, or block for it.
const first = client.submit('set', 'a', '1');
const second = client.submit('incr', 'hits', 5);
console.log('first:', await first, first.state);
console.log('second:', second.waitSync(), second.state);

const tasks = Array.from({ length: 5000 }, (_, i) => client.submit('set', `key:${i}`, 'value'));
const last = tasks[tasks.length - 1];
console.log('last:', last.state);

// It had not reached the server: it is certain that it never will.
console.log('cancelled:', last.cancel(), last.state);
await last.wait().catch((/** @type {unknown} */ error) => console.log('last:', describe(error)));

// A deadline of its own. 'no': safe to try again. 'unknown': it may have been executed; look before you repeat.
await client
  .set('late', 'value', { timeoutMs: 0 })
  .catch((/** @type {unknown} */ error) => console.log('late:', describe(error)));

// wait(ms) gives up the wait only, the task goes on.
const waiting = client.submit('ping');
await waiting.wait(0).catch((/** @type {unknown} */ error) => console.log('wait:', describe(error)));
console.log('after all:', await waiting);

await Promise.allSettled(tasks);
console.log('keys:', await client.size());

await client.close();
await server.stop();
