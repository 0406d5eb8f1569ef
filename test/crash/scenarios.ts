/** What clients may be doing when they die: calls one after the other, each with what the store holds after it. */
import { setImmediate as nextTurn } from 'node:timers/promises';

import type { KvsClient, KvsError, View } from '#dist/index.js';

import type { World } from './world.js';

export type Contents = Readonly<Record<string, string | undefined>>;

export interface Step {
  readonly run: (client: KvsClient, world: World) => Promise<unknown>;
  /** What it changes; a list: it may also stop after any of these. */
  readonly effect?: Contents | readonly Contents[];
  /** What it comes to. */
  readonly answer?: unknown;
  /** What may have happened although it had no effect in the end: its client died before it took it back. */
  readonly otherwise?: Contents;
  /** The server does nothing meanwhile. */
  readonly isUnserved?: true;
}

export interface ClientScenario {
  readonly name: string;
  readonly reads?: 'direct' | 'server';
  /** Whether its death may come while it connects, too. */
  readonly connects?: boolean;
  readonly steps: readonly Step[];
  /** The server has died, too. */
  readonly isSucceeded?: true;
}

/** How a call ended. */
export const codeOf = (work: PromiseLike<unknown>): Promise<string> =>
  Promise.resolve(work).then(
    () => 'done',
    (error: KvsError) => `${error.code} ${error.executed}`,
  );

/** A request that is taken back: by cancel(), or by its deadline. */
async function cancelled(client: KvsClient, world: World, value: string, isBegun: boolean): Promise<unknown> {
  const task = client.submit('set', 'a', value);
  if (isBegun) world.beginAll();
  task.cancel();
  return codeOf(task);
}

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const found: T[] = [];
  for await (const item of items) found.push(item);
  return found;
}

/** What views were held by the dead: if they were collected, they would be released. */
const views: View[] = [];

async function view(client: KvsClient, world: World): Promise<unknown> {
  const held = await client.getView('d');
  if (held === undefined) return 'nothing';
  views.push(held);
  await world.ask(world.witness.del('d'));
  const isWhole = held.bytes.toString() === HUGE;
  held.release();
  return isWhole && !held.isCopy;
}

/** Waits for a slot: none is free for a while. */
async function starving(client: KvsClient, world: World): Promise<unknown> {
  const free = world.occupySlots();
  const work = client.set('a', 'patient');
  for (let turn = 0; turn < 3; turn++) await nextTurn();
  free();
  return work;
}

const HOUR = 3_600_000;
export const LARGE = 'L'.repeat(5000);
export const HUGE = 'H'.repeat(30_000);
/** What the store holds before. */
export const BEFORE: Contents = { a: '1', b: 'two', c: 'x'.repeat(3000), d: HUGE };
export const KEYS = ['a', 'b', 'c', 'd', 'new', 'm1', 'm2', 'm3'];

