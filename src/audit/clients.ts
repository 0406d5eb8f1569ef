/** Leases, records of clients, and pins: who is there, who has died and is not cleared away, and who only seems to be. */
import { clientBase } from '../memory/client-lease.js';
import { PINNERS_BYTES, PINS_PER_CLIENT } from '../memory/heap-layout.js';
import { CLIENT_LEASE_BYTE, ClientRecord, CtlHeader, DataHeader, MAX_CLIENTS, RegionState } from '../memory/layout.js';
import { MAX_RECOVERIES } from '../memory/region-claim.js';
import { load } from '../memory/words.js';
import { native } from '../native.js';
import type { HeapMap } from './heap-map.js';
import { hex, type Look } from './look.js';

export interface ClientTotals {
  /** They hold their leases. */
  readonly live: number;
  /** Dead, and not cleared away. */
  readonly dead: number;
  readonly pins: number;
}

export class Clients {
  readonly #look: Look;
  readonly #isLive = new Uint8Array(MAX_CLIENTS);
  readonly #isInUse = new Uint8Array(MAX_CLIENTS);
  #pins = 0;

  constructor(look: Look) {
    this.#look = look;
    for (let client = 0; client < MAX_CLIENTS; client++) this.#ask(client);
    if (look.isServed) this.#auditCount();
  }

  /** Whether somebody will free what the client holds: itself, or the server once it has died. */
  has(client: number): boolean {
    return client < MAX_CLIENTS && (this.#isLive[client] !== 0 || this.#isInUse[client] !== 0);
  }

  totals(): ClientTotals {
    let live = 0;
    let dead = 0;
    for (let client = 0; client < MAX_CLIENTS; client++) {
      if (this.#isLive[client] !== 0) live++;
      else if (this.#isInUse[client] !== 0) dead++;
    }
    return { live, dead, pins: this.#pins };
  }

  #ask(client: number): void {
    const { region, ctl, suspects } = this.#look;
    const base = clientBase(region, client);
    const inUse = load(ctl.words, base + ClientRecord.inUse);
    // After the record: who has ended meanwhile is not taken for dead.
    const isLive = native.isByteLocked(region.ctlFd, CLIENT_LEASE_BYTE + client);
    const isInUse = load(ctl.words, base + ClientRecord.inUse) !== 0;
    this.#isLive[client] = isLive ? 1 : 0;
    this.#isInUse[client] = isInUse ? 1 : 0;
    const where = `client ${client}`;
    const pid = ctl.words[base + ClientRecord.pid];
    if ((inUse !== 0 && inUse !== 1) || (isLive && !isInUse)) {
      suspects.add('client-record', where, `inUse ${inUse}, its lease is ${isLive ? 'held' : 'free'}`);
    } else if (isInUse && !isLive) suspects.add('client-dead', where, `process ${pid}`);
    if (!isInUse) return;
    for (const flag of ['armed', 'starving'] as const) {
      const value = load(ctl.words, base + ClientRecord[flag]);
      if (value !== 0 && value !== 1) suspects.add('client-flag', where, `${flag} ${value}`);
    }
  }

  #auditCount(): void {
    const { ctl, suspects } = this.#look;
    const counted = this.#isInUse.reduce((sum, isInUse) => sum + isInUse, 0);
    const said = load(ctl.words, CtlHeader.clients);
    if (counted !== said) suspects.add('client-count', 'header', `says ${said}, there are ${counted}`);
  }

  /** Looks at all pins. @param heap what they may name */
  auditPins(heap: HeapMap): void {
    const { ctl, geometry } = this.#look;
    const pinners = geometry.pinsOffset / 4;
    const rows = pinners + PINNERS_BYTES / 4;
    for (let client = 0; client < MAX_CLIENTS; client++) {
      const row = rows + client * PINS_PER_CLIENT;
      let held = 0;
      for (let at = row; at < row + PINS_PER_CLIENT; at++) {
        const granule = load(ctl.words, at);
        if (granule === 0) continue;
        held++;
        this.#auditPin(client, at - row, granule, heap);
      }
      this.#pins += held;
      const bits = load(ctl.words, pinners + (client >> 5));
      this.#auditBit(client, (bits & (1 << (client & 31))) !== 0, held);
    }
  }

  #auditPin(client: number, index: number, granule: number, heap: HeapMap): void {
    const where = `client ${client}, pin ${index}`;
    if (!this.has(client)) this.#look.suspects.add('pin-of-nobody', where, `granule ${granule}`);
    else if (!heap.isLargeBlock(granule)) this.#look.suspects.add('pin-astray', where, `granule ${granule}`);
  }

  #auditBit(client: number, isMarked: boolean, held: number): void {
    const { suspects } = this.#look;
    if (isMarked && !this.has(client)) suspects.add('pin-marked', `client ${client}`, `holds ${held} pins`);
    if (!isMarked && held > 0 && this.has(client))
      suspects.add('pin-unmarked', `client ${client}`, `holds ${held} pins`);
  }
}

/** Looks at what only the server writes in the ctl header, and at what says which workers are awake. */
export function auditHeader({ ctl, data, geometry, suspects }: Look): void {
  const state = load(ctl.words, CtlHeader.state);
  if (!Object.values<number>(RegionState).includes(state)) suspects.add('header-state', 'header', `state ${state}`);
  const recoveries = load(data.words, DataHeader.recoveries);
  if (recoveries < 0 || recoveries > MAX_RECOVERIES) suspects.add('header-recoveries', 'header', `${recoveries}`);
  const others = geometry.workers === 32 ? 0 : -1 << geometry.workers;
  for (const bits of ['awake', 'asleep'] as const) {
    const word = load(ctl.words, CtlHeader[bits]);
    if ((word & others) !== 0) suspects.add('header-workers', 'header', `${bits} ${hex(word)}`);
  }
}
