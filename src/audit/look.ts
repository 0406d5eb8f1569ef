/** One look at a region: what all parts of the audit share. */
import type { Geometry } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import type { AuditedRegion } from './audited-region.js';
import { Suspects } from './findings.js';
import { isServerStopped } from './stopped.js';

/** Looks at words that may be in the middle of a change. */
const TRIES = 64;

export class Look {
  readonly region: AuditedRegion;
  /** Whether a server holds the region. */
  readonly isServed: boolean;
  /** Whether that server stands still: it sets nothing right. */
  readonly isStopped: boolean;
  /** Whether nobody is at work: once is enough for any look. */
  isAlone = false;
  readonly suspects = new Suspects();
  /** What was changed all the time: nothing can be said about it. */
  readonly unsettled = new Set<string>();

  constructor(region: AuditedRegion, isServed: boolean) {
    this.region = region;
    this.isServed = isServed;
    this.isStopped = isServed && isServerStopped(region);
  }

  get ctl(): SegmentViews {
    return this.region.ctl;
  }

  get data(): SegmentViews {
    return this.region.data;
  }

  get geometry(): Geometry {
    return this.region.geometry;
  }

  /**
   * Looks again and again until nothing is wrong; what is wrong every time is suspicious.
   * @param find the details of what is wrong, undefined: nothing is
   */
  always(find: () => string | undefined): string | undefined {
    let wrong = find();
    for (let tries = this.isAlone ? TRIES : 1; tries < TRIES && wrong !== undefined; tries++) wrong = find();
    return wrong;
  }
}

export const hex = (word: number): string => `0x${(word >>> 0).toString(16).padStart(8, '0')}`;
