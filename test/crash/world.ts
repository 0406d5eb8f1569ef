/**
 * A region whose server is this thread: requests are executed, the dead are reaped and servers follow one another when it
 * is told so, and between two deaths all bytes are set back. Whoever is to die comes from the counted build (steps.js):
 * at its last step it throws, everything that it would do afterwards throws too, and the kernel takes back its
 * descriptors, and with them its locks. So it leaves to others what a process leaves that is killed there.
 */
import { closeSync, readdirSync, rmSync } from 'node:fs';
import { createHistogram } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';

import { KvsClient, KvsError } from '#dist/index.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { clientsInUse } from '#dist/memory/client-lease.js';
import {
  CtlHeader,
  DataHeader,
  EvictionPolicy,
  type Geometry,
  RegionState,
  type RegionShape,
  WorkerRecord,
  workerBase,
} from '#dist/memory/layout.js';
import type { OwnedRegion } from '#dist/memory/region.js';
import { MAX_USES } from '#dist/memory/use-marks.js';
import type { SegmentViews } from '#dist/memory/segment.js';

import { Death, held, life, type Modules, plain } from './builds.js';
import { findLeaks } from './leaks.js';
import { BEFORE } from './scenarios.js';

const SHM_DIR = '/dev/shm';
const SHAPE: RegionShape = { slots: 16, stripes: 4, workers: 2, maxValueBytes: 65_536, maxMemoryBytes: 4 * 2 ** 20 };
const WORKER = 0;
/** Of clients: no test is to reach these. */
export const PATIENCE = { timeoutMs: 600_000, reconnectTimeoutMs: 600_000 };

/** Throws what others than the dead have thrown. */
function ignoreDead(error: unknown): void {
  if (!(error instanceof Death)) throw error;
}

process.on('uncaughtException', ignoreDead);
process.on('unhandledRejection', ignoreDead);

export interface Lived<R> {
  readonly isDead: boolean;
  /** Steps that it made. */
  readonly steps: number;
  readonly result: R | undefined;
}

export class World {
  readonly name: string;
  region!: OwnedRegion;
  #witness: KvsClient | undefined;
  #evicts = false;

  /** Whether any entry may be gone. */
  get evicts(): boolean {
    return this.#evicts;
  }

  #snapshots: Buffer[] = [];

  constructor(name: string, { isEmpty = false } = {}) {
    this.name = name;
    if (!isEmpty) this.enter();
  }

  /** One with something in it, to which reset() leads back. */
  static async filled(name: string): Promise<World> {
    const world = new World(name);
    await world.keep();
    await world.write(BEFORE as Record<string, string>);
    await world.keep();
    return world;
  }

  /** One that is full, and evicts; what the others have in it has been used. */
  static async full(name: string): Promise<World> {
    const world = await World.filled(name);
    world.#evicts = true;
    world.ctl.words[CtlHeader.eviction] = EvictionPolicy['s3-fifo'];
    const useAll = async (): Promise<void> => {
      for (let use = 0; use < MAX_USES; use++) await world.read(Object.keys(BEFORE));
    };
    await useAll();
    const counter = workerBase(world.geometry, WORKER) / 2 + WorkerRecord.evicted;
    for (let filler = 0; world.data.floats[counter] === 0; filler++) {
      await world.write({ [`filler ${filler}`]: 'f'.repeat(filler % 3 === 0 ? 5000 : 40) });
    }
    const { marksOffset, ctlBytes } = world.geometry;
    world.ctl.bytes.fill(0, marksOffset, ctlBytes);
    await useAll();
    await world.keep();
    return world;
  }

  get ctl(): SegmentViews {
    return this.region.ctl;
  }

  get data(): SegmentViews {
    return this.region.data;
  }

  get geometry(): Geometry {
    return this.region.geometry;
  }

  /** What a server does to get its region, as in server/open-region.ts. */
  claim(modules: Modules): OwnedRegion {
    const { name } = this;
    const region = modules.claimRegion({ name, shmDir: SHM_DIR, shape: SHAPE, version: '0', asked: {}, fresh: false });
    const queue = new modules.TaskQueue(region.ctl, region.geometry);
    new modules.WorkerBells(region.ctl).reset();
    if (region.origin.kind === 'taken-over') {
      modules.recoverRegion(region, queue);
    } else {
      queue.reset();
      modules.Store.format(region.data, region.geometry);
    }
    return region;
  }

