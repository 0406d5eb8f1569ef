/** What a log costs: sets with a log in each mode beside sets without, Redis with its own, and a bare append to the disk. */
import { recordBytes } from '../../dist/log/record.js';
import { bareAppends, diskFolder } from '../machine/disk.mjs';
import { durablePeers } from '../peers/durable.mjs';
import { compare, runnersOf, startCrews, stopCrews } from './measure.mjs';

/** @import { Mode } from '../workload/plan.mjs' */
/** @import { Crew } from '../workload/crew.mjs' */
/** @import { Context, Section } from './context.mjs' */
/** @import { Runner } from './measure.mjs' */

const ROUNDS = 9;
const KEY_BYTES = 16;
const VALUE_BYTES = 64;
const KEYS = 100_000;

/** @param {Crew} crew */
const isAlways = (crew) => crew.peer.id.endsWith('always');

/** @param {Context} context */
async function run(context) {
  const { isQuick } = context;
  const folder = diskFolder();
  const load = { valueBytes: VALUE_BYTES, keyCount: isQuick ? KEYS / 50 : KEYS };
  /** @type {Crew[]} */
  let crews = [];
  try {
    crews = await startCrews({ ...context, folder: folder.path }, durablePeers, { kind: 'string', load, clients: 1 });
    const ms = isQuick ? 40 : 250;
    const bare = bareAppends(folder.path, { bytes: recordBytes(KEY_BYTES, VALUE_BYTES), ms });
    await context.quiet.wait('durability', isQuick ? 0 : 20_000);
    /** @type {(crew: Crew) => Mode} */
    const oneByOne = (crew) => (crew.modes.has('blocking') ? 'blocking' : 'awaited');
    const works = [
      { work: 'set, in flight', modeOf: () => /** @type {const} */ ('in flight'), some: crews, more: [] },
      { work: 'set, one at a time', modeOf: oneByOne, some: crews.filter((crew) => !isAlways(crew)), more: [] },
      { work: 'set, one at a time, durable', modeOf: oneByOne, some: crews.filter(isAlways), more: [bare] },
    ];
    for (const { work, modeOf, some, more } of works) {
      /** @type {Runner[]} */
      const runners = [...more];
      for (const crew of some) {
        const workload = { writeShare: 1, keys: /** @type {const} */ ('uniform'), kind: crew.kind, ...load };
        runners.push(...(await runnersOf([crew], { ...workload, mode: modeOf(crew) }, { ms, timedMs: ms / 2 })));
      }
      await compare(context, runners, { section: 'durability', work, rounds: isQuick ? 2 : ROUNDS });
    }
    bare.close();
    context.quiet.conclude('durability');
  } finally {
    await stopCrews(crews);
    folder.remove();
  }
}

/** @type {Section} */
export const durability = { id: 'durability', title: 'sets with a log, beside Redis and a bare fdatasync', run };