export const CLIENT_SCENARIOS: readonly ClientScenario[] = [
  { name: 'attach and close', connects: true, steps: [{ run: (client) => client.close() }] },
  {
    name: 'attach with direct reads',
    connects: true,
    reads: 'direct',
    steps: [{ run: (client) => client.get('a'), answer: '1' }],
  },
  { name: 'set', steps: [{ run: (client) => client.set('a', 'new'), effect: { a: 'new' }, answer: true }] },
  {
    name: 'set, in extents of the arena',
    steps: [
      { run: (client) => client.set('a', LARGE), effect: { a: LARGE }, answer: true },
      { run: (client) => client.set('new', HUGE), effect: { new: HUGE }, answer: true },
    ],
  },
  {
    name: 'get',
    steps: [
      { run: (client) => client.get('a'), answer: '1' },
      { run: (client) => client.get('d'), answer: HUGE },
      { run: (client) => client.get('none'), answer: undefined },
    ],
  },
  {
    name: 'post',
    steps: [
      { run: (client) => client.post('new', 'won'), effect: { new: 'won' }, answer: true },
      { run: (client) => client.post('new', 'lost'), answer: false },
    ],
  },
  {
    name: 'del and getdel',
    steps: [
      { run: (client) => client.del('b'), effect: { b: undefined }, answer: true },
      { run: (client) => client.getdel('d'), effect: { d: undefined }, answer: HUGE },
    ],
  },
  {
    name: 'incr',
    steps: [
      { run: (client) => client.incr('a', 41), effect: { a: '42' }, answer: 42 },
      { run: (client) => client.incr('new'), effect: { new: '1' }, answer: 1 },
    ],
  },
  {
    name: 'expiry',
    steps: [
      { run: (client) => client.set('a', 'new', { ttlMs: HOUR }), effect: { a: 'new' }, answer: true },
      { run: (client) => client.expire('c', HOUR), answer: true },
      { run: (client) => client.persist('c'), answer: true },
      { run: (client) => client.set('a', '7', { keepTtl: true }), effect: { a: '7' }, answer: true },
      { run: (client) => client.incr('a'), effect: { a: '8' }, answer: 8 },
    ],
  },
  {
    name: 'removal of what has expired',
    steps: [
      { run: (client) => client.expire('d', { expiresAt: 0 }), effect: { d: undefined }, answer: true },
      {
        // The second finds what the first has left.
        run: (client) => Promise.all([client.set('a', LARGE, { expiresAt: 0 }), client.post('a', 'again')]),
        effect: [{ a: undefined }, { a: 'again' }],
        answer: [true, true],
      },
      {
        run: (client) => client.mset({ m1: 'one', m2: LARGE }, { expiresAt: 0 }),
        effect: {},
      },
    ],
  },
  {
    name: 'cas',
    steps: [{ run: (client) => client.cas('new', 0, 'swapped'), effect: { new: 'swapped' }, answer: true }],
  },
  {
    name: 'mset',
    steps: [
      {
        run: (client) => client.mset({ m1: 'one', m2: LARGE, m3: 'three' }),
        effect: [{ m1: 'one' }, { m1: 'one', m2: LARGE }, { m1: 'one', m2: LARGE, m3: 'three' }],
      },
    ],
  },
  { name: 'mget', steps: [{ run: (client) => client.mget(['a', 'none', 'd']), answer: ['1', undefined, HUGE] }] },
  {
    name: 'mdel',
    steps: [
      {
        run: (client) => client.mdel(['a', 'none', 'd']),
        effect: [{ a: undefined }, { a: undefined, d: undefined }],
        answer: 2,
      },
    ],
  },
  {
    name: 'cancel',
    steps: [
      {
        run: (client, world) => cancelled(client, world, 'never', false),
        answer: 'ERR_KVS_ABORTED no',
        otherwise: { a: 'never' },
        isUnserved: true,
      },
      {
        run: (client, world) => cancelled(client, world, LARGE, false),
        answer: 'ERR_KVS_ABORTED no',
        otherwise: { a: LARGE },
        isUnserved: true,
      },
    ],
  },
  {
    name: 'cancel of what is being executed',
    isSucceeded: true,
    steps: [
      {
        run: (client, world) => cancelled(client, world, LARGE, true),
        answer: 'ERR_KVS_ABORTED unknown',
        otherwise: { a: LARGE },
        isUnserved: true,
      },
    ],
  },
  {
    name: 'timeout',
    steps: [
      {
        run: (client) => codeOf(client.set('a', LARGE, { timeoutMs: 1 })),
        answer: 'ERR_KVS_TIMEOUT no',
        otherwise: { a: LARGE },
        isUnserved: true,
      },
    ],
  },
  {
    name: 'view of a value that is deleted',
    reads: 'direct',
    steps: [{ run: view, effect: { d: undefined }, answer: true }],
  },
  { name: 'wait for a slot', steps: [{ run: starving, effect: { a: 'patient' }, answer: true }] },
  { name: 'keys', steps: [{ run: async (client) => (await all(client.keys())).sort().join(), answer: 'a,b,c,d' }] },
  {
    name: 'many at once',
    steps: [
      {
        run: (client) =>
          Promise.all([client.incr('a'), client.set('b', LARGE), client.incr('a'), client.get('b'), client.del('c')]),
        answer: [2, true, 3, LARGE, true],
        effect: [{ a: '2' }, { a: '2', b: LARGE }, { a: '3', b: LARGE }, { a: '3', b: LARGE, c: undefined }],
      },
    ],
  },
];

/** Calls that block: only with a server elsewhere. */
export const BLOCKING: readonly ClientScenario[] = [
  {
    name: 'blocking calls',
    steps: [
      { run: async (client) => client.setSync('a', LARGE), effect: { a: LARGE } },
      { run: async (client) => client.getSync('d') },
      { run: async (client) => client.incrSync('new'), effect: { new: '1' } },
      { run: async (client) => client.delSync('b'), effect: { b: undefined } },
    ],
  },
  {
    name: 'a blocking batch',
    steps: [
      {
        run: async (client) => client.mdelSync(['a', 'd']),
        effect: [{ a: undefined }, { a: undefined, d: undefined }],
      },
    ],
  },
];
