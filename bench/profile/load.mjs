/**
 * The client of a profile: one kind of call, again and again, until it is told to end. Says "ready" when it is warm, and
 * at the end how many operations a second took it since.
 *
 *   node bench/profile/load.mjs <name of the server> <case> <keys>
 */
import { setImmediate } from 'node:timers/promises';

import { KvsClient } from 'shm-kvs';

const [name, id, keyCount] = process.argv.slice(2);
const KEYS = Number(keyCount);
const BATCH = 64;
const TURN = 1024;

const client = await KvsClient.connect({ name });
const keys = Array.from({ length: KEYS }, (_, i) => `key-${String(i).padStart(12, '0')}`);
const values = Array.from({ length: 512 }, (_, i) => String(i).padStart(64, '.'));

// Marsaglia, "Xorshift RNGs" (2003).
let state = 2_463_534_242;
/** @param {number} below */
function random(below) {
  state ^= state << 13;
  state ^= state >>> 17;
  state ^= state << 5;
  return (state >>> 0) % below;
}
const anyKey = () => keys[random(KEYS)];
const anyValue = () => values[random(values.length)];
/** @returns {[string, string]} */
const anyPair = () => [anyKey(), anyValue()];
/** @param {string} key @returns {[string, string]} */
const pairOf = (key) => [key, anyValue()];
/** @template T @param {() => T} make */
const batchOf = (make) => Array.from({ length: BATCH }, make);

/** @type {Record<string, { operations: number, run: () => unknown }>} */
const CASES = {
  'get-blocking': { operations: TURN, run: () => repeat(TURN, () => client.getSync(anyKey())) },
  'set-blocking': { operations: TURN, run: () => repeat(TURN, () => client.setSync(anyKey(), anyValue())) },
  'set-awaited': {
    operations: TURN,
    run: async () => {
      for (let i = 0; i < TURN; i++) await client.set(anyKey(), anyValue());
    },
  },
  'set-in-flight': {
    operations: BATCH,
    run: async () => Promise.all(batchOf(() => client.set(anyKey(), anyValue()))),
  },
  'mget-64': { operations: BATCH, run: async () => client.mget(batchOf(anyKey)) },
  'mset-64': { operations: BATCH, run: async () => client.mset(batchOf(anyPair)) },
};

/** @param {number} times @param {() => unknown} work */
function repeat(times, work) {
  for (let i = 0; i < times; i++) work();
}

for (let i = 0; i < KEYS; i += 1024) await client.mset(keys.slice(i, i + 1024).map(pairOf));
const phase = { isWarm: false, isOver: false };
const { operations, run } = CASES[id];
let done = 0;
let sinceMs = 0;
process.on('message', () => (phase.isOver = true));
process.on('disconnect', () => process.exit(0));
const warmUntil = Date.now() + 1500;
while (!phase.isOver) {
  await run();
  // The event loop must turn for a message to come in.
  await setImmediate();
  done += operations;
  if (phase.isWarm || Date.now() < warmUntil) continue;
  phase.isWarm = true;
  done = 0;
  sinceMs = performance.now();
  process.send?.('ready');
}
process.send?.(done / ((performance.now() - sinceMs) / 1000));
await client.close();
process.disconnect();
