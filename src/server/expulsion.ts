/**
 * Decides who is expelled: whoever sends many malformed requests within a while, or holds more slots than any client of
 * ours claims. Its requests are answered with ERR_KVS_EXPELLED from then on; what it still holds after a while is taken
 * from it, also while it lives. No signal is sent and nothing is unmapped: a process that writes on into shared memory
 * can only be stopped by whoever may end it, and the log names it (docs/SECURITY.md).
 */
import { clientBase } from '../memory/client-lease.js';
import type { ClientLimits } from '../memory/client-limits.js';
import { ClientRecord, LeaseState, MAX_CLIENTS } from '../memory/layout.js';
import { hostMs } from '../memory/clock.js';
import type { OwnedRegion } from '../memory/region.js';
import { cas, load } from '../memory/words.js';
import type { Conduct } from './conduct.js';
import type { ServerEvent } from './options.js';
import type { Reaper } from './reaper.js';

/** Malformed requests within the time below. */
export const MAX_FAULTS = 16;
export const FORGIVE_MS = 10_000;
/** Rounds in a row in which a client holds too much. */
export const MAX_GREEDY_ROUNDS = 3;
/** A client of ours takes its answers, learns by them that it is expelled, and has gone by then. */
export const GRACE_MS = 2000;

type Reason = Extract<ServerEvent, { type: 'client-expelled' }>['reason'];

export class Expulsion {
  readonly #region: OwnedRegion;
  readonly #conduct: Conduct;
  readonly #limits: ClientLimits;
  readonly #reaper: Reaper;
  readonly #onEvent: (event: ServerEvent) => void;
  /** Clients of before may hold what an earlier server allowed. */
  readonly #startedAtMs = hostMs();
  readonly #greedyRounds = new Uint8Array(MAX_CLIENTS);
  /** By client: whose faults are counted; another client may have the index now. */
  readonly #blamedSince = new Float64Array(MAX_CLIENTS);
  /** When what it holds is taken from an expelled client. */
  readonly #reclaimAt = new Map<number, number>();
  #totalFaults = 0;
  #forgiveAt = 0;

  constructor(
    region: OwnedRegion,
    conduct: Conduct,
    limits: ClientLimits,
    reaper: Reaper,
    onEvent: (event: ServerEvent) => void,
  ) {
    this.#region = region;
    this.#conduct = conduct;
    this.#limits = limits;
    this.#reaper = reaper;
    this.#onEvent = onEvent;
  }

  /**
   * One round. @param clients those in use @param held slots by client @param now performance.now()
   * @returns how many slots came free
   */
  review(clients: readonly number[], held: Int32Array, now: number): number {
    const isBlamed = this.#conduct.totalFaults !== this.#totalFaults;
    this.#totalFaults = this.#conduct.totalFaults;
    // All of them: the list of those in use may be a second old.
    for (let client = 0; client < MAX_CLIENTS; client++) {
      if (isBlamed) this.#reviewFaults(client, now);
      if (held[client] > 0 || this.#greedyRounds[client] > 0) this.#reviewHeld(client, held[client], now);
    }
    for (const client of clients) this.#setMark(client);
    if (now >= this.#forgiveAt) this.#forgiveAll(now);
    return this.#reclaim(now);
  }

  #reviewFaults(client: number, now: number): void {
    const faults = this.#conduct.faultsOf(client);
    if (faults === 0) return;
    const since = this.#connectedAtMs(client);
    const isOther = this.#blamedSince[client] !== 0 && this.#blamedSince[client] !== since;
    this.#blamedSince[client] = since;
    if (isOther) this.#conduct.forgive(client);
    else if (faults >= MAX_FAULTS) this.#expel(client, 'malformed-requests', now);
  }

  #reviewHeld(client: number, held: number, now: number): void {
    const isGreedy = held > this.#limits.slots && this.#connectedAtMs(client) >= this.#startedAtMs;
    this.#greedyRounds[client] = isGreedy ? this.#greedyRounds[client] + 1 : 0;
    if (this.#greedyRounds[client] < MAX_GREEDY_ROUNDS) return;
    this.#greedyRounds[client] = 0;
    this.#expel(client, 'too-many-slots', now);
  }

  #expel(client: number, reason: Reason, now: number): void {
    if (!this.#conduct.expel(client)) return;
    const base = clientBase(this.#region, client);
    if (!cas(this.#region.ctl.words, base + ClientRecord.inUse, LeaseState.leased, LeaseState.expelled)) {
      // It has just gone; whoever has the index next did nothing.
      this.#conduct.forget(client);
      return;
    }
    this.#reclaimAt.set(client, now + GRACE_MS);
    const pid = this.#region.ctl.words[base + ClientRecord.pid];
    this.#onEvent({ type: 'client-expelled', client, pid, reason });
  }

  /** Writes again what anybody may have written there: clients do not believe it, but people do. */
  #setMark(client: number): void {
    const { words } = this.#region.ctl;
    const index = clientBase(this.#region, client) + ClientRecord.inUse;
    const mark = this.#conduct.isExpelled(client) ? LeaseState.expelled : LeaseState.leased;
    const found = load(words, index);
    if (found !== mark && found !== LeaseState.unused) cas(words, index, found, mark);
  }

  #forgiveAll(now: number): void {
    this.#forgiveAt = now + FORGIVE_MS;
    for (let client = 0; client < MAX_CLIENTS; client++) {
      if (this.#conduct.faultsOf(client) !== 0) this.#conduct.forgive(client);
      this.#blamedSince[client] = 0;
    }
  }

  #reclaim(now: number): number {
    let freed = 0;
    for (const [client, at] of this.#reclaimAt) {
      if (!this.#conduct.isExpelled(client)) this.#reclaimAt.delete(client);
      else if (now >= at) freed += this.#reaper.reclaimSlots(client);
    }
    return freed;
  }

  #connectedAtMs(client: number): number {
    const { floats } = this.#region.ctl;
    return floats[clientBase(this.#region, client) / 2 + ClientRecord.connectedAtMs];
  }
}
