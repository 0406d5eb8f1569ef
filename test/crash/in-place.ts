/** Deaths in place, of each role: what is done until the last step, what is done about it, and what must be so then. */
import { isDeepStrictEqual } from 'node:util';

import { life, mortal } from './builds.js';
import { BEFORE, CLIENT_SCENARIOS, type ClientScenario, codeOf, type Contents, KEYS, type Step } from './scenarios.js';
import { type Lived, PATIENCE, World } from './world.js';

/** One death (or none: it came to its end before). @throws Error when something is not as it must be */
export type Point = (limit: number) => Promise<{ readonly isDead: boolean }>;

export function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(what);
}

const show = (contents: Contents): string =>
  Object.entries(contents)
    .map(
      ([key, value]) =>
        `${key}=${value === undefined ? '-' : value.length > 12 ? `${value.slice(0, 3)}*${value.length}` : value}`,
    )
    .join(' ');

export async function expectContents(world: World, allowed: readonly Contents[]): Promise<void> {
  const found = await world.read(KEYS);
  const isGone = (key: string): boolean => world.evicts && found[key] === undefined;
  const isAllowed = allowed.some((contents) => KEYS.every((key) => found[key] === contents[key] || isGone(key)));
  must(isAllowed, `the store holds ${show(found)}, not ${allowed.map(show).join(' or ')}`);
}

export async function expectNoLeaks(world: World, clients = 1): Promise<void> {
  const leaks = await world.leaks(clients);
  must(leaks.length === 0, leaks.join('; '));
}

const effectsOf = ({ effect }: Step): readonly Contents[] =>
  (Array.isArray(effect) ? effect : [effect ?? {}]) as readonly Contents[];

/** What the store may hold when a client has been told of `acknowledged` steps and knows nothing of the next one. */
export function outcomes(steps: readonly Step[], acknowledged: number): Contents[] {
  let contents: Contents = { ...BEFORE };
  for (const step of steps.slice(0, acknowledged)) contents = { ...contents, ...effectsOf(step).at(-1) };
  const next = acknowledged < steps.length ? steps[acknowledged] : undefined;
  const later =
    next === undefined ? [] : [...effectsOf(next), ...(next.otherwise === undefined ? [] : [next.otherwise])];
  const certain = steps.slice(0, acknowledged).at(-1);
  const abandoned = String(certain?.answer).endsWith('unknown') ? [{ ...contents, ...certain?.otherwise }] : [];
  return [contents, ...abandoned, ...later.map((effect) => ({ ...contents, ...effect }))];
}

/** A client dies; its server has executed what it asked for before it is found dead, or afterwards. */
export function clientPoint(world: World, scenario: ClientScenario, isReapedFirst: boolean): Point {
  const { steps, connects, reads = 'server', isSucceeded } = scenario;
  return async (limit) => {
    world.reset();
    let acknowledged = 0;
    const lived = await world.live(connects ? limit : Infinity, async () => {
      const client = await world.pump(mortal.KvsClient.connect({ name: world.name, reads, ...PATIENCE }));
      if (client === undefined) return;
      if (!connects) world.extend(limit);
      for (const step of steps) {
        const answer = await world.pump(step.run(client, world), step.isUnserved ? () => {} : undefined);
        if (life.isDead) return;
        if ('answer' in step)
          must(isDeepStrictEqual(answer, step.answer), `${String(answer)} instead of ${String(step.answer)}`);
        acknowledged++;
      }
      await world.pump(client.close());
    });
    if (isSucceeded) world.succeed();
    await bury(world, steps, acknowledged, isReapedFirst);
    return lived;
  };
}

/** What is done about a dead client, who was told of `acknowledged` steps; and expects all to be well. */
export async function bury(
  world: World,
  steps: readonly Step[],
  acknowledged: number,
  isReapedFirst: boolean,
): Promise<void> {
  if (isReapedFirst) world.reap();
  world.serve();
  world.reap();
  world.reap();
  await expectContents(world, outcomes(steps, acknowledged));
  await expectOthersGoOn(world);
  await expectNoLeaks(world);
}

/** What a dead one had in hand would be lost, at the latest, when its place is taken. */
async function expectOthersGoOn(world: World): Promise<void> {
  const value = 'x'.repeat(4000);
  for (const key of ['later', 'and later']) await world.write({ [key]: value });
  const { later } = await world.read(['later']);
  must(later === value || (world.evicts && later === undefined), 'others cannot go on');
}

/** Whether a scenario is a matter of the server too, whoever asks. */
const isExecuted = ({ connects, reads, isSucceeded, steps, name }: ClientScenario): boolean =>
  !connects &&
  reads === undefined &&
  !isSucceeded &&
  steps.every((step) => !step.isUnserved) &&
  name !== 'wait for a slot';

export const EXECUTED = CLIENT_SCENARIOS.filter(isExecuted);

