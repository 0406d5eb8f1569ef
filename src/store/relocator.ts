/** What the compactor asks of the store, which knows what is in a block. With no stripe's lock held. */
export interface Relocator {
  /** Bytes that the entry at `granule` needs; any number if it is not published. */
  bytesOf(granule: number): number;
  /**
   * Moves the entry at `from` to the block at `to`, if it is published, and then the note from `to` to `from`.
   * @returns false, with nothing changed, if the map does not name `from`, or `to` is too small after all
   */
  relocate(from: number, to: number): boolean;
  /** Takes the entry at `granule` out of the map, for good, if it is published. @returns false: it is not */
  evict(granule: number): boolean;
}