  /** The server dies. */
  leave(): void {
    closeSync(this.region.ctlFd);
  }

  /** A server comes. */
  enter(): void {
    this.region = this.claim(plain);
    this.ctl.words[CtlHeader.state] = RegionState.ready;
  }

  /** The server dies and another one follows. */
  succeed(): void {
    this.leave();
    this.enter();
  }

  /** Lets more servers in a row die over the region than are allowed to. */
  forgive(): void {
    this.data.words[DataHeader.recoveries] = 0;
  }

  /** From now on reset() leads back to here. */
  async keep(): Promise<void> {
    this.#witness ??= await KvsClient.connect({ name: this.name, reads: 'server', ...PATIENCE });
    this.#snapshots = [this.ctl, this.data].map(({ bytes }) => Buffer.from(bytes));
  }

  reset(): void {
    [this.ctl, this.data].forEach(({ bytes }, index) => bytes.set(this.#snapshots[index]));
  }

  /** Executes what is in the queue, as a worker thread does. */
  serve(modules: Modules = plain): void {
    const { ctl, data, geometry } = this;
    const queue = new modules.TaskQueue(ctl, geometry);
    if (queue.isEmpty()) return;
    const eviction = this.#evicts
      ? {
          state: new modules.EvictionState(modules.EvictionState.allocate(geometry), geometry),
          marks: new modules.UseMarks(ctl, geometry),
          tell: () => {},
        }
      : undefined;
    const store = new modules.Store(data, geometry, WORKER, new modules.Pins(ctl, geometry), { eviction });
    const bells = new modules.BellRinger(ctl, geometry.clientsOffset, this.region.paths.bell);
    const executor = new modules.Executor({
      ctl,
      data,
      geometry,
      worker: WORKER,
      queue,
      workerBells: new modules.WorkerBells(ctl),
      bells,
      parked: modules.Parking.allocate(geometry.slots),
      conduct: modules.Conduct.allocate(),
      answers: modules.AnswerQuota.allocate(),
      maxAnswerChunks: geometry.arenaChunks,
      answersDurable: false,
      latency: createHistogram(),
      serve: (request) => ({
        store,
        maxValueBytes: geometry.maxValueBytes,
        batch: new modules.BatchReader(request),
        scratch: new modules.Scratch(65_536),
        askForSnapshot: () => 0,
        statistics: () => {
          throw new Error('not asked for here');
        },
      }),
      onFailure(operation, error) {
        throw new Error(`${operation} failed`, { cause: error });
      },
    });
    const expirer = store.startExpiry({ from: 0, to: 0 });
    for (let slot = queue.dequeue(); slot >= 0; slot = queue.dequeue()) executor.run(slot);
    while (expirer.work(2));
    bells.flush();
    executor.rest();
    bells.close();
  }

  /** What the server does about dead clients. */
  reap(modules: Modules = plain): void {
    const reaper = new modules.Reaper(this.region, new modules.Conduct(modules.Conduct.allocate()), () => {});
    reaper.reap(clientsInUse(this.region));
    reaper.sweepChunks();
    reaper.sweepPins();
  }

  /** Takes every request that waits, and does nothing about it. */
  beginAll(): void {
    const table = new SlotTable(this.ctl, this.geometry);
    for (let slot = 0; slot < table.count; slot++) table.begin(slot);
  }

  /** Takes all slots. @returns what gives them back */
  occupySlots(): () => void {
    const { ctl, geometry } = this;
    const table = new SlotTable(ctl, geometry);
    const words = Array.from({ length: table.count }, (_, slot) => table.claim(slot, clientsInUse(this.region)[0]));
    return () => {
      for (const [slot, word] of words.entries()) if (word !== 0) table.release(slot, word);
      const bells = new plain.BellRinger(ctl, geometry.clientsOffset, this.region.paths.bell);
      bells.wakeOneStarving(0);
      bells.close();
    };
  }

  /** Sets hints right, as the server does: twice, requests that have waited for a whole round are queued again. */
  sweep(): void {
    const { ctl, geometry, region } = this;
    const bells = new plain.BellRinger(ctl, geometry.clientsOffset, region.paths.bell);
    const sweeper = new plain.Sweeper(region, new plain.TaskQueue(ctl, geometry), new plain.WorkerBells(ctl), bells);
    const clients = new plain.ClientList(region).refresh();
    for (let round = 0; round < 2; round++) sweeper.sweep(clients);
    bells.close();
  }

  /** Sets right after a worker thread that has died. */
  recoverWorker(): void {
    const { ctl, data, geometry, region } = this;
    const bells = new plain.BellRinger(ctl, geometry.clientsOffset, region.paths.bell);
    const queue = new plain.TaskQueue(ctl, geometry);
    new plain.WorkerRecovery(ctl, data, geometry, queue, bells, new plain.WorkerBells(ctl)).recover(WORKER);
    bells.close();
    this.sweep();
  }

  /** The result of a living client's call, which the server executes meanwhile. */
  async ask<R>(work: Promise<R>): Promise<R> {
    return (await this.pump(work, undefined, () => false)) as R;
  }

  /** The same for one that may die: undefined then. */
  async pump<R>(work: Promise<R>, serve = () => this.serve(), isDead = () => life.isDead): Promise<R | undefined> {
    let isSettled = false;
    const settled = work.then(
      (value) => ({ value }),
      (error: unknown) => ({ error }),
    );
    void settled.then(() => (isSettled = true));
    for (;;) {
      await nextTurn();
      if (isSettled) break;
      if (isDead()) return undefined;
      serve();
    }
    const outcome = await settled;
    if ('value' in outcome) return outcome.value;
    if (outcome.error instanceof Death) return undefined;
    throw outcome.error;
  }

  /** Lets what comes from the counted build live for `limit` steps from now. */
  async live<R>(limit: number, act: () => R | Promise<R>): Promise<Lived<R>> {
    begin(limit);
    let result: R | undefined;
    try {
      result = await act();
    } catch (error) {
      // The dead may catch their Death, and throw something else because of it.
      if (!life.isDead) throw error;
    }
    return this.#end(result);
  }

  /** Lets the dead come to their end, and gives back what the kernel takes from them. */
  async #end<R>(result: R | undefined): Promise<Lived<R>> {
    const { isDead, count } = life;
    life.isDead = true;
    for (let turn = 0; turn < 3; turn++) await nextTurn();
    for (const bell of held.bells) bell.close();
    for (const fd of held.fds) closeSync(fd);
    held.bells.clear();
    held.fds.clear();
    return { isDead, steps: Math.min(count, life.limit), result };
  }

  /** Goes on with the life that is being lived, for `limit` steps from now. */
  extend(limit: number): void {
    Object.assign(life, { count: 0, limit });
  }

  /** By a client that lives: the values of keys. */
  async read(keys: readonly string[]): Promise<Record<string, string | undefined>> {
    const client = this.#witness;
    if (client === undefined) throw new KvsError('ERR_KVS_CLOSED', 'keep() comes first');
    const values = await this.ask(client.mget(keys));
    return Object.fromEntries(keys.map((key, index) => [key, values[index]]));
  }

  async write(entries: Readonly<Record<string, string>>): Promise<void> {
    await this.ask(this.witness.mset(entries));
  }

  get witness(): KvsClient {
    if (this.#witness === undefined) throw new Error('keep() comes first');
    return this.#witness;
  }

  /** What is held by nobody, found by looking at everything. */
  leaks(clients = 1): Promise<string[]> {
    this.sweep();
    return findLeaks(this.name, clients);
  }

  files(): string[] {
    return readdirSync(SHM_DIR)
      .filter((file) => file.startsWith(`kvs.${this.name}.`))
      .sort();
  }

  async close(): Promise<void> {
    await this.#witness?.close();
    this.leave();
    for (const file of this.files()) rmSync(`${SHM_DIR}/${file}`);
  }
}

function begin(limit: number): void {
  Object.assign(life, { count: 0, limit, isDead: false, number: life.number + 1 });
}
