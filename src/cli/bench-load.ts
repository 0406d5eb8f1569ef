/**
 * The loads of a bench: what one client does over and over. Most are on keys of its own, so that it knows what each must
 * hold; the mixes, which come last, are on the keys of all.
 * Latency is what the caller waits: for one call, or for a whole batch.
 */
import { createHistogram, performance, type RecordableHistogram } from 'node:perf_hooks';

import type { KvsClient } from '../index.js';
import { randomFrom, zipfian } from './bench-draws.js';
import { BenchValues } from './bench-values.js';

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
  { name: 'getView', run: (bench: BenchClient, until: number) => bench.views(until) },
  { name: '95 % gets, zipfian', run: (bench: BenchClient, until: number) => bench.mixed(0.05, until) },
  { name: '50 % gets, zipfian', run: (bench: BenchClient, until: number) => bench.mixed(0.5, until) },
] as const;

type Kind = 'get' | 'set';

/** Which keys are whose. */
export interface BenchKeys {
  readonly prefix: string;
  /** Of all clients. */
  readonly total: number;
  /** Of this one: from `first` on. */
  readonly first: number;
  readonly own: number;
}

export class BenchClient {
  readonly #client: KvsClient<Buffer>;
  readonly #keys: BenchKeys;
  /** The names of its own. */
  readonly #names: readonly string[];
  /** How often each of them was written: its value follows from it. */
  readonly #writes: Uint32Array;
  readonly #values: BenchValues;
  readonly #random: () => number;
  readonly #drawOfAll: () => number;
  #verified = 0;
  #done = 0;
  #histogram = createHistogram();

  constructor(client: KvsClient<Buffer>, keys: BenchKeys, valueBytes: number) {
    this.#client = client;
    this.#keys = keys;
    this.#names = Array.from({ length: keys.own }, (_, index) => `${keys.prefix}${keys.first + index}`);
    this.#writes = new Uint32Array(keys.own);
    this.#values = new BenchValues(valueBytes);
    this.#random = randomFrom(keys.first);
    this.#drawOfAll = zipfian(keys.total, this.#random);
  }

  /** Writes every key of its own once. */
  async prepare(): Promise<void> {
    for (let first = 0; first < this.#names.length; first += PREPARE_BATCH) {
      const indices = Array.from({ length: Math.min(PREPARE_BATCH, this.#names.length - first) }, (_, i) => first + i);
      await this.#client.mset(indices.map((index) => [this.#name(index), this.#newValue(index)] as const));
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
      const index = this.#draw();
      const value = kind === 'set' ? this.#newValue(index) : undefined;
      const startedAt = performance.now();
      if (value !== undefined) this.#client.setSync(this.#name(index), value);
      const found = value === undefined ? this.#client.getSync(this.#name(index)) : undefined;
      this.#record(startedAt, 1);
      if (value === undefined) this.#verify(index, found);
    } while (performance.now() < until);
  }

  async awaited(kind: Kind, until: number): Promise<void> {
    do {
      const index = this.#draw();
      const value = kind === 'set' ? this.#newValue(index) : undefined;
      const startedAt = performance.now();
      if (value !== undefined) await this.#client.set(this.#name(index), value);
      const found = value === undefined ? await this.#client.get(this.#name(index)) : undefined;
      this.#record(startedAt, 1);
      if (value === undefined) this.#verify(index, found);
    } while (performance.now() < until);
  }

  async inFlight(kind: Kind, until: number): Promise<void> {
    await Promise.all(Array.from({ length: IN_FLIGHT }, () => this.awaited(kind, until)));
  }

  async batches(kind: Kind, until: number): Promise<void> {
    do {
      const indices = Array.from({ length: BATCH }, () => this.#draw());
      const keys = indices.map((index) => this.#name(index));
      const pairs = kind === 'set' ? indices.map((index) => [this.#name(index), this.#newValue(index)] as const) : [];
      const startedAt = performance.now();
      if (kind === 'set') await this.#client.mset(pairs);
      const found = kind === 'get' ? await this.#client.mget(keys) : [];
      this.#record(startedAt, indices.length);
      if (kind === 'get') for (const [i, index] of indices.entries()) this.#verify(index, found[i]);
    } while (performance.now() < until);
  }

  async views(until: number): Promise<void> {
    do {
      const index = this.#draw();
      const startedAt = performance.now();
      const view = await this.#client.getView(this.#name(index));
      this.#record(startedAt, 1);
      this.#verify(index, view?.bytes);
      view?.release();
    } while (performance.now() < until);
  }

  async mixed(setShare: number, until: number): Promise<void> {
    do {
      const key = this.#drawOfAll();
      const name = `${this.#keys.prefix}${key}`;
      const value = this.#random() < setShare ? this.#values.of(key, this.#done) : undefined;
      const startedAt = performance.now();
      if (value !== undefined) await this.#client.set(name, value);
      const found = value === undefined ? await this.#client.get(name) : undefined;
      this.#record(startedAt, 1);
      if (value !== undefined) continue;
      if (!this.#values.isOfAnyWrite(found, key))
        throw new Error(`the value of ${name} is none that was written for it`);
      this.#verified++;
    } while (performance.now() < until);
  }

  #name(index: number): string {
    return this.#names[index] ?? '';
  }

  #draw(): number {
    return Math.floor(this.#random() * this.#names.length);
  }

  #record(startedAt: number, keys: number): void {
    this.#histogram.record(Math.max(1, Math.round((performance.now() - startedAt) * NS_PER_MS)));
    this.#done += keys;
  }

  #newValue(index: number): Buffer {
    const write = (this.#writes[index] ?? 0) + 1;
    this.#writes[index] = write;
    return this.#values.of(this.#keys.first + index, write);
  }

  #verify(index: number, found: Uint8Array | undefined): void {
    if (!this.#values.isOf(found, this.#keys.first + index, this.#writes[index] ?? 0)) {
      throw new Error(`the value of ${this.#name(index)} is not the one last written`);
    }
    this.#verified++;
  }
}
