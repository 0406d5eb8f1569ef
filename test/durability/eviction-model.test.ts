/**
 * A cache that keeps a log, beside a Map that cannot know which keys are evicted: each key is what the Map says, or absent;
 * once it was seen to be absent, it stays so until it is written, whatever restarts: killed, kept, stopped, or over the files
 * alone. What went is what `on('evict')` and the statistics say.
 * Seen to fail when: evictions leave no record in the log (keys are back). `KVS_SEED` repeats a run, `KVS_MODEL_S=600` goes on for so
 * many seconds.
 */
import { inspect } from 'node:util';

import { expect, onTestFinished, test } from 'vitest';

import type { KvsStatistics } from '#dist/index.js';

import { audited } from '../fixtures/audited.js';
import type { Random } from '../fixtures/model/operations.js';
import { WallClock, World } from '../fixtures/model/world.js';
import { temporaryDirectory } from '../fixtures/processes.js';
import { regionName } from '../fixtures/region.js';
import { randomness } from '../fixtures/service.js';

const SECONDS = Number(process.env['KVS_MODEL_S'] ?? 0);
const RESTARTS = 4;
const BATCHES_BETWEEN = 30;
const KEYS = Array.from({ length: 2000 }, (_, index) => `key ${index}`);
const MAX_MEMORY = 4 * 2 ** 20;
const SIZES = [200, 1500, 4000, 12_000];
const HOUR = 3_600_000;

interface Entry {
  readonly value: string;
  readonly version: number;
}

class Cache {
  readonly #random: Random;
  readonly #world: World;
  /** What is there, unless it was evicted and nobody has looked since. */
  readonly #entries = new Map<string, Entry>();
  readonly #highest = new Map<string, number>();
  #evictedBefore = 0;
  #values = 0;
  readonly counts = { writes: 0, answers: 0, 'seen evicted': 0, evicted: 0, restarts: 0, looks: 0 };

  constructor(random: Random, clock: WallClock) {
    this.#random = random;
    const log = {
      dir: temporaryDirectory(),
      sync: 'always',
      segmentBytes: 2 ** 18,
      snapshotLogBytes: 2 ** 21,
    } as const;
    const shape = { workers: 2, stripes: 16, maxMemory: MAX_MEMORY, maxValueBytes: 30_000, logMemory: 2 ** 20 };
    this.#world = new World(regionName(), { ...log, ...shape, eviction: 's3-fifo' }, clock);
  }

  async run(): Promise<void> {
    await this.#start();
    for (let restart = 0; restart < RESTARTS; restart++) {
      for (let batch = 0; batch < BATCHES_BETWEEN; batch++) await this.#batch();
      await this.#look();
      await this.#restart();
    }
    await audited(this.#world.name);
    await this.#world.leave();
    await this.#world.stop();
  }

  async #start(): Promise<void> {
    await this.#world.start();
    await this.#world.attach();
    await this.#world.server.tell('evicted');
    this.#evictedBefore = (await this.#statistics()).eviction.evicted;
  }

