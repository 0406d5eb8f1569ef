/** Ends a process whose fuzzer has come to a standstill, and says over which input. Runs in a thread of its own. */
import { writeSync } from 'node:fs';
import { workerData } from 'node:worker_threads';

const PATIENCE_MS = 20_000;
const { words, bytes } = /** @type {{ words: Int32Array, bytes: Uint8Array }} */ (workerData);
for (;;) {
  const before = Atomics.load(words, 0);
  Atomics.wait(words, 2, 0, PATIENCE_MS);
  if (before !== Atomics.load(words, 0)) continue;
  const input = Buffer.from(bytes.slice(0, Atomics.load(words, 1))).toString('base64');
  writeSync(2, `FAILED: an input that does not come to an end: ${input}\n`);
  process.kill(process.pid, 'SIGKILL');
}
