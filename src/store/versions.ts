/** Versions of entries, which rise within a stripe and are never given out twice. */
import { type Geometry, Stripe, stripeBase } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';

/** No entry of the store has, or had, a higher one; also none of those that are gone. */
export function highestVersion({ floats }: SegmentViews, geometry: Geometry): number {
  let highest = 0;
  for (let stripe = 0; stripe < geometry.stripes; stripe++) {
    highest = Math.max(highest, floats[stripeBase(geometry, stripe) / 2 + Stripe.version]);
  }
  return highest;
}
