/** What getView() gives: the bytes of a value in shared memory, read-only, for as long as the caller wants. */
import { copyInto } from '../codec/copy.js';
import { KvsError } from '../errors.js';
import { native } from '../native.js';
import { get } from '../operation/get.js';
import type { Operation } from '../operation/operation.js';

/** What keeps a view's bytes in place. */
export interface Hold {
  readonly isOpen: boolean;
  /** Takes the bytes away from whoever still has them. Idempotent. */
  release(): void;
}

/**
 * The bytes of a value as they were when it was read: whatever becomes of the key, they do not change until the view is
 * released, by `using`, release(), or (unless they are a copy) close() of its client. Then `bytes`, and all arrays over the same buffer, are empty.
 * A view that nobody holds is released some time after.
 */
export class View {
  /** In bytes. */
  readonly length: number;
  /** As of getEntry(): what cas() compares. */
  readonly version: number;
  /** Whether the bytes are a private copy: a small value, no direct reads, or 64 open views already. */
  readonly isCopy: boolean;
  readonly #bytes: Buffer;
  readonly #hold: Hold;

  /** @internal */
  constructor(buffer: ArrayBuffer, version: number, hold?: Hold) {
    this.#bytes = Buffer.from(buffer);
    this.length = buffer.byteLength;
    this.version = version;
    this.isCopy = hold === undefined;
    this.#hold = hold ?? new OwnBuffer(buffer);
  }

  /** A view of a copy. @internal */
  static ofCopy(source: Buffer, start: number, end: number, version: number): View {
    const copy = new Uint8Array(end - start);
    copyInto(copy, 0, source, start, end);
    return new View(copy.buffer, version);
  }

  /**
   * Not to be written to: a write changes nothing that anybody else can see, and may be undone at any time.
   * @throws KvsError ERR_KVS_CLOSED after release
   */
  get bytes(): Buffer {
    if (this.#hold.isOpen) return this.#bytes;
    throw new KvsError('ERR_KVS_CLOSED', 'this view is released: copy what is needed for longer, or release it later');
  }

  get isReleased(): boolean {
    return !this.#hold.isOpen;
  }

  /** Lets the store have the memory back. Idempotent. */
  release(): void {
    this.#hold.release();
  }

  [Symbol.dispose](): void {
    this.#hold.release();
  }
}

/** A copy is taken away, too: what works with small values must not fail with large ones only. */
class OwnBuffer implements Hold {
  #buffer: ArrayBuffer | undefined;

  constructor(buffer: ArrayBuffer) {
    this.#buffer = buffer;
  }

  get isOpen(): boolean {
    return this.#buffer !== undefined;
  }

  release(): void {
    if (this.#buffer !== undefined) native.detachBuffer(this.#buffer);
    this.#buffer = undefined;
  }
}

/** GET, answered with a view of a copy. */
export const getView: Operation<View | undefined> = {
  ...get,
  decode(response) {
    if (!response.isOk) return undefined;
    return View.ofCopy(response.source, response.start, response.end, response.version);
  },
};
