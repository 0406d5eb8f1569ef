/** What a server has done and holds, gathered from shared memory by any of its threads. */
import type { RecordableHistogram } from 'node:perf_hooks';

import { PayloadArena } from '../exchange/payload-arena.js';
import { SlotTable } from '../exchange/slot-table.js';
import { SlotState } from '../exchange/slot-word.js';
import { clientsInUse } from '../memory/client-lease.js';
import { hostMs } from '../memory/clock.js';
import {
  CHUNK_BYTES,
  CtlHeader,
  EvictionPolicy,
  type Geometry,
  MAX_WORKERS,
  workerBase,
  WorkerRecord,
} from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { LogControl, LogTrouble } from '../memory/log-layout.js';
import { load } from '../memory/words.js';
import type { KvsStatistics, LatencySummary, LogStatistics } from '../operation/stats.js';
import { OPERATIONS } from '../operation/table.js';
import type { Conduct } from './conduct.js';
import { createLatencyHistogram } from './latency-histogram.js';
import { LogBoard } from './log-board.js';
import type { Store } from '../store/store.js';

const POLICIES = Object.keys(EvictionPolicy) as EvictionPolicy[];

export class StatisticsReader {
  readonly #ctl: SegmentViews;
  readonly #data: SegmentViews;
  readonly #geometry: Geometry;
  readonly #name: string;
  readonly #store: Store;
  readonly #histograms: readonly RecordableHistogram[];
  readonly #conduct: Conduct;
  readonly #board: LogBoard | undefined;

  constructor(
    ctl: SegmentViews,
    data: SegmentViews,
    geometry: Geometry,
    name: string,
    store: Store,
    histograms: readonly RecordableHistogram[],
    conduct: Conduct,
    board?: LogBoard,
  ) {
    this.#board = board;
    this.#ctl = ctl;
    this.#data = data;
    this.#geometry = geometry;
    this.#name = name;
    this.#store = store;
    this.#histograms = histograms;
    this.#conduct = conduct;
  }

  /** Workers go on meanwhile: what has gone is counted before it is looked at what is there. */
  read(): KvsStatistics {
    const { words, floats, bytes } = this.#ctl;
    const expired = this.#sum(WorkerRecord.expired);
    const evicted = this.#sum(WorkerRecord.evicted);
    const evictedBytes = this.#sum(WorkerRecord.evictedBytes);
    const usage = this.#store.usage();
    const arena = new PayloadArena(this.#ctl, this.#geometry, 0);
    return {
      name: this.#name,
      version: bytes.latin1Slice(CtlHeader.version, CtlHeader.version + 32).replace(/\0.*$/s, ''),
      pid: words[CtlHeader.serverPid],
      uptimeMs: hostMs() - floats[CtlHeader.startedAtMs],
      workers: this.#geometry.workers,
      entries: this.#store.size(),
      operations: this.#operations(),
      latencyNs: this.#latency(),
      memory: {
        totalBytes: usage.totalBytes,
        usedBytes: usage.usedBytes,
        freeBytes: usage.freeBytes,
        arenaBytes: arena.chunkCount * CHUNK_BYTES,
        arenaUsedBytes: arena.used() * CHUNK_BYTES,
        compactions: usage.compactions,
        movedBytes: usage.movedBytes,
      },
      eviction: {
        policy: POLICIES.find((policy) => EvictionPolicy[policy] === words[CtlHeader.eviction]) ?? 'none',
        evicted,
        evictedBytes,
      },
      slots: { total: this.#geometry.slots, inUse: this.#slotsInUse() },
      clients: clientsInUse({ ctl: this.#ctl, geometry: this.#geometry }).length,
      expelled: this.#conduct.totalExpelled,
      expired,
      ...(this.#board !== undefined && { log: this.#log(this.#board) }),
    };
  }

  #log(board: LogBoard): LogStatistics {
    const { Figure } = LogBoard;
    const trouble = load(this.#data.words, this.#geometry.logControlOffset / 4 + LogControl.trouble);
    return {
      sequence: board.get(Figure.sequence),
      durableSequence: board.get(Figure.durableSequence),
      bytes: board.get(Figure.bytes),
      segments: board.get(Figure.segments),
      trouble: trouble === LogTrouble.none ? 'none' : trouble === LogTrouble.full ? 'full' : 'failed',
      errors: board.errors,
      snapshots: board.get(Figure.snapshots),
      snapshotsServed: board.snapshotsServed,
      snapshotSequence: board.get(Figure.snapshotSequence),
      snapshotEntries: board.get(Figure.snapshotEntries),
      snapshotAtMs: board.get(Figure.snapshotAtMs),
      snapshotTookMs: board.get(Figure.snapshotMs),
    };
  }

  #operations(): KvsStatistics['operations'] {
    const operations: Record<string, { count: number; errors: number }> = {};
    for (const operation of OPERATIONS) {
      if (operation === undefined) continue;
      const count = this.#sum(WorkerRecord.operations + operation.opcode);
      const errors = this.#sum(WorkerRecord.errors + operation.opcode);
      if (count > 0) operations[operation.name] = { count, errors };
    }
    return operations;
  }

  #sum(float: number): number {
    let sum = 0;
    // Those of workers that earlier servers had are kept.
    for (let worker = 0; worker < MAX_WORKERS; worker++) {
      sum += this.#data.floats[workerBase(this.#geometry, worker) / 2 + float];
    }
    return sum;
  }

  #latency(): LatencySummary {
    const all = createLatencyHistogram();
    for (const histogram of this.#histograms) all.add(histogram);
    if (all.count === 0) return { count: 0, mean: 0, p50: 0, p99: 0, p999: 0, max: 0 };
    return {
      count: all.count,
      mean: Math.round(all.mean),
      p50: all.percentile(50),
      p99: all.percentile(99),
      p999: all.percentile(99.9),
      max: all.max,
    };
  }

  #slotsInUse(): number {
    return new SlotTable(this.#ctl, this.#geometry).countWhere((state) => state !== SlotState.free);
  }
}
