/**
 * What is to be looked at when: a hierarchical timing wheel (G. Varghese, T. Lauck, "Hashed and Hierarchical Timing
 * Wheels", SOSP 1987) of items of two words, the hash of a key and a tick. Adding and taking an item cost the same
 * however many there are; 8 bytes each. Four levels of 256 lists: an item hangs at the level of the highest byte in which
 * its tick differs from the present one, and comes down a level when the present one gets there.
 * Nothing is done in one go: lists that have come due, or have to come down, are taken item by item by the owner, a
 * thread. Lists are chains of chunks, and chunks lie in segments, so that growing copies nothing.
 */

const LEVELS = 4;
const LEVEL_BITS = 8;
const LISTS = 1 << LEVEL_BITS;
const LIST_MASK = LISTS - 1;
/** Words of a chunk: the next one's number + 1, how many items it has, and those. */
const CHUNK_WORDS = 64;
const CHUNK_ITEMS = (CHUNK_WORDS - 2) / 2;
const SEGMENT_CHUNKS = 1024;
/** Beside the lists of the levels: items that are due, that have to come down, and that are looked through. */
const DUE = LEVELS * LISTS;
const FALLING = DUE + 1;
const SIFTED = DUE + 2;
const NONE = -1;

export const MAX_TICK = 2 ** 32 - 1;

export class TimingWheel {
  /** Of the item taken last. */
  hash = 0;
  tick = 0;
  #size = 0;
  #now: number;
  /** Number + 1 of the first chunk of each list. */
  readonly #heads = new Int32Array(DUE + 3);
  /** And of the last, where there is one. */
  readonly #tails = new Int32Array(DUE + 3);
  /** Bit per list of the levels: there is something in it. */
  readonly #used = new Int32Array((LEVELS * LISTS) / 32);
  #segments: Int32Array[] = [];
  #chunks = 0;
  #freeChunk = 0;
  /** The list of a level to be looked through next, NONE: there is no sift. */
  #siftAt = NONE;

  /** @param now the present tick */
  constructor(now: number) {
    this.#now = now;
  }

  /** Items. */
  get size(): number {
    return this.#size;
  }

  /** Adds an item; due at once when its tick has come. Ticks are whole numbers from 0 to MAX_TICK. */
  add(hash: number, tick: number): void {
    this.#size++;
    this.#put(this.#listOf(tick), hash, tick);
  }

