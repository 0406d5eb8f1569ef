/**
 * A server is killed (SIGKILL) in front of each of its file operations, behind each that changes anything, and in the
 * middle of each write: of the thread that writes the log, of snapshots, of the start with its recovery, and of the stop.
 * It begins with nothing; with the files of a server killed before; or with those and the region. After each death three
 * servers go on: with the region, with the files alone, and with no more of the files than was synced. With `always` each
 * finds all that was acknowledged, in whole, and nothing that was not asked for; what one has found the next one finds,
 * too. `KVS_FILE_DEATHS=all` (`npm run test:file-deaths`) goes through all of them; here, one of each kind.
 */
import { readdirSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';

import { expect, test } from 'vitest';

import type { KvsClient } from '#dist/index.js';

import { contentsOf, contentsOfFiles, HOUR_MS, type Ledger, stateOf } from '../fixtures/log/ledger.js';
import { type Life, NOTHING, type Operation, type Origin, type Role, Scene } from '../fixtures/log/mortal-server.js';

const IS_ALL = process.env['KVS_FILE_DEATHS'] === 'all';
const CHANGES = /^(?:write|fdatasync|fsync|ftruncate|rename|unlink|open|mkdir)Sync$/;
/** Files of a log that nobody is at work on. */
const FINISHED = /^(?:lock|log-\d{16}\.kvl|snapshot-\d{16}\.kvs)$/;

type Sync = 'always' | 'everysec' | 'no';

/** Writes that a ledger is kept of. */
class Writing {
  readonly #client: KvsClient;
  readonly #ledger: Ledger;

  constructor(client: KvsClient, ledger: Ledger) {
    this.#client = client;
    this.#ledger = ledger;
  }

  /** @param changes by key; undefined: it is gone */
  async do(changes: Readonly<Record<string, string | undefined>>, call: Promise<unknown>): Promise<void> {
    const acknowledge = Object.entries(changes).map(([key, state]) => this.#ledger.begin(key, state));
    await call;
    for (const one of acknowledge) one();
    for (const key of Object.keys(changes)) {
      const entry = await this.#client.getEntry(key);
      if (entry !== undefined) this.#ledger.sawVersion(key, entry.version);
    }
  }

  set(key: string, value: string, hours?: number): Promise<void> {
    const options = hours === undefined ? {} : { ttlMs: hours * HOUR_MS };
    return this.do({ [key]: stateOf(value, hours) }, this.#client.set(key, value, options));
  }
}

/** Resolves when there is a snapshot that was begun after this call. */
async function snapshot(client: KvsClient): Promise<void> {
  const asked = await client.snapshot();
  for (;;) {
    const { log } = await client.stats();
    if ((log?.snapshotsServed ?? 0) >= asked) return;
  }
}

let lives = 0;

/** Some of everything, with segments that end and snapshots; each life writes other values. */
async function work(client: KvsClient, ledger: Ledger): Promise<void> {
  const life = `life ${lives++}`;
  const writing = new Writing(client, ledger);
  ledger.check(await contentsOf(client), 'at the start');
  await writing.set('a', `${life}, a`);
  await writing.set('large', `${life}, ${'large '.repeat(6000)}`);
  await writing.do({ [life]: 'posted' }, client.post(life, 'posted'));
  expect(await client.post(life, 'again')).toBe(false);
  await writing.do({ [life]: stateOf('posted', 1) }, client.expire(life, HOUR_MS));
  // In one batch, or in several.
  await Promise.all(['b', 'c', 'd', 'e'].map((key) => writing.set(key, `${life}, ${key}`)));
  const begun = snapshot(client);
  begun.catch(() => {});
  await writing.do({ m1: life, m2: life, m3: life }, client.mset({ m1: life, m2: life, m3: life }));
  await writing.do({ b: undefined }, client.del('b'));
  await writing.do({ c: undefined }, client.getdel('c'));
  await writing.do({ [`${life}, number`]: '42' }, client.incr(`${life}, number`, 42));
  await begun;
  await writing.do({ [life]: 'posted' }, client.persist(life));
  await writing.do({ m1: undefined, m3: undefined }, client.mdel(['m1', 'm3']));
  await writing.set('a', `${life}, a again`, 2);
  await writing.set('large', `${life}, ${'LARGE '.repeat(7000)}`);
  await writing.set('b', `${life}, b again`);
  await writing.do({ e: stateOf(`${life}, e`, 3) }, client.expire('e', 3 * HOUR_MS));
}

/** Others go on from what a life has left. */
async function checkSurvivors(scene: Scene, { ledger, durable }: Life, sync: Sync, what: string): Promise<void> {
  const mayLose = sync !== 'always';
  const [files, synced] = [scene.copyFiles(), scene.copyDurable(durable)];
  const before = ledger.copy();
  await scene.recover(scene.dir, true, async (client) => {
    before.check(await contentsOf(client), `${what}, with its region`);
  });
  for (const file of readdirSync(scene.dir)) expect(file, what).toMatch(FINISHED);
  before.check(contentsOfFiles(scene.dir).shown, `${what}, after the one with its region`);
  const { shown, version } = contentsOfFiles(synced);
  ledger.copy().check(shown, `${what}, with what was synced`, mayLose);
  if (!mayLose) expect(version, what).toBeGreaterThanOrEqual(ledger.version);
  const after = ledger.copy();
  // A server takes longer than a look.
  if (checked++ % 4 === 0) {
    await scene.recover(files, false, async (client) => {
      after.check(await contentsOf(client), `${what}, a server with its files`, mayLose);
      if (!mayLose) await after.checkVersions(client, what);
    });
  } else after.check(contentsOfFiles(files).shown, `${what}, with its files`, mayLose);
  for (const copy of [files, synced]) rmSync(dirname(copy), { recursive: true });
}

let checked = 0;

interface Death {
  readonly at: Operation;
  readonly how: string;
}

/** As $KVS_TEST_DEATH: of all operations of the role, or, where what else there is varies, of that function's. */
const pointOf = ({ at: { role, number, name, nth }, how }: Death): string =>
  `${role} ${IS_ALL ? number : `${name}:${nth}`} ${how}`;

function deathsOf(operations: readonly Operation[]): Death[] {
  return operations.flatMap((at) => {
    if (!CHANGES.test(at.name)) return [{ at, how: 'before' }];
    const parts = at.name === 'writeSync' ? ['0', '0.5', '1'] : [];
    return ['before', 'after', ...parts].map((how) => ({ at, how }));
  });
}

/** One of each kind of operation of these threads, of those that are in every life. */
function sampleOf(deaths: readonly Death[], roles: readonly Role[], sync: Sync): Death[] {
  const kinds = new Map<string, Death[]>();
  for (const death of deaths) {
    const { role, name, nth } = death.at;
    const all = deaths.filter(({ at, how }) => how === 'before' && at.role === role && at.name === name).length;
    // Where nothing waits for the disk, how much is written together varies; the first two are there in any case.
    const sure = Math.max(2, sync === 'always' ? 0.8 * all : 0);
    if (!CHANGES.test(name) || !roles.includes(role) || nth >= sure) continue;
    kinds.set(`${role} ${name}`, [...(kinds.get(`${role} ${name}`) ?? []), death]);
  }
  return [...kinds.values()].map((of, index) => of[(index * 7 + of.length - 1) % of.length]);
}

const origins = {
  nothing: async () => NOTHING,
  files: (scene: Scene, sync: Sync) => deadBefore(scene, sync, false),
  'files and region': (scene: Scene, sync: Sync) => deadBefore(scene, sync, true),
};

/** What a server has left that died while it wrote to the log, and to a snapshot. */
async function deadBefore(scene: Scene, sync: Sync, hasRegion: boolean): Promise<Origin> {
  const whole = await scene.live(NOTHING, sync, 'nobody 0 before', work);
  const writes = whole.operations.filter(({ role, name }) => role === 'log' && name === 'writeSync');
  const late = `writeSync:${Math.floor(writes.length * 0.8)} 0.5`;
  // Elsewhere how many writes there are varies; the last segment begins behind the snapshot.
  const last = whole.operations.findLast(({ role, name }) => role === 'log' && name === 'openSync');
  const life = await scene.live(NOTHING, sync, `log ${sync === 'always' ? late : `openSync:${last?.nth} after`}`, work);
  expect(life.isDead).toBe(true);
  return scene.keep(life, hasRegion);
}

test.each<{ sync: Sync; from: keyof typeof origins; roles: readonly Role[] }>([
  { sync: 'always', from: 'nothing', roles: ['log', 'snapshot'] },
  { sync: 'always', from: 'files', roles: ['main'] },
  { sync: 'always', from: 'files and region', roles: ['main'] },
  { sync: 'everysec', from: 'nothing', roles: ['log'] },
  { sync: 'no', from: 'files and region', roles: ['log'] },
])(
  '$sync, from $from: after each death everything acknowledged is there',
  async ({ sync, from, roles }) => {
    const scene = new Scene();
    const origin = await origins[from](scene, sync);
    const whole = await scene.live(origin, sync, 'nobody 0 before', work);
    expect(whole.isDead).toBe(false);
    await checkSurvivors(scene, whole, sync, 'nobody');
    const deaths = deathsOf(whole.operations);
    const chosen = IS_ALL ? deaths : sampleOf(deaths, roles, sync);
    const counts = new Map<Role | 'nobody', number>();
    for (const death of chosen) {
      const { role, name, file } = death.at;
      const life = await scene.live(origin, sync, pointOf(death), work);
      const dead = life.isDead ? role : 'nobody';
      counts.set(dead, (counts.get(dead) ?? 0) + 1);
      await checkSurvivors(scene, life, sync, `${pointOf(death)} (${name} ${file})`);
    }
    console.log(`${sync}, from ${from}: of ${deaths.length} points, deaths of`, Object.fromEntries(counts));
    // Batches and snapshots may take one operation more, or less.
    expect(counts.get('nobody') ?? 0).toBeLessThanOrEqual(chosen.length * 0.1);
    for (const role of roles) expect(counts.get(role), role).toBeGreaterThan(0);
  },
  7_200_000,
);
