/** Bytes that arrive in pieces, taken by length or by line. Pieces are joined once, when all of them are there. */
export class ByteStream {
  /** @type {Buffer[]} */
  #pieces = [];
  #bytes = 0;
  /** @type {Buffer} */
  #head = Buffer.alloc(0);
  #start = 0;
  #needed = 0;

  /** @param {Buffer} piece */
  push(piece) {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
  }

  /** Bytes that are here. */
  get available() {
    return this.#head.length - this.#start + this.#bytes;
  }

  /** Makes at least `count` bytes contiguous. @param {number} count @returns {boolean} whether they are here */
  #gather(count) {
    if (this.#head.length - this.#start >= count) return true;
    this.#needed = count;
    if (this.available < count) return false;
    const rest = this.#head.subarray(this.#start);
    this.#head =
      rest.length === 0 && this.#pieces.length === 1 ? this.#pieces[0] : Buffer.concat([rest, ...this.#pieces]);
    this.#start = 0;
    this.#pieces = [];
    this.#bytes = 0;
    return true;
  }

  /** Whether as many bytes are here as the last call that found too few asked for. */
  get mayHaveMore() {
    return this.available >= this.#needed;
  }

  /** @param {number} offset from the next byte @returns {number | undefined} */
  peekUint32(offset = 0) {
    return this.#gather(offset + 4) ? this.#head.readUInt32LE(this.#start + offset) : undefined;
  }

  /** The next bytes, valid until the next push(). @param {number} count @returns {Buffer | undefined} */
  take(count) {
    if (!this.#gather(count)) return undefined;
    this.#start += count;
    return this.#head.subarray(this.#start - count, this.#start);
  }

  /** The next line without its CR LF, without taking it. @returns {string | undefined} */
  peekLine() {
    if (!this.#gather(Math.max(1, Math.min(this.available, 512)))) return undefined;
    const end = this.#head.indexOf('\r\n', this.#start, 'latin1');
    if (end < 0 && this.#bytes > 0) {
      this.#gather(this.available);
      return this.peekLine();
    }
    if (end >= 0) return this.#head.toString('latin1', this.#start, end);
    this.#needed = this.available + 1;
    return undefined;
  }
}
