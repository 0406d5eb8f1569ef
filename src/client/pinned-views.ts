/**
 * The views of one client that lie in shared memory: pins what they show, and lets go of it. A view is one ArrayBuffer,
 * which all arrays over it keep alive: when that is collected, nobody can look any more, and the pin comes back even if
 * nobody has released the view.
 */
import { markAsUntransferable } from 'node:worker_threads';

import { MIN_PINNED_BYTES } from '../memory/heap-layout.js';
import type { PinRow } from '../memory/pins.js';
import { type MappedViews, native } from '../native.js';
import type { Reader } from '../store/reader.js';
import { type Hold, View } from './view.js';

/** What a session has for views. */
export interface ViewGround {
  readonly pins: PinRow;
  /** undefined: values are copied. */
  readonly mapped: MappedViews | undefined;
}

/** Of all clients of this thread: a registry that is collected calls nobody. */
const dropped = new FinalizationRegistry<PinnedBytes>((bytes) => bytes.release());

export class PinnedViews {
  readonly #open = new Set<PinnedBytes>();
  readonly #minBytes: number;

  /** @param minBytes of values that are shown in place */
  constructor(minBytes = MIN_PINNED_BYTES) {
    this.#minBytes = minBytes;
  }

  /**
   * A view of the entry that the reader has just found, in place if that pays.
   * @returns undefined: the entry is no longer there
   */
  open(reader: Reader, { pins, mapped }: ViewGround): View | undefined {
    const { start, end, version } = reader;
    const index = mapped === undefined || end - start < this.#minBytes ? -1 : pins.pin(reader.granule);
    if (mapped === undefined || index < 0) {
      const copy = View.ofCopy(reader.bytes, start, end, version);
      return reader.isStillThere() ? copy : undefined;
    }
    // SYNC: after the pin: what is still published now is not reused; pairs with Pins.isPinned().
    if (!reader.isStillThere()) {
      pins.unpin(index);
      return undefined;
    }
    const bytes = new PinnedBytes(pins, mapped, index, this.#open);
    try {
      const buffer = native.openView(mapped, index, start, end - start);
      keepHere(buffer);
      dropped.register(buffer, bytes, bytes);
      return new View(buffer, version, bytes);
    } catch (error) {
      bytes.release();
      throw error;
    }
  }

  releaseAll(): void {
    for (const bytes of this.#open) bytes.release();
  }
}

const REFUSED: PropertyDescriptor = {
  value: () => {
    throw new TypeError('the buffer of a view cannot be transferred: its bytes are taken back on release, copy them');
  },
};
/** Node 20 has none of these. */
const TRANSFERS = Object.fromEntries(
  ['transfer', 'transferToFixedLength'].filter((name) => name in ArrayBuffer.prototype).map((name) => [name, REFUSED]),
);

/**
 * Nobody else shall have the buffer: of one that was transferred, what was collected here would be taken for unseen. To a
 * message Node 20 adds a copy instead; later ones refuse.
 */
function keepHere(buffer: ArrayBuffer): void {
  markAsUntransferable(buffer);
  Object.defineProperties(buffer, TRANSFERS);
}

class PinnedBytes implements Hold {
  readonly #pins: PinRow;
  readonly #mapped: MappedViews;
  readonly #index: number;
  readonly #open: Set<PinnedBytes>;

  constructor(pins: PinRow, mapped: MappedViews, index: number, open: Set<PinnedBytes>) {
    this.#pins = pins;
    this.#mapped = mapped;
    this.#index = index;
    this.#open = open;
    open.add(this);
  }

  get isOpen(): boolean {
    return this.#open.has(this);
  }

  release(): void {
    if (!this.#open.delete(this)) return;
    dropped.unregister(this);
    // What was transferred away all the same stays in place, and its pin keeps the lease, for as long as the process lives.
    if (native.closeView(this.#mapped, this.#index)) this.#pins.unpin(this.#index);
  }
}
