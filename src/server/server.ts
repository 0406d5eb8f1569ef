/**
 * The server: owns a region, runs its workers and keeps house. It serves until stop(), until another server takes over,
 * or until its process dies; then the kernel frees its lease, and the next server of the name goes on with the region.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

import { KvsError } from '../errors.js';
import { AnswerQuota } from '../exchange/answer-quota.js';
import { SlotTable } from '../exchange/slot-table.js';
import { TaskQueue } from '../exchange/task-queue.js';
import { WorkerBells } from '../exchange/worker-bells.js';
import { type ClientLimits, clientLimits, writeLimits } from '../memory/client-limits.js';
import { RegionState, type RegionShape, TAKEOVER_LEASE_BYTE } from '../memory/layout.js';
import { leaveRegion, type OwnedRegion, removeRegion } from '../memory/region.js';
import { native } from '../native.js';
import { Pins } from '../memory/pins.js';
import type { KvsStatistics } from '../operation/stats.js';
import { Store } from '../store/store.js';
import { BellRinger } from '../exchange/bell-ringer.js';
import { ClientList } from './client-list.js';
import { Conduct } from './conduct.js';
import { Expulsion } from './expulsion.js';
import { type EvictListener, Evictions } from './evictions.js';
import { HeaderGuard } from './header-guard.js';
import { noteUnsettled } from './late-answers.js';
import { LogBoard } from './log-board.js';
import { type OpenedRegion, openRegion } from './open-region.js';
import { type KvsServerOptions, type ResolvedServerOptions, resolveServerOptions } from './options.js';
import { Parking } from './parking.js';
import { Reaper } from './reaper.js';
import { WorkerRecovery } from './recovery.js';
import { ServerLog } from './server-log.js';
import { SlotMender } from './slot-mender.js';
import { StatisticsReader } from './statistics.js';
import { Sweeper } from './sweeper.js';
import { WorkerPool } from './worker-pool.js';

const ROUND_MS = 50;
/** The same while nobody asks for anything: every wake-up of an idle process costs more than what it does. */
const IDLE_ROUND_MS = 500;
/** At least that long between two looks at leases, and between two looks for orphaned chunks. */
const REAP_MS = 90;
const SWEEP_CHUNKS_MS = 2000;
const DRAIN_LOOK_MS = 2;
const JOIN_TIMEOUT_MS = 5000;

/** KvsServer.start() with a pool whose first thread may boot already: for kvs-server, not for users of the package. */
export let startWith: (pool: WorkerPool, options: KvsServerOptions) => Promise<KvsServer>;

export class KvsServer {
  readonly name: string;
  readonly #options: ResolvedServerOptions;
  readonly #region: OwnedRegion;
  readonly #pool: WorkerPool;
  readonly #recovery: WorkerRecovery;
  readonly #store: Store;
  readonly #statistics: StatisticsReader;
  readonly #sweeper: Sweeper;
  readonly #reaper: Reaper;
  readonly #mender: SlotMender;
  readonly #expulsion: Expulsion;
  readonly #conduct = Conduct.allocate();
  readonly #board = LogBoard.allocate();
  readonly #parked: SharedArrayBuffer;
  readonly #log: ServerLog | undefined;
  readonly #limits: ClientLimits;
  readonly #clients: ClientList;
  readonly #evictions: Evictions;
  readonly #header: HeaderGuard;
  readonly #bells: BellRinger;
  #reapAt = 0;
  #sweepChunksAt = 0;
  #timer: NodeJS.Timeout | undefined;
  #stopped: Promise<void> | undefined;
  /** Resolves when it has stopped, by stop() or because another server has asked for the region. */
  readonly ended: Promise<void>;
  #end!: (stopped: Promise<void>) => void;

  /**
   * Starts a server and resolves when it answers. It keeps the process alive until it is stopped. What a dead server of
   * the name has left, or one stopped with `keep`, is taken over: data, versions, and the requests in flight.
   * @throws TypeError for wrong options; KvsError ERR_KVS_ALREADY_RUNNING (with the other's `pid`), ERR_KVS_NO_SPACE,
   * ERR_KVS_SHM_DIR, ERR_KVS_NOT_OURS; with `takeover` also ERR_KVS_LAYOUT, with `dir` the ERR_KVS_LOG errors
   */
  static start(options: KvsServerOptions): Promise<KvsServer> {
    return startWith(new WorkerPool(), options);
  }

