/** What one turn of the event loop writes to a socket, gathered: text is joined, all goes out at the turn's end. */

/** @import { Socket } from 'node:net' */

export class Outbox {
  #socket;
  #text = '';
  #isScheduled = false;

  /** @param {Socket} socket */
  constructor(socket) {
    this.#socket = socket;
  }

  /** @param {string} text of one byte a character */
  addText(text) {
    this.#text += text;
    this.#schedule();
  }

  /** @param {Buffer} bytes not to be changed until they are sent */
  addBytes(bytes) {
    this.#schedule();
    this.#writeText();
    this.#socket.write(bytes);
  }

  #schedule() {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#socket.cork();
    process.nextTick(() => {
      this.#isScheduled = false;
      this.#writeText();
      this.#socket.uncork();
    });
  }

  #writeText() {
    if (this.#text === '') return;
    this.#socket.write(this.#text, 'latin1');
    this.#text = '';
  }
}