  /** The present tick: all items with this or an earlier one are due. Never goes back. */
  advance(now: number): void {
    for (;;) {
      const list = this.#nextList();
      if (list === NONE || this.#tickOfList(list) > now) break;
      this.#now = this.#tickOfList(list);
      this.#move(list, list < LISTS ? DUE : FALLING);
    }
    this.#now = Math.max(this.#now, now);
  }

  /** Takes an item that is due into `hash` and `tick`. @returns false: there is none */
  takeDue(): boolean {
    if (!this.#take(DUE)) return false;
    if (--this.#size === 0) this.#shrink();
    return true;
  }

  /** Lets one item come down that has to. @returns false: there is none */
  settleOne(): boolean {
    if (!this.#take(FALLING)) return false;
    this.#put(this.#listOf(this.tick), this.hash, this.tick);
    return true;
  }

  /** Begins to look through all items. */
  beginSift(): void {
    this.#siftAt = 0;
  }

  get isSifting(): boolean {
    return this.#siftAt !== NONE;
  }

  /**
   * Takes the next item of a sift into `hash` and `tick`: add() it again if it is to stay. @returns false: that was all
   */
  takeSifted(): boolean {
    while (!this.#take(SIFTED)) {
      if (this.#siftAt === NONE) return false;
      if (this.#siftAt < DUE) this.#move(this.#siftAt++, SIFTED);
      else this.#siftAt = NONE;
    }
    this.#size--;
    return true;
  }

  /** When there is something to do next: the present tick or a later one; Infinity: never. */
  nextTick(): number {
    if (this.#heads[DUE] !== 0 || this.#heads[FALLING] !== 0) return this.#now;
    const list = this.#nextList();
    return list === NONE ? Infinity : this.#tickOfList(list);
  }

  #listOf(tick: number): number {
    if (tick <= this.#now) return DUE;
    const level = (31 - Math.clz32(tick ^ this.#now)) >> 3;
    return level * LISTS + ((tick >>> (level * LEVEL_BITS)) & LIST_MASK);
  }

  /** The list whose turn comes first: what is on a lower level comes before all that is on a higher one. */
  #nextList(): number {
    for (let level = 0; level < LEVELS; level++) {
      const first = level * LISTS + ((this.#now >>> (level * LEVEL_BITS)) & LIST_MASK) + 1;
      const list = this.#nextUsed(first, (level + 1) * LISTS);
      if (list !== NONE) return list;
    }
    return NONE;
  }

  #nextUsed(first: number, end: number): number {
    for (let list = first; list < end; list = (list | 31) + 1) {
      const bits = this.#used[list >> 5] & (-1 << (list & 31));
      if (bits !== 0) return (list & ~31) + (31 - Math.clz32(bits & -bits));
    }
    return NONE;
  }

  /** The tick at which a list's turn comes. */
  #tickOfList(list: number): number {
    const shift = (list >> LEVEL_BITS) * LEVEL_BITS;
    const above = shift + LEVEL_BITS === 32 ? 0 : (this.#now >>> (shift + LEVEL_BITS)) << (shift + LEVEL_BITS);
    return (above | ((list & LIST_MASK) << shift)) >>> 0;
  }

  /** Hangs all of one list to another. */
  #move(from: number, to: number): void {
    const first = this.#heads[from];
    if (first === 0) return;
    const last = this.#tails[from];
    this.#heads[from] = 0;
    this.#used[from >> 5] &= ~(1 << (from & 31));
    if (this.#heads[to] === 0) this.#tails[to] = last;
    else this.#chunk(last)[this.#base(last)] = this.#heads[to];
    this.#heads[to] = first;
  }

  #put(list: number, hash: number, tick: number): void {
    let head = this.#heads[list];
    if (head === 0 || this.#chunk(head)[this.#base(head) + 1] === CHUNK_ITEMS) {
      const added = this.#newChunk();
      this.#chunk(added)[this.#base(added)] = head;
      this.#chunk(added)[this.#base(added) + 1] = 0;
      if (head === 0) this.#tails[list] = added;
      this.#heads[list] = head = added;
      if (list < DUE) this.#used[list >> 5] |= 1 << (list & 31);
    }
    const chunk = this.#chunk(head);
    const base = this.#base(head);
    const at = base + 2 + 2 * chunk[base + 1]++;
    chunk[at] = hash;
    chunk[at + 1] = tick | 0;
  }

  #take(list: number): boolean {
    const head = this.#heads[list];
    if (head === 0) return false;
    const chunk = this.#chunk(head);
    const base = this.#base(head);
    const left = --chunk[base + 1];
    this.hash = chunk[base + 2 + 2 * left];
    this.tick = chunk[base + 3 + 2 * left] >>> 0;
    if (left === 0) {
      this.#heads[list] = chunk[base];
      chunk[base] = this.#freeChunk;
      this.#freeChunk = head;
    }
    return true;
  }

  #chunk(number: number): Int32Array {
    return this.#segments[((number - 1) / SEGMENT_CHUNKS) | 0];
  }

  #base(number: number): number {
    return ((number - 1) % SEGMENT_CHUNKS) * CHUNK_WORDS;
  }

  #newChunk(): number {
    const free = this.#freeChunk;
    if (free !== 0) {
      this.#freeChunk = this.#chunk(free)[this.#base(free)];
      return free;
    }
    if (this.#chunks === this.#segments.length * SEGMENT_CHUNKS) {
      this.#segments.push(new Int32Array(SEGMENT_CHUNKS * CHUNK_WORDS));
    }
    return ++this.#chunks;
  }

  /** Of a wheel without items: gives the memory back but for one segment. */
  #shrink(): void {
    if (this.#segments.length <= 1) return;
    this.#segments.length = 1;
    this.#chunks = 0;
    this.#freeChunk = 0;
  }

  /** Bytes of its lists. */
  get bytes(): number {
    return this.#segments.length * SEGMENT_CHUNKS * CHUNK_WORDS * 4;
  }
}