  static {
    startWith = async (pool, options) => {
      const resolved = resolveServerOptions(options);
      let opened: OpenedRegion;
      try {
        opened = await openRegion(resolved, () => pool.boot(resolved.shape.workers, resolved.onEvent));
      } catch (error) {
        pool.dismiss();
        await pool.join(0);
        throw error;
      }
      const { region } = opened;
      const server = new KvsServer(resolved, opened, pool);
      try {
        await Promise.all([server.#serve(opened.mayExpire), server.#log?.start()]);
      } catch (cause) {
        await server.stop({ keep: region.origin.kind === 'taken-over' });
        if (cause instanceof KvsError) throw cause;
        throw new KvsError('ERR_KVS_INTERNAL', 'the worker threads of the server could not be started', { cause });
      }
      server.#open();
      return server;
    };
  }

  private constructor(options: ResolvedServerOptions, { region, log }: OpenedRegion, pool: WorkerPool) {
    const { ctl, data, geometry, paths } = region;
    const { name } = options;
    this.name = name;
    this.#options = options;
    this.#region = region;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#parked = Parking.allocate(geometry.slots);
    this.#limits = clientLimits(geometry, options.maxSlotsPerClient, options.maxArenaPerClient);
    writeLimits(ctl, this.#limits);
    this.#evictions = new Evictions(ctl, geometry, options.eviction);
    this.#header = new HeaderGuard(region);
    const conduct = new Conduct(this.#conduct);
    const logBoard = log === undefined ? undefined : new LogBoard(this.#board);
    const queue = new TaskQueue(ctl, geometry);
    this.#store = new Store(data, geometry, 0, new Pins(ctl, geometry));
    const workerBells = new WorkerBells(ctl);
    this.#bells = new BellRinger(ctl, geometry.clientsOffset, paths.bell);
    const { histograms } = pool;
    this.#statistics = new StatisticsReader(ctl, data, geometry, name, this.#store, histograms, conduct, logBoard);
    this.#sweeper = new Sweeper(region, queue, workerBells, this.#bells);
    this.#clients = new ClientList(region);
    this.#reaper = new Reaper(region, conduct, options.onEvent);
    this.#expulsion = new Expulsion(region, conduct, this.#limits, this.#reaper, options.onEvent);
    this.#mender = new SlotMender(region);
    if (log !== undefined && options.log !== undefined) {
      this.#log = new ServerLog(region, log, options.log, this.#board, this.#parked, options.onEvent);
    }
    const whenDurable = options.log?.sync === 'always' ? noteUnsettled(data, geometry) : undefined;
    this.#recovery = new WorkerRecovery(ctl, data, geometry, queue, this.#bells, workerBells, whenDurable);
    this.#pool = pool;
  }

  #serve(mayExpire: boolean): Promise<void> {
    const work = {
      parked: this.#parked,
      conduct: this.#conduct,
      answers: AnswerQuota.allocate(),
      maxAnswerChunks: this.#limits.chunks,
      board: this.#log === undefined ? undefined : this.#board,
      answersDurable: this.#options.log?.sync === 'always',
    };
    return this.#pool.serve(this.#region, this.#recovery, work, this.#evictions, mayExpire);
  }

  /** From here on it answers. */
  #open(): void {
    this.#header.enter(RegionState.ready);
    // Those who waited for a server while there was none.
    this.#sweeper.wakeAll(this.#clients.refresh());
    this.#keepHouse();
  }

  /** Whether it serves: from start() to stop(). */
  get isRunning(): boolean {
    return this.#stopped === undefined;
  }

  /** Keys held now; 0 once stopped. */
  get size(): number {
    return this.isRunning ? this.#store.size() : 0;
  }

  /** What it has done and holds. */
  stats(): KvsStatistics {
    return this.#statistics.read();
  }

  /**
   * Calls `listener` with the keys that were evicted, in batches and some milliseconds later. It never holds a write up: of
   * more than 8,192 keys that nobody has taken yet the rest is only counted, in `dropped`. Without listeners it costs nothing.
   */
  on(event: 'evict', listener: EvictListener): this {
    this.#evictions.add(event, listener);
    return this;
  }

  /** Calls `listener` no more. */
  off(event: 'evict', listener: EvictListener): this {
    this.#evictions.remove(event, listener);
    return this;
  }

  /** How large the region is made, which is what it was made with when it was taken over. */
  get shape(): RegionShape {
    const { slots, stripes, workers, maxValueBytes, maxMemoryBytes } = this.#region.geometry;
    return { slots, stripes, workers, maxValueBytes, maxMemoryBytes };
  }

  /**
   * Stops: refuses new requests, finishes those in flight (at most `drainTimeoutMs`), tells every client, removes the
   * region. With `keep` (by default the option of that name) it finishes what has been asked for so far and leaves the
   * region, with all that is in it, to the next server; clients wait for that one. Every call returns the same promise.
   */
  stop({ keep = this.#options.keep }: { readonly keep?: boolean } = {}): Promise<void> {
    if (this.#stopped === undefined) {
      this.#stopped = keep ? this.#leave() : this.#stop();
      this.#end(this.#stopped);
    }
    return this.#stopped;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(): Promise<void> {
    const table = new SlotTable(this.#region.ctl, this.#region.geometry);
    this.#header.enter(RegionState.stopping);
    const pending = await this.#drain(() => table.unfinished().length);
    if (pending > 0) this.#options.onEvent({ type: 'drain-timeout', pending });
    await this.#endWorkers();
    // While the files lack what was acknowledged, a server that is killed must leave a region that is taken over.
    this.#header.enter(RegionState.stopping);
    const isWritten = (await this.#log?.stop(true)) !== false;
    if (!isWritten) this.#options.onEvent({ type: 'log-not-written' });
    this.#tell(isWritten ? RegionState.stopped : RegionState.kept);
    this.#close(isWritten ? removeRegion : leaveRegion);
  }

  async #leave(): Promise<void> {
    const table = new SlotTable(this.#region.ctl, this.#region.geometry);
    const asked = table.unfinished();
    await this.#drain(() => asked.filter((use) => table.isPending(use)).length);
    await this.#endWorkers();
    await this.#log?.stop(false);
    this.#close(leaveRegion);
  }

  async #endWorkers(): Promise<void> {
    clearTimeout(this.#timer);
    this.#pool.dismiss();
    this.#tell(RegionState.kept);
    await this.#pool.join(JOIN_TIMEOUT_MS);
  }

  #tell(state: typeof RegionState.stopped | typeof RegionState.kept): void {
    this.#header.enter(state);
    this.#sweeper.wakeAll(this.#clients.refresh());
  }

  #close(giveUp: (region: OwnedRegion) => void): void {
    this.#bells.close();
    this.#log?.close();
    giveUp(this.#region);
  }

  /** @returns how many requests `countPending` still finds when the time is up */
  async #drain(countPending: () => number): Promise<number> {
    const giveUpAt = performance.now() + this.#options.drainTimeoutMs;
    for (;;) {
      const pending = countPending();
      if (pending === 0 || performance.now() >= giveUpAt) return pending;
      await delay(DRAIN_LOOK_MS);
    }
  }

  /** Another server waits for the region: leaves it. */
  #yield(): void {
    this.#options.onEvent({ type: 'takeover-requested' });
    void this.stop({ keep: true });
  }

  readonly #keepHouse = (): void => {
    const now = performance.now();
    this.#header.mend();
    if (this.isRunning && native.isByteLocked(this.#region.ctlFd, TAKEOVER_LEASE_BYTE)) this.#yield();
    const clients = this.#clients.refresh();
    const isBusy = this.#sweeper.sweep(clients);
    let freed = this.#expulsion.review(clients, this.#sweeper.held, now);
    if (now >= this.#reapAt) {
      freed += this.#reaper.reap(clients);
      this.#reapAt = now + REAP_MS;
    }
    if (now >= this.#sweepChunksAt) {
      freed += this.#mender.mend() + this.#reaper.sweepChunks();
      this.#reaper.sweepPins();
      this.#sweepChunksAt = now + SWEEP_CHUNKS_MS;
    }
    if (freed > 0) this.#sweeper.wakeStarving(clients);
    this.#log?.snapshots.look(now);
    this.#timer = setTimeout(this.#keepHouse, isBusy ? ROUND_MS : IDLE_ROUND_MS);
  };
}
