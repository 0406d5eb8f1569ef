/**
 * The ring of slot indices (exchange/task-queue.ts). Between head and tail each cell is of its position's round; from
 * the tail on each is of the round before, but for one at the tail that is written while the tail has not moved yet.
 */
import { CtlHeader, RegionState } from '../memory/layout.js';
import { load } from '../memory/words.js';
import type { FindingCode } from './findings.js';
import { hex, type Look } from './look.js';

/** Looks at a ring that is being changed. */
const TRIES = 64;

interface Seen {
  readonly slots: Set<number>;
  readonly wrong: (readonly [FindingCode, string, string])[];
}

/** @returns the slots that the ring names */
export function auditQueue(look: Look): ReadonlySet<number> {
  const { ctl, suspects, unsettled } = look;
  for (let tries = 1; ; tries++) {
    const head = load(ctl.words, CtlHeader.queueHead);
    const tail = load(ctl.words, CtlHeader.queueTail);
    const { slots, wrong } = seeRing(look, head, tail);
    // While neither moves, nothing but the cell at the tail is written.
    const isStill = load(ctl.words, CtlHeader.queueTail) === tail && load(ctl.words, CtlHeader.queueHead) === head;
    if (!isStill && tries < TRIES) continue;
    if (!isStill) unsettled.add('queue');
    // A server that starts anew empties it, step by step.
    else if (load(ctl.words, CtlHeader.state) !== RegionState.recovering) {
      for (const [what, where, detail] of wrong) suspects.add(what, where, detail);
    }
    return slots;
  }
}

function seeRing({ ctl, geometry }: Look, head: number, tail: number): Seen {
  const seen: Seen = { slots: new Set(), wrong: [] };
  const { queueCells: cells, slots } = geometry;
  const length = (tail - head) | 0;
  if (length < 0 || length > cells) {
    seen.wrong.push(['queue-position', 'queue', `head ${head}, tail ${tail}, cells ${cells}`]);
    return seen;
  }
  for (let step = 0; step < cells; step++) {
    const position = (head + step) | 0;
    const index = position & (cells - 1);
    const cell = load(ctl.words, geometry.queueOffset / 4 + index);
    const round = cell & ~(cells - 1);
    const isOfPosition = round === (position & ~(cells - 1));
    const isOfRoundBefore = ((round + cells) | 0) === (position & ~(cells - 1));
    const isFilled = step < length || (step === length && isOfPosition);
    const slot = cell & (cells - 1);
    const where = `cell ${index}`;
    if (isFilled ? !isOfPosition : !isOfRoundBefore)
      seen.wrong.push(['queue-cell', where, `says ${hex(cell)}, position ${position}`]);
    else if (!isFilled) continue;
    else if (slot >= slots) seen.wrong.push(['queue-slot', where, `names slot ${slot} of ${slots}`]);
    else seen.slots.add(slot);
  }
  return seen;
}
