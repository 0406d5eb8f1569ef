/**
 * Pins: words by which clients keep large entries of the store in place while they look at them, without the server.
 * They are hazard pointers (M. Michael, "Hazard Pointers: Safe Memory Reclamation for Lock-Free Objects", IEEE TPDS,
 * 2004): a client pins and then looks whether the entry is still published; a worker takes an entry out of the map and
 * then looks whether it is pinned. A fence between the two steps on both sides: at least one sees the other.
 * The truth is in the rows; a client's bit says that its row is worth looking at, and stands while it holds any pin.
 * Anybody can write anything here: a wrong word keeps at most one block in place, until its client goes. A dead client's
 * pins hold until the reaper has cleared them.
 */
import { PINNERS_BYTES, PINS_PER_CLIENT } from './heap-layout.js';
import { type Geometry, MAX_CLIENTS } from './layout.js';
import type { SegmentViews } from './segment.js';
import { clearBits, exchange, load, setBits, store } from './words.js';

const rowBase = ({ pinsOffset }: Geometry, client: number): number =>
  (pinsOffset + PINNERS_BYTES) / 4 + client * PINS_PER_CLIENT;

/** Looks for pins: the server's side. */
export class Pins {
  readonly #words: Int32Array;
  readonly #pinners: number;
  readonly #rows: number;
  readonly #fence = new Int32Array(new SharedArrayBuffer(4));

  constructor(ctl: SegmentViews, geometry: Geometry) {
    this.#words = ctl.words;
    this.#pinners = geometry.pinsOffset / 4;
    this.#rows = rowBase(geometry, 0);
  }

  /**
   * Whether a client holds the entry at `granule`. The map must not name it any more: who pins it from now on will see
   * that, and let go of it.
   */
  isPinned(granule: number): boolean {
    return this.#find((pinned) => pinned === granule);
  }

  /** Adds all pinned granules to `granules`; whatever garbage is pinned, too. Of entries that the map does not name. */
  collect(granules: Set<number>): void {
    this.#find((pinned) => {
      granules.add(pinned);
      return false;
    });
  }

  #find(isSought: (granule: number) => boolean): boolean {
    // SYNC: the commit that took the entry out of the map comes before the look at the pins; pairs with PinRow.pin().
    exchange(this.#fence, 0, 0);
    for (let group = 0; group < MAX_CLIENTS / 32; group++) {
      let bits = load(this.#words, this.#pinners + group);
      while (bits !== 0) {
        const client = group * 32 + 31 - Math.clz32(bits & -bits);
        bits &= bits - 1;
        const row = this.#rows + client * PINS_PER_CLIENT;
        for (let at = row; at < row + PINS_PER_CLIENT; at++) {
          const granule = load(this.#words, at);
          if (granule !== 0 && isSought(granule)) return true;
        }
      }
    }
    return false;
  }

  /** Whether a client's bit says that it holds pins. */
  isPinner(client: number): boolean {
    return (load(this.#words, this.#pinners + (client >> 5)) & (1 << (client & 31))) !== 0;
  }

  /** Takes all pins of a client away, which has ended or has just begun. */
  clear(client: number): void {
    const row = this.#rows + client * PINS_PER_CLIENT;
    for (let at = row; at < row + PINS_PER_CLIENT; at++) if (load(this.#words, at) !== 0) store(this.#words, at, 0);
    if (this.isPinner(client)) clearBits(this.#words, this.#pinners + (client >> 5), 1 << (client & 31));
  }
}

/** The pins of one client, which alone writes them: it holds the lease. */
export class PinRow {
  readonly #words: Int32Array;
  readonly #pinners: number;
  readonly #bit: number;
  readonly #row: number;
  /** Called when the last one is let go. */
  #onEmpty: (() => void) | undefined;
  /** Indices of words that are not in use; the last one is taken next. */
  readonly #free: number[] = Array.from({ length: PINS_PER_CLIENT }, (_, index) => PINS_PER_CLIENT - 1 - index);

  /** The row of a client that has just taken its lease, without any. */
  static begin(ctl: SegmentViews, geometry: Geometry, client: number): PinRow {
    new Pins(ctl, geometry).clear(client);
    return new PinRow(ctl, geometry, client);
  }

  constructor(ctl: SegmentViews, geometry: Geometry, client: number) {
    this.#words = ctl.words;
    this.#pinners = geometry.pinsOffset / 4 + (client >> 5);
    this.#bit = 1 << (client & 31);
    this.#row = rowBase(geometry, client);
  }

  get #isEmpty(): boolean {
    return this.#free.length === PINS_PER_CLIENT;
  }

  /** Calls back when no pin is left: now, if there is none. */
  whenEmpty(callback: () => void): void {
    if (this.#isEmpty) callback();
    else this.#onEmpty = callback;
  }

  /**
   * Pins an entry that was found in the map. It holds only if the entry is still there afterwards: else unpin() it.
   * @returns what to pass to unpin(); -1: all are in use
   */
  pin(granule: number): number {
    const index = this.#free.pop();
    if (index === undefined) return -1;
    if (this.#free.length === PINS_PER_CLIENT - 1) setBits(this.#words, this.#pinners, this.#bit);
    // SYNC: a fence too: the caller's look at the entry comes after it; pairs with Pins.isPinned().
    exchange(this.#words, this.#row + index, granule);
    return index;
  }

  unpin(index: number): void {
    // SYNC: whatever was read of the entry was read before.
    store(this.#words, this.#row + index, 0);
    this.#free.push(index);
    if (!this.#isEmpty) return;
    clearBits(this.#words, this.#pinners, this.#bit);
    this.#onEmpty?.();
  }
}
