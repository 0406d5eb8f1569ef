/** Words of one cache line. */
export const LINE_WORDS = 16;

/** Memory that is read only to have it in the processor's caches: read for nothing, it might not be read at all. */
export class Fetched {
  readonly #word = new Int32Array(1);

  /** @param something of all that was read */
  keep(something: number): void {
    this.#word[0] = something;
  }
}
