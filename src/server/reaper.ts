/**
 * Frees what dead clients held. Death is proven by taking the client's lease, which the kernel gives up only when the
 * process can write no more; a stopped or slow client keeps its lease and is never touched.
 */
import { PayloadArena } from '../exchange/payload-arena.js';
import { generationOf, ownerOf, SlotState, stateOf, useOf } from '../exchange/slot-word.js';
import { SlotTable } from '../exchange/slot-table.js';
import { native } from '../native.js';
import { CLIENT_LEASE_BYTE, ClientRecord, LeaseState, MAX_CLIENTS } from '../memory/layout.js';
import { clientBase } from '../memory/client-lease.js';
import { Pins } from '../memory/pins.js';
import type { OwnedRegion } from '../memory/region.js';
import { load, store } from '../memory/words.js';
import type { Conduct } from './conduct.js';
import type { ServerEvent } from './options.js';

/** Steps of one slot before the reaper leaves it for its next round. */
const MAX_STEPS = 16;

export class Reaper {
  readonly #region: OwnedRegion;
  readonly #table: SlotTable;
  readonly #arena: PayloadArena;
  readonly #pins: Pins;
  readonly #conduct: Conduct;
  readonly #onEvent: (event: ServerEvent) => void;

  constructor(region: OwnedRegion, conduct: Conduct, onEvent: (event: ServerEvent) => void) {
    this.#region = region;
    this.#table = new SlotTable(region.ctl, region.geometry);
    this.#arena = new PayloadArena(region.ctl, region.geometry, 0);
    this.#pins = new Pins(region.ctl, region.geometry);
    this.#conduct = conduct;
    this.#onEvent = onEvent;
  }

  /** Looks at the leases of clients in use. @returns how many slots came free */
  reap(clients: readonly number[]): number {
    const { words } = this.#region.ctl;
    let freed = 0;
    for (const client of clients) {
      const base = clientBase(this.#region, client);
      if (load(words, base + ClientRecord.inUse) === 0) continue;
      const byte = CLIENT_LEASE_BYTE + client;
      if (!native.tryLockByte(this.#region.ctlFd, byte)) continue;
      const slots = this.reclaimSlots(client);
      this.#pins.clear(client);
      const pid = words[base + ClientRecord.pid];
      store(words, base + ClientRecord.armed, 0);
      store(words, base + ClientRecord.starving, 0);
      this.#conduct.forget(client);
      store(words, base + ClientRecord.inUse, LeaseState.unused);
      native.unlockByte(this.#region.ctlFd, byte);
      freed += slots;
      this.#onEvent({ type: 'client-reaped', client, pid, slots });
    }
    return freed;
  }

  /** Frees chunks whose use has ended without them: their client died between two steps. @returns how many */
  sweepChunks(): number {
    return this.#arena.releaseWhere((use, slot) => {
      if (slot >= this.#table.count) return true;
      const word = this.#table.word(slot);
      return stateOf(word) === SlotState.free || useOf(slot, word) !== use;
    });
  }

  /** Clears pins of clients that do not exist: somebody has written them there. */
  sweepPins(): void {
    const { ctl, ctlFd } = this.#region;
    for (let client = 0; client < MAX_CLIENTS; client++) {
      if (!this.#pins.isPinner(client)) continue;
      if (load(ctl.words, clientBase(this.#region, client) + ClientRecord.inUse) !== 0) continue;
      const byte = CLIENT_LEASE_BYTE + client;
      if (!native.tryLockByte(ctlFd, byte)) continue;
      this.#pins.clear(client);
      native.unlockByte(ctlFd, byte);
    }
  }

  /** Frees the slots of a client that is dead, or expelled. @returns how many */
  reclaimSlots(client: number): number {
    let slots = 0;
    for (let slot = 0; slot < this.#table.count; slot++) {
      if (ownerOf(this.#table.word(slot)) !== client) continue;
      if (this.#reclaim(slot, client)) slots++;
    }
    return slots;
  }

  /** @returns whether the slot came free; one that is executing is freed by its worker */
  #reclaim(slot: number, client: number): boolean {
    const generation = generationOf(this.#table.word(slot));
    for (let step = 0; step < MAX_STEPS; step++) {
      const word = this.#table.word(slot);
      if (ownerOf(word) !== client || generationOf(word) !== generation) return false;
      switch (stateOf(word)) {
        case SlotState.free:
        case SlotState.abandoned:
          return false;
        case SlotState.executing:
          if (this.#table.abandon(slot, word)) return false;
          break;
        case SlotState.submitted:
          // Out of the workers' reach first, so that none reads chunks that are being freed.
          this.#table.withdraw(slot, word);
          break;
        default:
          this.#arena.reclaim(useOf(slot, word));
          if (this.#table.release(slot, word)) return true;
      }
    }
    return false;
  }
}
