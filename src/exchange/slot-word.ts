/**
 * The word that is the truth about a slot: generation (18 bits) | owner (11 bits) | state (3 bits).
 * Every step is one compare-and-swap of the whole word, so the owner is claimed in the same instant as the state, and
 * a late step of an earlier generation fails. Checked exhaustively (design models, test/model).
 */

/** FREE → BUILDING → SUBMITTED → EXECUTING → DONE → FREE of the next generation; ABANDONED: nobody waits any more. */
export const SlotState = { free: 0, building: 1, submitted: 2, executing: 3, done: 4, abandoned: 5 } as const;
export type SlotState = (typeof SlotState)[keyof typeof SlotState];

const STATE_BITS = 3;
const OWNER_BITS = 11;
const GENERATION_SHIFT = STATE_BITS + OWNER_BITS;
const STATE_MASK = (1 << STATE_BITS) - 1;
const OWNER_MASK = (1 << OWNER_BITS) - 1;
const GENERATION_MASK = (1 << (32 - GENERATION_SHIFT)) - 1;

/** Bits of a slot index in the references below. */
const SLOT_BITS = 12;
export const MAX_SLOTS = 1 << SLOT_BITS;

export const stateOf = (word: number): number => word & STATE_MASK;
export const ownerOf = (word: number): number => (word >>> STATE_BITS) & OWNER_MASK;
export const generationOf = (word: number): number => word >>> GENERATION_SHIFT;

/** The same generation and owner in another state. */
export const withState = (word: number, state: SlotState): number => (word & ~STATE_MASK) | state;

/** A free word claimed: same generation, new owner, BUILDING. */
export const claimedBy = (freeWord: number, owner: number): number =>
  (freeWord & ~((OWNER_MASK << STATE_BITS) | STATE_MASK)) | (owner << STATE_BITS) | SlotState.building;

/** FREE in the next generation, without an owner. */
export const nextFree = (word: number): number => ((generationOf(word) + 1) & GENERATION_MASK) << GENERATION_SHIFT;

/** Names one use of one slot (slot and generation) in 30 bits; never negative. */
export const useOf = (slot: number, word: number): number => (generationOf(word) << SLOT_BITS) | slot;
export const slotOfUse = (use: number): number => use & (MAX_SLOTS - 1);
export const generationOfUse = (use: number): number => use >>> SLOT_BITS;

/** Bits of a use; those above count in the word below. */
const USE_BITS = 32 - 2;
const USE_MASK = (1 << USE_BITS) - 1;
export const MAX_REPLAYS = 3;

/** `Slot.replay`: a use of the slot that a server died over, and how often. */
export const replayOf = (slot: number, word: number, replays: number): number =>
  useOf(slot, word) | (replays << USE_BITS);
/** How often a server has died over this use of the slot, by its `Slot.replay`. */
export const replaysOf = (replay: number, slot: number, word: number): number =>
  (replay & USE_MASK) === useOf(slot, word) ? replay >>> USE_BITS : 0;
export const isReplay = (replay: number, slot: number, word: number): boolean =>
  replay !== 0 && replaysOf(replay, slot, word) > 0;