  async #statistics(): Promise<KvsStatistics> {
    return this.#world.clients[1].stats();
  }

  /** Calls at once, on keys of which none is named twice. */
  async #batch(): Promise<void> {
    const keys = new Set(Array.from({ length: 60 }, () => KEYS[this.#random(KEYS.length)]));
    await Promise.all(Array.from(keys, (key) => this.#step(key)));
  }

  async #step(key: string): Promise<void> {
    const client = this.#world.clients[this.#random(2)];
    const entry = this.#entries.get(key);
    this.counts.answers++;
    switch (this.#random(12)) {
      case 0: {
        if (await client.del(key)) this.#mustBeKnown(key, entry);
        return this.#remove(key);
      }
      case 1: {
        const value = await client.getdel(key);
        if (value !== undefined) expect(value).toBe(entry?.value);
        return this.#remove(key);
      }
      case 2: {
        const value = this.#value();
        if (await client.post(key, value)) return this.#wrote(key, value);
        return this.#mustBeKnown(key, entry);
      }
      case 3: {
        const value = this.#value();
        const isSwapped = await client.cas(key, entry?.version ?? 0, value);
        if (isSwapped) return this.#wrote(key, value);
        // Evicted, or the Map has not learnt the version.
        return entry === undefined ? expect.fail(`cas of ${key}, which is missing`) : undefined;
      }
      case 4: {
        if (!(await client.expire(key, HOUR))) return this.#isAbsent(key);
        this.#mustBeKnown(key, entry);
        return this.#wrote(key, entry?.value ?? '');
      }
      case 5: {
        await client.set(key, 'gone', { expiresAt: 1 });
        return this.#remove(key);
      }
      case 6:
      case 7:
      case 8: {
        const value = this.#value();
        await client.set(key, value, this.#random(2) === 0 ? { ttlMs: HOUR } : {});
        return this.#wrote(key, value);
      }
      default:
        return this.#saw(key, await client.get(key));
    }
  }

  #value(): string {
    return `${this.#values++}:${'x'.repeat(SIZES[this.#random(SIZES.length)])}`;
  }

  #wrote(key: string, value: string): void {
    this.counts.writes++;
    this.#entries.set(key, { value, version: 0 });
  }

  #remove(key: string): void {
    this.#entries.delete(key);
  }

  #mustBeKnown(key: string, entry: Entry | undefined): void {
    expect(entry, `${key} is back`).toBeDefined();
  }

  /** From now on it is to be absent. */
  #isAbsent(key: string): void {
    if (this.#entries.delete(key)) this.counts['seen evicted']++;
  }

  #saw(key: string, value: string | undefined): void {
    if (value === undefined) return this.#isAbsent(key);
    this.#mustBeKnown(key, this.#entries.get(key));
    expect(value === this.#entries.get(key)?.value, `the value of ${key}`).toBe(true);
  }

  /** All keys, by both clients; what is there, and what has gone since the last look. */
  async #look(isRestarted = false): Promise<void> {
    this.counts.looks++;
    const [direct, asked] = this.#world.clients;
    const before = new Set(this.#entries.keys());
    let bytes = 0;
    for (const key of KEYS) {
      const entry = direct.getSync(key) === undefined ? undefined : direct.getEntrySync(key);
      this.#saw(key, entry?.value);
      if (entry === undefined) continue;
      bytes += key.length + entry.value.length;
      this.#learn(key, entry);
    }
    const values = await asked.mget(KEYS);
    expect(KEYS.filter((_, index) => values[index] !== undefined).length).toBe(this.#entries.size);
    const keys: string[] = [];
    for await (const key of direct.keys()) keys.push(key);
    expect(keys.sort()).toEqual([...this.#entries.keys()].sort());
    const { memory, eviction, entries } = await this.#statistics();
    expect(bytes).toBeLessThanOrEqual(memory.usedBytes);
    expect(memory.usedBytes).toBeLessThanOrEqual(memory.totalBytes);
    expect(memory.totalBytes).toBeLessThanOrEqual(MAX_MEMORY);
    expect(entries).toBeGreaterThanOrEqual(this.#entries.size);
    if (!isRestarted) await this.#account(before, eviction.evicted);
  }

  #learn(key: string, { version, value }: { version: number; value: string }): void {
    const known = this.#entries.get(key)?.version ?? 0;
    const highest = this.#highest.get(key) ?? 0;
    if (known === 0) {
      expect(version, `version of ${key}`).toBeGreaterThan(highest);
      this.#highest.set(key, version);
    }
    this.#entries.set(key, { value, version });
  }

  /** Each key that has gone since the last look is among those that the server has told of, and no more than counted are. */
  async #account(before: ReadonlySet<string>, evicted: number): Promise<void> {
    const told = new Set<string>();
    let count = 0;
    const counted = evicted - this.#evictedBefore;
    // What a thread has counted, it tells soon.
    while (count < counted) {
      const news = (await this.#world.server.tell('evicted')) as { keys: string[]; dropped: number };
      for (const key of news.keys) told.add(key);
      count += news.keys.length + news.dropped;
      expect(news.dropped).toBe(0);
    }
    expect(count).toBe(counted);
    for (const key of before) if (!this.#entries.has(key)) expect(told.has(key), `${key} went untold`).toBe(true);
    this.counts.evicted += counted;
    this.#evictedBefore = evicted;
  }

  async #restart(): Promise<void> {
    const world = this.#world;
    this.counts.restarts++;
    // Once this is durable, so is all that was evicted before it.
    await world.clients[1].set('key 0', this.#fixed());
    const kind = this.#random(4);
    if (kind === 0) {
      await world.lose();
      await world.leave();
    } else if (kind === 1) await world.server.kill();
    else await world.stop(kind === 2);
    await this.#start();
    await this.#look(true);
  }

  #fixed(): string {
    const value = this.#value();
    this.#wrote('key 0', value);
    return value;
  }
}

test('a key is what a Map says, or evicted for good', { timeout: 240_000 + SECONDS * 2000 }, async () => {
  const seed = Number(process.env['KVS_SEED'] ?? (Math.random() * 2 ** 31) | 0);
  const endsAt = performance.now() + SECONDS * 1000;
  const clock = new WallClock();
  const counts: Record<string, number> = {};
  onTestFinished(() => console.log('counts:', inspect(counts, { breakLength: Infinity })));
  for (let round = 0; round === 0 || performance.now() < endsAt; round++) {
    const cache = new Cache(randomness(seed + round), clock);
    await cache.run();
    for (const [kind, count] of Object.entries(cache.counts)) counts[kind] = (counts[kind] ?? 0) + count;
  }
  expect(counts['seen evicted']).toBeGreaterThan(0);
});
