/**
 * The audit of a region: accounts for every client, slot, chunk, entry and block, and finds what is not in order.
 * Where nobody is at work, with no server and no client alive, one look is exact. Else things change under it: what a
 * look suspects counts only if later looks find the very same, and what a running server sets right by itself gets the
 * time that it takes for that. It writes nothing, and every walk over shared words ends, whatever they say.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

import { CtlHeader, RegionState, SERVER_LEASE_BYTE, UNIT_BYTES } from '../memory/layout.js';
import { load } from '../memory/words.js';
import { native } from '../native.js';
import { type AuditedFiles, type AuditedRegion, closeAudited, openAudited } from './audited-region.js';
import { BlockAudit, type BlockTotals } from './block-audit.js';
import { auditClasses } from './class-audit.js';
import { auditHeader, Clients, type ClientTotals } from './clients.js';
import type { Finding, Suspects } from './findings.js';
import { HeapMap } from './heap-map.js';
import { Look } from './look.js';
import { MapAudit, type MapTotals } from './map-audit.js';
import { Names } from './names.js';
import { auditQueue } from './queue.js';
import { RunAudit } from './run-audit.js';
import { type ChunkTotals, Slots, type SlotTotals } from './slots.js';
import { Workers, type WorkerTotals } from './workers.js';

/** Looks that must agree, where somebody is at work. */
const LOOKS = 4;
const PAUSE_MS = 20;
/** A server that runs has looked at everything twice by then (server/server.ts). */
const MENDING_MS = 6000;
const MENDING_PAUSE_MS = 250;

export interface AuditReport {
  readonly name: string;
  /** One of RegionState. */
  readonly state: string;
  readonly isServed: boolean;
  /** Nobody was at work: the report is exact. */
  readonly isExact: boolean;
  readonly looks: number;
  readonly findings: readonly Finding[];
  /** How many findings there are beside those listed. */
  readonly more: number;
  /** What was being changed in every look: nothing is known about it. */
  readonly unsettled: readonly string[];
  readonly clients: ClientTotals;
  readonly slots: SlotTotals;
  readonly chunks: ChunkTotals;
  readonly workers: WorkerTotals;
  readonly map: MapTotals;
  readonly heap: BlockTotals & { readonly totalBytes: number };
}

/** Whether everything is accounted for: no damage, and nothing leaked. */
export const isSound = ({ findings }: AuditReport): boolean =>
  findings.every(({ severity }) => severity === 'hint' || severity === 'busy');

/** auditRegion() by name. @throws KvsError as openAudited() */
export async function auditFiles(files: AuditedFiles, mendingMs?: number): Promise<AuditReport> {
  const region = openAudited(files);
  try {
    return await auditRegion(region, mendingMs);
  } finally {
    closeAudited(region);
  }
}

/** @param mendingMs what a running server is given to set right what it can */
async function auditRegion(region: AuditedRegion, mendingMs = MENDING_MS): Promise<AuditReport> {
  const audit = new Audit(region);
  while (audit.isOpen && audit.looks < LOOKS) await audit.lookAgain(PAUSE_MS);
  const giveUpAt = performance.now() + mendingMs;
  while (audit.isAwaited && performance.now() < giveUpAt) await audit.lookAgain(MENDING_PAUSE_MS);
  return audit.report();
}

/** Look after look: what all of them agree on. */
class Audit {
  looks = 1;
  readonly #region: AuditedRegion;
  /** There was nobody who could have changed anything during the first look: it is the only one. */
  readonly #isExact: boolean;
  #last: Seen;
  #suspects: Suspects;
  #unsettled: readonly string[];

  constructor(region: AuditedRegion) {
    this.#region = region;
    this.#last = lookAt(region);
    this.#suspects = this.#last.look.suspects;
    this.#unsettled = [...this.#last.look.unsettled];
    const isTaken = native.isByteLocked(region.ctlFd, SERVER_LEASE_BYTE);
    this.#isExact = !isTaken && this.#last.look.isAlone;
  }

  async lookAgain(pauseMs: number): Promise<void> {
    await delay(pauseMs);
    this.#last = lookAt(this.#region);
    this.looks++;
    const { suspects, unsettled } = this.#last.look;
    this.#suspects = suspects.alsoIn(this.#suspects);
    this.#unsettled = this.#unsettled.filter((part) => unsettled.has(part));
  }

  /** Whether another look can tell more. */
  get isOpen(): boolean {
    return !this.#isExact && (this.#suspects.isAnyWrong || this.#unsettled.length > 0);
  }

  /** Whether the server will set something right. */
  get isAwaited(): boolean {
    return this.#last.look.isServed && this.#suspects.isAnyMended;
  }

  report(): AuditReport {
    const { look, totals } = this.#last;
    return {
      name: this.#region.name,
      state: nameOf(load(this.#region.ctl.words, CtlHeader.state)),
      isServed: look.isServed,
      isExact: this.#isExact,
      looks: this.looks,
      findings: this.#suspects.list(),
      more: this.#suspects.more,
      unsettled: this.#unsettled,
      ...totals,
    };
  }
}

const nameOf = (state: number): string =>
  Object.entries(RegionState).find(([, value]) => value === state)?.[0] ?? `none (${state})`;

interface Seen {
  readonly look: Look;
  readonly totals: Pick<AuditReport, 'clients' | 'slots' | 'chunks' | 'workers' | 'map' | 'heap'>;
}

function lookAt(region: AuditedRegion): Seen {
  const { geometry, ctlFd } = region;
  const look = new Look(region, native.isByteLocked(ctlFd, SERVER_LEASE_BYTE));
  auditHeader(look);
  const clients = new Clients(look);
  look.isAlone = !look.isServed && clients.totals().live === 0;
  const slots = new Slots(look, clients);
  slots.auditSlots(auditQueue(look));
  slots.auditChunks();
  const heap = new HeapMap(look);
  clients.auditPins(heap);
  const names = new Names(geometry);
  const map = new MapAudit(look, heap, names);
  map.run();
  const workers = new Workers(look, heap);
  workers.auditLocks();
  workers.auditRecords(names);
  const blocks = new BlockAudit(look, heap, names, workers);
  blocks.run();
  auditClasses(look, heap);
  new RunAudit(look, heap).run();
  return {
    look,
    totals: {
      clients: clients.totals(),
      slots: slots.slots,
      chunks: slots.chunks,
      workers: workers.totals,
      map: map.totals,
      heap: { totalBytes: geometry.heapUnits * UNIT_BYTES, ...blocks.totals },
    },
  };
}