export interface Interrupted {
  /** How many steps of the scenario have been answered, and what the next one will come to. */
  readonly answered: number;
  readonly pending: Promise<unknown> | undefined;
}

/** A worker dies while it executes what a client asks for. */
async function interrupt(world: World, { steps }: ClientScenario, limit: number): Promise<Interrupted & Lived<void>> {
  let answered = 0;
  let pending: Promise<unknown> | undefined;
  const lived = await world.live(limit, async () => {
    for (const step of steps) {
      pending = step.run(world.witness, world);
      expectAnswer(
        step,
        await world.pump(
          pending,
          () => world.serve(mortal),
          () => false,
        ),
      );
      answered++;
    }
  });
  return { ...lived, answered, pending: answered < steps.length ? pending : undefined };
}

function expectAnswer(step: Step, answer: unknown): void {
  if (!('answer' in step)) return;
  must(isDeepStrictEqual(answer, step.answer), `${String(answer)} instead of ${String(step.answer)}`);
}

/** The rest of what was asked for is done as if nobody had died, and the store holds what it would hold then. */
export async function finish(
  world: World,
  { steps }: ClientScenario,
  { answered, pending }: Interrupted,
): Promise<void> {
  for (const [index, step] of steps.entries()) {
    if (index < answered) continue;
    expectAnswer(
      step,
      await world.ask(index === answered && pending !== undefined ? pending : step.run(world.witness, world)),
    );
  }
  await expectContents(world, outcomes(steps, steps.length));
  await expectOthersGoOn(world);
  await expectNoLeaks(world);
}

/** The whole server dies: the next one executes the request once, with the same answer. */
export function serverPoint(world: World, scenario: ClientScenario): Point {
  return async (limit) => {
    world.reset();
    const interrupted = await interrupt(world, scenario, limit);
    world.succeed();
    await finish(world, scenario, interrupted);
    return interrupted;
  };
}

/** Only the worker's thread dies: another one executes the request once, with the same answer. */
export function threadPoint(world: World, scenario: ClientScenario): Point {
  return async (limit) => {
    world.reset();
    const interrupted = await interrupt(world, scenario, limit);
    const { answered, pending, isDead } = interrupted;
    if (isDead) world.recoverWorker();
    if (pending !== undefined) {
      must((await world.ask(codeOf(pending))) === 'done', 'the request was not executed');
      expectAnswer(scenario.steps[answered], await pending);
    }
    // Chunks that it had claimed for an answer go with the use of its slot.
    world.reap();
    await expectContents(world, outcomes(scenario.steps, pending === undefined ? answered : answered + 1));
    await expectOthersGoOn(world);
    await expectNoLeaks(world);
    return interrupted;
  };
}

/** A server dies that was busy with what another one has left, who had died after `earlier` steps. */
export function recoveryPoint(world: World, scenario: ClientScenario, earlier: number, recoveries = 1): Point {
  return async (limit) => {
    world.reset();
    const interrupted = await interrupt(world, scenario, earlier);
    world.leave();
    let lived = await world.live(limit, () => void world.claim(mortal));
    for (let death = 1; death < recoveries && lived.isDead; death++) {
      world.forgive();
      lived = await world.live(limit, () => void world.claim(mortal));
    }
    world.enter();
    await finish(world, scenario, interrupted);
    return lived;
  };
}

/** The server dies that clears away what a dead client has left, who had died after `earlier` steps. */
export function reaperPoint(world: World, { steps, reads = 'server' }: ClientScenario, earlier: number): Point {
  return async (limit) => {
    world.reset();
    let acknowledged = 0;
    await world.live(Infinity, async () => {
      const client = await world.pump(mortal.KvsClient.connect({ name: world.name, reads, ...PATIENCE }));
      if (client === undefined) return;
      world.extend(earlier);
      for (const step of steps) {
        await world.pump(step.run(client, world), step.isUnserved ? () => {} : undefined);
        if (life.isDead) return;
        acknowledged++;
      }
    });
    const lived = await world.live(limit, () => world.reap(mortal));
    world.succeed();
    world.reap();
    world.serve();
    world.reap();
    await expectContents(world, outcomes(steps, acknowledged));
    await expectNoLeaks(world);
    return lived;
  };
}

/** A server dies before it serves a new region: the next one makes another, and nothing of the first is left. */
export function startPoint(name: string): Point {
  return async (limit) => {
    const nobody = new World(name, { isEmpty: true });
    const lived = await nobody.live(limit, () => void nobody.claim(mortal));
    const world = new World(name, { isEmpty: true });
    try {
      world.enter();
      must(world.region.origin.kind !== 'taken-over', 'a region was taken over that never served');
      await expectNoLeaks(world, 0);
      must(world.files().join() === `kvs.${name}.ctl,kvs.${name}.data`, `files are left: ${world.files().join()}`);
      return lived;
    } finally {
      await world.close();
    }
  };
}
