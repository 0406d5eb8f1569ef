/**
 * How much of a region one client may hold at once, so that some is always left for others. Clients keep to what they
 * found when they attached; whoever holds more is none of ours, and the server expels it (server/expulsion.ts).
 */
import { CHUNK_BYTES, CtlHeader, type Geometry, MAX_KEY_BYTES } from './layout.js';
import type { SegmentViews } from './segment.js';

export interface ClientLimits {
  readonly slots: number;
  /** Chunks of the arena for requests, and as many for answers that wait to be taken. */
  readonly chunks: number;
}

/**
 * @param slots default: all but an eighth of them
 * @param arenaBytes default: the half of the arena that is for requests, but for room for a largest one
 */
export function clientLimits(geometry: Geometry, slots?: number, arenaBytes?: number): ClientLimits {
  const known = defaultLimits(geometry);
  const chunks = arenaBytes === undefined ? known.chunks : Math.ceil(arenaBytes / CHUNK_BYTES);
  return { slots: Math.min(slots ?? known.slots, geometry.slots), chunks: Math.min(chunks, geometry.arenaChunks) };
}

function defaultLimits({ slots, arenaChunks, maxValueBytes }: Geometry): ClientLimits {
  const largest = Math.ceil((maxValueBytes + MAX_KEY_BYTES) / CHUNK_BYTES);
  return { slots: slots - (slots >> 3), chunks: (arenaChunks >> 1) - largest };
}

/** Chunks for answers of all clients that wait to be taken: the arena but for room for two largest ones. */
export const answerChunks = (geometry: Geometry): number => 2 * defaultLimits(geometry).chunks;

export function writeLimits({ words }: SegmentViews, { slots, chunks }: ClientLimits): void {
  words[CtlHeader.maxSlotsPerClient] = slots;
  words[CtlHeader.maxChunksPerClient] = chunks;
}

/** What the header says, the default where that is impossible: anybody can write there. */
export function readLimits({ words }: SegmentViews, geometry: Geometry): ClientLimits {
  const known = defaultLimits(geometry);
  const or = (found: number, max: number, other: number): number => (found >= 1 && found <= max ? found : other);
  return {
    slots: or(words[CtlHeader.maxSlotsPerClient], geometry.slots, known.slots),
    chunks: or(words[CtlHeader.maxChunksPerClient], geometry.arenaChunks, known.chunks),
  };
}
