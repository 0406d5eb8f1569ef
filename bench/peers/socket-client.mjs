/**
 * What clients of a peer behind a Unix socket have in common: the requests of one turn go out together, and answers come
 * back in the order of the requests.
 */
import { once } from 'node:events';
import { createConnection } from 'node:net';

import { ByteStream } from './byte-stream.mjs';
import { Outbox } from './outbox.mjs';

/** @import { Kind, Value } from './peer.mjs' */

/** What was taken from the bytes received: nothing, as they end before; a part of an answer; an answer's end. */
export const Taken = /** @type {const} */ ({ nothing: 0, part: 1, answer: 2 });

/** @template Waiter who waits for the answer to one request */
export class SocketClient {
  isPipelined = true;
  stream = new ByteStream();
  kind;
  outbox;
  #socket;
  /** In the order of the requests. @type {Waiter[]} */
  #waiting = [];
  #answered = 0;

  /**
   * @param {string} address
   * @param {Kind} kind
   */
  constructor(address, kind) {
    this.kind = kind;
    this.#socket = createConnection(address);
    this.outbox = new Outbox(this.#socket);
    this.#socket.on('data', (piece) => this.#receive(piece));
  }

  async connected() {
    await once(this.#socket, 'connect');
  }

  /**
   * @param {string} key
   * @param {Value} value
   * @returns {Promise<unknown>}
   */
  async set(key, value) {
    throw new Error(`not written: ${key}, ${value.length} bytes`);
  }

  /** @param {[string, Value][]} entries */
  async mset(entries) {
    await Promise.all(entries.map(async ([key, value]) => this.set(key, value)));
  }

  close() {
    this.#socket.destroy();
  }

  /**
   * @param {string} head
   * @param {Value} value
   * @param {string} tail
   */
  sendValue(head, value, tail = '') {
    if (typeof value === 'string') this.outbox.addText(head + value + tail);
    else {
      this.outbox.addText(head);
      this.outbox.addBytes(value);
      if (tail !== '') this.outbox.addText(tail);
    }
  }

  /** After a request was sent. @param {Waiter} waiter */
  expect(waiter) {
    this.#waiting.push(waiter);
  }

  /**
   * Takes an answer, or a part of it, from the stream, and gives it to who waits.
   * @param {Waiter} waiter
   * @returns {0 | 1 | 2} see Taken
   */
  take(waiter) {
    throw new Error(`cannot take an answer for ${String(waiter)}`);
  }

  /** @param {Buffer} piece */
  #receive(piece) {
    this.stream.push(piece);
    if (!this.stream.mayHaveMore) return;
    for (;;) {
      const taken = this.take(this.#waiting[this.#answered]);
      if (taken === Taken.nothing) break;
      if (taken === Taken.answer) this.#answered++;
    }
    if (this.#answered === this.#waiting.length) this.#waiting = [];
    else this.#waiting.splice(0, this.#answered);
    this.#answered = 0;
  }
}
