/**
 * The bench of kvs-client: some clients, each on a thread, do the same load at the same time, one load after the other,
 * on keys under one prefix that are removed at the end.
 */
import { randomBytes } from 'node:crypto';
import { createHistogram, type RecordableHistogram } from 'node:perf_hooks';
import { Worker } from 'node:worker_threads';

import { KvsError } from '../errors.js';
import type { LatencySummary } from '../index.js';
import { type BenchKeys, LOADS } from './bench-load.js';
import type { BenchReply, BenchStep, BenchThreadInput } from './bench-thread.js';
import type { Session } from './command.js';
import { CommandFailure } from './exit-codes.js';

export interface BenchSettings {
  readonly clients: number;
  /** undefined: usualKeys(). */
  readonly keys: number | undefined;
  readonly valueBytes: number;
  /** For each load. */
  readonly durationMs: number;
  /** Called with the name of each load as it begins. */
  readonly onLoad?: ((name: string) => void) | undefined;
}

export interface BenchReport {
  readonly clients: number;
  readonly keys: number;
  readonly valueBytes: number;
  readonly measurements: readonly Measurement[];
}

export interface Measurement {
  readonly name: string;
  readonly keysPerSecond: number;
  /** Values read, each compared with what was written. */
  readonly verified: number;
  /** Of a call, or of a whole batch. */
  readonly latencyNs: LatencySummary;
}

/** Between two looks at whether the user has had enough. */
const SLICE_MS = 250;
const REMOVE_BATCH = 256;
/** Of an entry, beyond its value. */
const ENTRY_BYTES = 96;

/** @throws KvsError ERR_KVS_ABORTED when the session's signal ends it; CommandFailure for what a client met */
export async function bench(session: Session, settings: BenchSettings): Promise<BenchReport> {
  const prefix = `bench:${process.pid}-${randomBytes(4).toString('hex')}:`;
  // Connects first: without a server there is nothing to clean up.
  const { memory } = await (await session.client()).stats();
  const { clients, valueBytes } = settings;
  const own = Math.ceil((settings.keys ?? usualKeys(valueBytes, memory.freeBytes)) / clients);
  const keysOf = (client: number): BenchKeys => ({ prefix, total: clients * own, first: client * own, own });
  const threads = Array.from({ length: clients }, (_, i) => new BenchThread(session, valueBytes, keysOf(i)));
  try {
    await stepAll(threads, 'prepare');
    const measurements: Measurement[] = [];
    for (const [load, { name }] of LOADS.entries()) {
      settings.onLoad?.(name);
      measurements.push(await measure(session, threads, { load, name, durationMs: settings.durationMs }));
    }
    return { clients, keys: clients * own, valueBytes, measurements };
  } finally {
    await Promise.all(threads.map((thread) => thread.close()));
    await removeKeys(session, prefix);
  }
}

/** So many that they are in nobody's cache, and leave room for others. */
export const usualKeys = (valueBytes: number, freeBytes: number): number =>
  Math.max(1, Math.min(100_000, Math.floor(Math.min(64 * 2 ** 20, freeBytes / 4) / (valueBytes + ENTRY_BYTES))));

async function measure(
  session: Session,
  threads: readonly BenchThread[],
  { load, name, durationMs }: { load: number; name: string; durationMs: number },
): Promise<Measurement> {
  const histogram = createHistogram();
  let keysPerSecond = 0;
  let verified = 0;
  const slices = Math.ceil(durationMs / SLICE_MS);
  for (let slice = 0; slice < slices; slice++) {
    if (session.signal?.aborted === true) {
      throw new KvsError('ERR_KVS_ABORTED', 'the bench was ended before its time; its keys are removed');
    }
    for (const reply of await stepAll(threads, { load, sliceMs: durationMs / slices })) {
      if (reply === undefined) continue;
      histogram.add(reply.histogram);
      keysPerSecond += (reply.keys * 1000) / reply.elapsedMs / slices;
      verified += reply.verified;
    }
  }
  return { name, keysPerSecond: Math.round(keysPerSecond), verified, latencyNs: summaryOf(histogram) };
}

function summaryOf(histogram: RecordableHistogram): LatencySummary {
  return {
    count: histogram.count,
    mean: Math.round(histogram.mean),
    p50: histogram.percentile(50),
    p99: histogram.percentile(99),
    p999: histogram.percentile(99.9),
    max: histogram.max,
  };
}

const stepAll = (threads: readonly BenchThread[], step: BenchStep) =>
  Promise.all(threads.map((thread) => thread.step(step)));

/** Also what a client wrote that failed half-way. */
async function removeKeys(session: Session, prefix: string): Promise<void> {
  const client = await session.client();
  let batch: Buffer[] = [];
  for await (const key of client.keys(prefix)) {
    batch.push(key);
    if (batch.length < REMOVE_BATCH) continue;
    await client.mdel(batch);
    batch = [];
  }
  await client.mdel(batch);
}

class BenchThread {
  readonly #worker: Worker;
  readonly #ended: Promise<void>;
  #failure: Error | undefined;

  constructor({ options: { name, shmDir, group, timeoutMs } }: Session, valueBytes: number, keys: BenchKeys) {
    const input: BenchThreadInput = { name, shmDir, group, timeoutMs, keys, valueBytes };
    this.#worker = new Worker(new URL('bench-thread.js', import.meta.url), { workerData: input });
    this.#worker.on('error', (error: Error) => (this.#failure = error));
    this.#ended = new Promise((resolve) => {
      this.#worker.once('exit', () => resolve());
    });
  }

  /** @throws CommandFailure when the client fails */
  async step(step: BenchStep) {
    this.#worker.postMessage(step);
    const replied = new Promise<BenchReply>((resolve) => {
      this.#worker.once('message', resolve);
    });
    const reply = await Promise.race([replied, this.#ended]);
    if (reply === undefined) throw this.#failure ?? new Error('a thread of the bench ended before its time');
    if ('error' in reply) throw new CommandFailure(reply.error, reply.exitCode);
    return reply.slice;
  }

  /** However it went, the thread ends and gives up its client. */
  async close(): Promise<void> {
    this.#worker.postMessage('close' satisfies BenchStep);
    await this.#ended;
  }
}
