/** Goes through the crash points that its options ask for, and says how many deaths of which kind all was well after. */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

import { life } from './builds.js';
import {
  clientPoint,
  EXECUTED,
  type Point,
  reaperPoint,
  recoveryPoint,
  serverPoint,
  startPoint,
  threadPoint,
} from './in-place.js';
import { Killing } from './killed.js';
import { BLOCKING, CLIENT_SCENARIOS } from './scenarios.js';
import { World } from './world.js';

const { values: options } = parseArgs({
  options: {
    /** Of the names of the points. */
    only: { type: 'string', default: '' },
    /** The whole of one name. */
    is: { type: 'string' },
    /** The first step to die in front of. */
    from: { type: 'string', default: '0' },
    /** Of so many steps, one is died in front of; `seed` says which. */
    every: { type: 'string', default: '1' },
    seed: { type: 'string', default: '0' },
    /** The same for deaths of processes; 0: none. */
    kills: { type: 'string', default: '1' },
    /** Of the kinds of deaths by SIGKILL, one in so many. */
    share: { type: 'string', default: '1' },
    /** Steps that change nothing are left out: memory is the same before and after them. */
    writes: { type: 'boolean', default: false },
    stack: { type: 'boolean', default: false },
    /** Where to write the counts, too. */
    json: { type: 'string' },
    /** Of the region's name. */
    run: { type: 'string', default: 'alone' },
  },
});

interface Plan {
  readonly name: string;
  readonly point: (world: World) => Point;
  readonly isKill: boolean;
  /** In a store that is full, and evicts. */
  readonly isFull?: boolean;
  /** Of steps that are made again and again, so many are one. */
  readonly stride?: number;
}

const name = (what: string) => `t-${options.run}-${process.pid}-crash-${what}`;
const killing = new Killing(options.writes);
const first = EXECUTED.filter(({ name: it }) =>
  ['set, in extents of the arena', 'incr', 'mset', 'del and getdel'].includes(it),
);
const evicting = EXECUTED.filter(({ name: it }) => ['set, in extents of the arena', 'mset'].includes(it));
/** A walk over all buckets. */
const strideOf = (it: string): number => (it === 'keys' ? 101 : 1);

function inPlace(): Plan[] {
  const plans: Plan[] = [];
  const add = (role: string, point: Plan['point'], stride = 1) =>
    plans.push({ name: role, point, isKill: false, stride });
  for (const scenario of CLIENT_SCENARIOS) {
    add(`client, ${scenario.name}, reaped first`, (world) => clientPoint(world, scenario, true));
    add(`client, ${scenario.name}`, (world) => clientPoint(world, scenario, false));
    for (const earlier of [9, 20, 30, 44]) {
      if (!scenario.connects)
        add(`reaper, of ${scenario.name} at ${earlier}`, (world) => reaperPoint(world, scenario, earlier));
    }
  }
  for (const scenario of EXECUTED) {
    const stride = strideOf(scenario.name);
    add(`server, ${scenario.name}`, (world) => serverPoint(world, scenario), stride);
    if (scenario.name !== 'many at once')
      add(`worker thread, ${scenario.name}`, (world) => threadPoint(world, scenario), stride);
    for (const earlier of [10, 25, 50]) {
      add(`recovery, of ${scenario.name} at ${earlier}`, (world) => recoveryPoint(world, scenario, earlier), 7);
    }
    add(`recovery of a recovery, of ${scenario.name}`, (world) => recoveryPoint(world, scenario, 35, 2), 13);
  }
  for (const scenario of evicting) {
    const add = (role: string, point: Plan['point'], stride: number) =>
      plans.push({ name: `${role}, evicting, ${scenario.name}`, point, isKill: false, isFull: true, stride });
    add('server', (world) => serverPoint(world, scenario), 101);
    add('worker thread', (world) => threadPoint(world, scenario), 71);
  }
  add('start', () => startPoint(name('start')));
  return plans;
}

function byKills(): Plan[] {
  const plans: Plan[] = [];
  const add = (role: string, point: Plan['point'], stride = 1) =>
    plans.push({ name: `SIGKILL of ${role}`, point, isKill: true, stride });
  for (const scenario of [...EXECUTED, ...CLIENT_SCENARIOS.filter(({ connects }) => connects), ...BLOCKING]) {
    add(`a client, ${scenario.name}`, (world) => killing.client(world, scenario));
  }
  for (const scenario of first) {
    add(`a server that recovers, ${scenario.name}`, (world) => killing.server(world, scenario, false));
    add(`a server by its worker, ${scenario.name}`, (world) => killing.server(world, scenario, true));
  }
  add('a server that starts', () => killing.start(name('started')));
  for (const how of ['stopping', 'leaving'] as const) add(`a server, ${how}`, () => killing.end(name(how), how));
  add('a server that takes over', (world) => killing.takeover(world));
  return plans;
}

const isShared = (_: Plan, index: number): boolean => (index + Number(options.seed)) % Number(options.share) === 0;

/** @returns how many deaths there were */
async function explore({ name: what, point, isKill, stride = 1 }: Plan, world: World): Promise<number> {
  const every = Number(isKill ? options.kills : options.every) * stride;
  const die = point(world);
  let deaths = 0;
  for (let limit = Number(options.from) + (Number(options.seed) % every); ; limit += every) {
    try {
      const { isDead } = await die(limit);
      if (!isDead) return deaths;
      deaths++;
    } catch (error) {
      throw new Error(`${what}, dead after ${limit} steps: ${(error as Error).message}`, { cause: error });
    }
    // Regions that nobody has mapped any more.
    if (deaths % 50 === 0) gc();
  }
}

life.countsLoads = !options.writes;
setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;
let worlds = 0;
let fullWorld: World | undefined;
let world = await World.filled(name(`world-${worlds++}`));
const report: Record<string, { points: number; deaths: number }> = {};
const failures: string[] = [];
try {
  const plans = [...inPlace(), ...(options.kills === '0' ? [] : byKills().filter(isShared))];
  const isAsked = (what: string) => (options.is === undefined ? what.includes(options.only) : what === options.is);
  for (const plan of plans.filter(({ name: what }) => isAsked(what))) {
    try {
      if (plan.isFull) fullWorld ??= await World.full(name(`world-${worlds++}`));
      const deaths = await explore(plan, plan.isFull ? (fullWorld ?? world) : world);
      const role = plan.name.split(',')[0];
      report[role] ??= { points: 0, deaths: 0 };
      report[role].points++;
      report[role].deaths += deaths;
      console.log(`${plan.name}: ${deaths}`);
    } catch (error) {
      failures.push((error as Error).message);
      console.log(`FAILED: ${(error as Error).message}`);
      if (options.stack) console.log((error as Error).cause);
      // What is wrong with this one is no matter of the next.
      await fullWorld?.close();
      fullWorld = undefined;
      await world.close();
      world = await World.filled(name(`world-${worlds++}`));
    }
  }
} finally {
  await fullWorld?.close();
  await world.close();
}
const count = (isKill: boolean) =>
  Object.entries(report).reduce(
    (sum, [role, { deaths }]) => sum + (role.startsWith('SIGKILL') === isKill ? deaths : 0),
    0,
  );
const counts = { inPlace: count(false), kills: count(true), failures, report };
if (options.json !== undefined) writeFileSync(options.json, JSON.stringify(counts));
console.log(JSON.stringify(counts));
process.exit(failures.length === 0 ? 0 : 1);
