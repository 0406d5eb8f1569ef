/** A client that is about to be killed: holds slots and room in the arena, as one does that is writing requests. */
import { PayloadArena } from '../../dist/exchange/payload-arena.js';
import { useOf } from '../../dist/exchange/slot-word.js';
import { SlotTable } from '../../dist/exchange/slot-table.js';
import { claimLease } from '../../dist/memory/client-lease.js';
import { CtlHeader } from '../../dist/memory/layout.js';
import { attachRegion } from '../../dist/memory/region.js';
import { add } from '../../dist/memory/words.js';

const [name = '', slots = '0'] = process.argv.slice(2);
const region = attachRegion(name, '/dev/shm');
const client = claimLease(region);
add(region.ctl.words, CtlHeader.clients, 1);
const table = new SlotTable(region.ctl, region.geometry);
const arena = new PayloadArena(region.ctl, region.geometry, client, 'requests');
for (let slot = 0, claimed = 0; slot < table.count && claimed < Number(slots); slot++) {
  const word = table.claim(slot, client);
  if (word === 0) continue;
  arena.claim(useOf(slot, word), 1);
  claimed++;
}
process.send?.(client);
// Until it is killed.
setInterval(() => {}, 1000);
