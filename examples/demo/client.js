/**
 * One of the four client processes. It does a phase when the main process orders it, and sends back what it counted,
 * how long each call took and what it found wrong.
 */
import { performance } from 'node:perf_hooks';

import { KvsClient } from 'shm-kvs';

import { Findings } from './checks.js';
import { phases } from './phases.js';
import { Meter } from './ways.js';
import { WordList } from './words.js';

/** @import { WordRecord } from './words.js' */

/**
 * @typedef {object} Order
 * @property {number} phase index in the list of phases
 * @property {Uint8Array} winners
 * @property {number | undefined} hangAfter operations after which the client stands still, to be killed
 */

/**
 * @typedef {object} Result
 * @property {number} operations
 * @property {Uint32Array} latencies in nanoseconds
 * @property {Pick<Findings, 'count' | 'examples'>} findings
 * @property {Uint8Array} wins
 */

/**
 * What a client tells the main process.
 * @typedef {{ type: 'ready' } | { type: 'progress', operations: number } | { type: 'hangs' } | { type: 'result', result: Result }} Report
 */

const REPORT_MS = 100;
const HANG_MS = 60_000;
/** Loaded by client 1, and neither updated nor deleted. */
const WRONG_INDEX = 29;

const [name, number, words] = process.argv.slice(2);
const me = Number(number);
const list = new WordList(Number(words));
/** @type {KvsClient<WordRecord>} */
const kvs = await KvsClient.connect({ name, codec: 'json', timeoutMs: 30_000 });

/** For the tests: this client writes one wrong value. */
const wrongIndex = process.env['KVS_DEMO_CORRUPT'] === '1' && me === 1 ? WRONG_INDEX : -1;

/** @param {number} index */
function loaded(index) {
  const record = list.record(index, me, 0);
  return index === wrongIndex ? { ...record, length: record.length + 1 } : record;
}

/** @param {Report} message */
const report = (message) => process.send?.(message);

/** Blocks the whole process, with all that is in flight, until the main process kills it. */
function hang() {
  report({ type: 'hangs' });
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, HANG_MS);
}

/**
 * Reports progress, not too often.
 * @param {number | undefined} hangAfter
 */
function createMeter(hangAfter = Infinity) {
  let reportedAt = performance.now();
  return new Meter((operations) => {
    if (operations >= hangAfter) hang();
    const now = performance.now();
    if (now - reportedAt < REPORT_MS) return;
    reportedAt = now;
    report({ type: 'progress', operations });
  });
}

/** @param {Order} order */
async function follow({ phase, winners, hangAfter }) {
  const { share, run } = phases[phase];
  const findings = new Findings();
  const wins = new Uint8Array(list.size);
  const meter = createMeter(hangAfter);
  await run({ kvs, me, list, share: share(me, list), meter, findings, wins, winners, loaded });
  const { operations, latencies } = meter;
  report({ type: 'result', result: { operations, latencies, findings, wins } });
}

process.on('message', (order) => void follow(/** @type {Order} */ (order)));
// The main process is gone, or has no more orders.
process.on('disconnect', () => void kvs.close());
report({ type: 'ready' });
