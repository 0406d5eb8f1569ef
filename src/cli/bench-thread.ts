/** One client of a bench, on a thread of its own: does as bench.ts tells it, step by step. */
import { parentPort, workerData } from 'node:worker_threads';

import { KvsClient } from '../index.js';
import { BenchClient, type BenchKeys, type Slice } from './bench-load.js';
import { describeError, exitCodeOf } from './exit-codes.js';

export interface BenchThreadInput {
  readonly name: string;
  readonly shmDir: string | undefined;
  readonly group: number | undefined;
  readonly timeoutMs: number | undefined;
  readonly keys: BenchKeys;
  readonly valueBytes: number;
}

export type BenchStep = { readonly load: number; readonly sliceMs: number } | 'prepare' | 'close';
export type BenchReply = { readonly slice?: Slice } | { readonly error: string; readonly exitCode: number };

const { name, shmDir, group, timeoutMs, keys, valueBytes } = workerData as BenchThreadInput;
const connected = KvsClient.connect({ name, shmDir, group, timeoutMs, codec: 'buffer' }).then((client) => ({
  client,
  bench: new BenchClient(client, keys, valueBytes),
}));
// The first step reports it.
connected.catch(() => {});

async function perform(step: BenchStep): Promise<BenchReply> {
  try {
    const { client, bench } = await connected;
    if (step === 'close') await client.close();
    else if (step === 'prepare') await bench.prepare();
    else return { slice: await bench.measure(step.load, step.sliceMs) };
    return {};
  } catch (error) {
    return { error: describeError(error), exitCode: exitCodeOf(error) };
  }
}

parentPort?.on('message', (step: BenchStep) => {
  void perform(step).then((reply) => {
    parentPort?.postMessage(reply);
    if (step === 'close') parentPort?.close();
  });
});
