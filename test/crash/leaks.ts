/** Everything in a region that nobody works on is held against everything that could hold it. */
import { PayloadArena } from '#dist/exchange/payload-arena.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { SlotState, stateOf } from '#dist/exchange/slot-word.js';
import { clientsInUse } from '#dist/memory/client-lease.js';
import { Pins } from '#dist/memory/pins.js';
import type { OwnedRegion } from '#dist/memory/region.js';

import { auditStore } from './audit.js';

/** @param clients how many there are @returns what is wrong, in words */
export function findLeaks(region: OwnedRegion, clients: number): string[] {
  const { ctl, data, geometry } = region;
  const leaks: string[] = [];
  const table = new SlotTable(ctl, geometry);
  const slots = table.countWhere((state) => state !== SlotState.free);
  if (slots > 0) {
    const states = Array.from({ length: table.count }, (_, slot) => stateOf(table.word(slot)));
    leaks.push(`${slots} slots are not free: states ${states.join(' ')}`);
  }
  const chunks = new PayloadArena(ctl, geometry, 0).used();
  if (chunks > 0) leaks.push(`${chunks} chunks of the arena are not free`);
  const found = clientsInUse(region).length;
  if (found !== clients) leaks.push(`${found} clients instead of ${clients}`);
  const pinned = new Set<number>();
  new Pins(ctl, geometry).collect(pinned);
  if (pinned.size > 0) leaks.push(`${pinned.size} pins are left`);
  try {
    auditStore(data, geometry);
  } catch (error) {
    leaks.push(`the store: ${(error as Error).message}`);
  }
  return leaks;
}
