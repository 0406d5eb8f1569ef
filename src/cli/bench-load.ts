/**
 * The loads of a bench: what one client does over and over on keys of its own, so that it knows what each must hold.
 * Latency is what the caller waits: for one call, or for a whole batch.
 */
import { createHistogram, performance, type RecordableHistogram } from 'node:perf_hooks';

import type { KvsClient } from '../index.js';

const IN_FLIGHT = 64;
const BATCH = 64;
const PREPARE_BATCH = 256;
const NS_PER_MS = 1e6;

/** What a load has measured in one slice. */
export interface Slice {
  readonly histogram: RecordableHistogram;
  readonly keys: number;
  readonly verified: number;
  readonly elapsedMs: number;
}

export const LOADS = [
  { name: 'set, blocking', run: (bench: BenchClient, until: number) => bench.blocking('set', until) },
  { name: 'get, blocking', run: (bench: BenchClient, until: number) => bench.blocking('get', until) },
  { name: 'set, awaited', run: (bench: BenchClient, until: number) => bench.awaited('set', until) },
  { name: 'get, awaited', run: (bench: BenchClient, until: number) => bench.awaited('get', until) },
  { name: `set, ${IN_FLIGHT} in flight`, run: (bench: BenchClient, until: number) => bench.inFlight('set', until) },
  { name: `get, ${IN_FLIGHT} in flight`, run: (bench: BenchClient, until: number) => bench.inFlight('get', until) },
  { name: `mset of ${BATCH}`, run: (bench: BenchClient, until: number) => bench.batches('set', until) },
  { name: `mget of ${BATCH}`, run: (bench: BenchClient, until: number) => bench.batches('get', until) },
] as const;

type Kind = 'get' | 'set';

export class BenchClient {
  readonly #client: KvsClient<Buffer>;
  readonly #keys: readonly string[];
  /** How often each key was written: its value follows from it. */
  readonly #generations: Uint32Array;
  readonly #pattern: Buffer;
  readonly #valueBytes: number;
  #next = 0;
  #verified = 0;
  #done = 0;
  #histogram = createHistogram();

  constructor(client: KvsClient<Buffer>, prefix: string, keyCount: number, valueBytes: number) {
    this.#client = client;
    this.#keys = Array.from({ length: keyCount }, (_, index) => `${prefix}${index}`);
    this.#generations = new Uint32Array(keyCount);
    this.#valueBytes = valueBytes;
    this.#pattern = Buffer.from(Array.from({ length: valueBytes + 256 }, (_, index) => (index * 167 + 13) & 0xff));
  }

  /** Writes every key once. */
  async prepare(): Promise<void> {
    for (let first = 0; first < this.#keys.length; first += PREPARE_BATCH) {
      const indices = Array.from({ length: Math.min(PREPARE_BATCH, this.#keys.length - first) }, (_, i) => first + i);
      await this.#client.mset(indices.map((index) => [this.#key(index), this.#newValue(index)] as const));
    }
  }

  async measure(load: number, sliceMs: number): Promise<Slice> {
    this.#histogram = createHistogram();
    this.#done = 0;
    this.#verified = 0;
    const startedAt = performance.now();
    await LOADS[load]?.run(this, startedAt + sliceMs);
    const elapsedMs = performance.now() - startedAt;
    return { histogram: this.#histogram, keys: this.#done, verified: this.#verified, elapsedMs };
  }

  blocking(kind: Kind, until: number): void {
    do {
      const index = this.#nextIndex();
      const value = kind === 'set' ? this.#newValue(index) : undefined;
      const startedAt = performance.now();
      if (value !== undefined) this.#client.setSync(this.#key(index), value);
      const found = value === undefined ? this.#client.getSync(this.#key(index)) : undefined;
      this.#record(startedAt, 1);
      if (value === undefined) this.#verify(index, found);
    } while (performance.now() < until);
  }

  async awaited(kind: Kind, until: number): Promise<void> {
    do await this.#one(kind);
    while (performance.now() < until);
  }

  async inFlight(kind: Kind, until: number): Promise<void> {
    await Promise.all(Array.from({ length: IN_FLIGHT }, () => this.awaited(kind, until)));
  }

  async batches(kind: Kind, until: number): Promise<void> {
    do {
      const indices = Array.from({ length: Math.min(BATCH, this.#keys.length) }, () => this.#nextIndex());
      const keys = indices.map((index) => this.#key(index));
      const pairs = kind === 'set' ? indices.map((index) => [this.#key(index), this.#newValue(index)] as const) : [];
      const startedAt = performance.now();
      if (kind === 'set') await this.#client.mset(pairs);
      const found = kind === 'get' ? await this.#client.mget(keys) : [];
      this.#record(startedAt, indices.length);
      if (kind === 'get') for (const [i, index] of indices.entries()) this.#verify(index, found[i]);
    } while (performance.now() < until);
  }

  async #one(kind: Kind): Promise<void> {
    const index = this.#nextIndex();
    const value = kind === 'set' ? this.#newValue(index) : undefined;
    const startedAt = performance.now();
    if (value !== undefined) await this.#client.set(this.#key(index), value);
    const found = value === undefined ? await this.#client.get(this.#key(index)) : undefined;
    this.#record(startedAt, 1);
    if (value === undefined) this.#verify(index, found);
  }

  #key(index: number): string {
    return this.#keys[index] ?? '';
  }

  #nextIndex(): number {
    this.#next = (this.#next + 1) % this.#keys.length;
    return this.#next;
  }

  #record(startedAt: number, keys: number): void {
    this.#histogram.record(Math.max(1, Math.round((performance.now() - startedAt) * NS_PER_MS)));
    this.#done += keys;
  }

  #newValue(index: number): Buffer {
    const generation = (this.#generations[index] ?? 0) + 1;
    this.#generations[index] = generation;
    return this.#valueOf(index, generation);
  }

  /** Differs from key to key and from write to write, as far as its length allows. */
  #valueOf(index: number, generation: number): Buffer {
    const shift = (index * 31 + generation) & 0xff;
    return this.#pattern.subarray(shift, shift + this.#valueBytes);
  }

  #verify(index: number, found: Buffer | undefined): void {
    if (found?.equals(this.#valueOf(index, this.#generations[index] ?? 0)) !== true) {
      throw new Error(`the value of ${this.#key(index)} is not the one last written`);
    }
    this.#verified++;
  }
}
