/**
 * Wakes clients. Those whose event loops sleep have a doorbell, a FIFO per client index, opened at the first ring; rings
 * are collected and written in one go, at most one per client and batch. Used by workers, the server's sweeper, and
 * clients that give up a slot others wait for.
 */
import { closeSync, constants, fstatSync, openSync } from 'node:fs';

import { native } from '../native.js';
import { ClientRecord, CtlHeader, MAX_CLIENTS } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { add, cas, load } from '../memory/words.js';

const FLAGS = constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;

export class BellRinger {
  readonly #words: Int32Array;
  readonly #firstClient: number;
  readonly #pathOf: (client: number) => string;
  readonly #fds = new Int32Array(MAX_CLIENTS).fill(-1);
  readonly #isPending = new Uint8Array(MAX_CLIENTS);
  readonly #pending = new Int32Array(MAX_CLIENTS);
  #count = 0;

  constructor(ctl: SegmentViews, clientsOffset: number, pathOf: (client: number) => string) {
    this.#words = ctl.words;
    this.#firstClient = clientsOffset / 4;
    this.#pathOf = pathOf;
  }

  /** Notes that something has completed for a client. SYNC: after its slot is DONE; pairs with the client's arming. */
  note(client: number): void {
    if (this.#isPending[client] !== 0 || load(this.#words, this.#armedOf(client)) === 0) return;
    this.#isPending[client] = 1;
    this.#pending[this.#count++] = client;
  }

  /** Rings for all that was noted. */
  flush(): void {
    for (let i = 0; i < this.#count; i++) {
      const client = this.#pending[i];
      this.#isPending[client] = 0;
      this.ring(client);
    }
    this.#count = 0;
  }

  /** Rings a client's doorbell if it is armed. */
  ring(client: number): void {
    if (!cas(this.#words, this.#armedOf(client), 1, 0)) return;
    // A descriptor from an earlier life of the index may point to a FIFO that is gone: open once more.
    for (let attempt = 0; attempt < 2; attempt++) {
      if (this.#fds[client] < 0 && !this.#open(client)) return;
      if (this.#write(client)) return;
      closeSync(this.#fds[client]);
      this.#fds[client] = -1;
    }
  }

  /** Wakes whatever a client waits with: its blocking call for a slot, or its event loop. */
  wake(client: number): void {
    const bell = this.#recordOf(client) + ClientRecord.bell;
    add(this.#words, bell, 1);
    native.futexWake(this.#words, bell, 1);
    this.ring(client);
  }

  /** Wakes the next client after `from` that waits for a slot or for arena room. */
  wakeOneStarving(from: number): void {
    for (let i = 1; i <= MAX_CLIENTS; i++) {
      const client = (from + i) & (MAX_CLIENTS - 1);
      const starving = this.#recordOf(client) + ClientRecord.starving;
      if (load(this.#words, starving) === 0 || !cas(this.#words, starving, 1, 0)) continue;
      add(this.#words, CtlHeader.starving, -1);
      this.wake(client);
      return;
    }
  }

  #write(client: number): boolean {
    try {
      return native.ringDoorbell(this.#fds[client]);
    } catch {
      return false; // Nobody can read it any more.
    }
  }

  #open(client: number): boolean {
    try {
      const fd = openSync(this.#pathOf(client), FLAGS);
      // Whatever else somebody has put there is not written to.
      if (fstatSync(fd).isFIFO()) this.#fds[client] = fd;
      else closeSync(fd);
      return this.#fds[client] >= 0;
    } catch {
      return false; // No such client any more, or no descriptors left: its own timer finds the answer.
    }
  }

  close(): void {
    for (const fd of this.#fds) if (fd >= 0) closeSync(fd);
    this.#fds.fill(-1);
  }

  #armedOf(client: number): number {
    return this.#recordOf(client) + ClientRecord.armed;
  }

  #recordOf(client: number): number {
    return this.#firstClient + (client * ClientRecord.sizeBytes) / 4;
  }
}
