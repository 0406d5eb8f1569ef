/**
 * Where one client's requests stand until they are answered: each in a slot, large ones in an extent of the arena besides.
 * Slot and extent are taken and given back together.
 */
import type { PayloadArena } from '../exchange/payload-arena.js';
import type { SlotTable } from '../exchange/slot-table.js';
import type { ClientLimits } from '../memory/client-limits.js';
import type { SegmentViews } from '../memory/segment.js';
import type { Call } from './call.js';
import { BLOCKED } from './ordering.js';
import { RequestWriter } from './request-writer.js';
import { SlotClaims } from './slot-claims.js';

export class RequestStaging {
  readonly #table: SlotTable;
  readonly #claims: SlotClaims;
  readonly #writer: RequestWriter;
  /** Whether the last call that was not staged had a slot, and no room for its payload. */
  lacksRoom = false;

  constructor(ctl: SegmentViews, table: SlotTable, arena: PayloadArena, client: number, limits: ClientLimits) {
    this.#table = table;
    this.#claims = new SlotClaims(ctl, table, client, limits.slots);
    this.#writer = new RequestWriter(ctl, arena, limits.chunks);
  }

  /**
   * Claims a slot for the call and writes its request.
   * @param after what Ordering says that it must come after
   * @returns blocked: only answers to this client's own requests will make room; starved: others have to
   * @throws what writing throws; nothing is claimed then either
   */
  stage(call: Call, after: number): 'staged' | 'blocked' | 'starved' {
    const claims = this.#claims;
    this.lacksRoom = false;
    if (after === BLOCKED || claims.isAtLimit) return 'blocked';
    const slot = claims.claim();
    if (slot < 0) return 'starved';
    call.slot = slot;
    call.word = claims.word;
    call.after = after;
    let isWritten = false;
    try {
      isWritten = this.#writer.write(call, this.#table.base(slot));
    } finally {
      if (!isWritten) this.release(call, call.word);
    }
    if (isWritten) return 'staged';
    this.lacksRoom = true;
    return this.#writer.isAtLimit ? 'blocked' : 'starved';
  }

  /** Frees the slot, from the state that `word` shows. */
  release(call: Call, word: number): void {
    this.#writer.release(call);
    this.#claims.release(call.slot, word);
  }

  /** Gives the extent back, the slot not yet. Once the call is answered. */
  freeRequest(call: Call): void {
    this.#writer.release(call);
  }

  /** Slot and extent were left to the worker of the request. */
  lost(call: Call): void {
    this.#writer.lost(call);
    this.#claims.lost();
  }
}
