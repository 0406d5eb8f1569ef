/**
 * Random sequences of the commands that Redis has as well, asked of a real Redis and of a server of ours, one after the
 * other: `npm run test:differential -- --seconds 60 --seed 7`. What differs and is not in differences.mjs is a fault. Both
 * are killed from time to time, and go on from their logs (ours also from its memory); then all contents are compared, and
 * the moments at which keys expire. Ends with 0 where there is no redis-server: then nothing was compared, and it says so.
 * Seen to fail when: incr reads more digits than a number holds (as it did); SET takes over the expiry of what it replaces.
 */
import { randomInt } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

import { randomFrom } from '../storm/random.mjs';
import { askOurs, askRedis } from './commands.mjs';
import { DIFFERENCES } from './differences.mjs';
import { drawCommand, KEYS } from './draw.mjs';
import { Ours } from './ours.mjs';
import { Redis, redisVersion } from './redis.mjs';

/** @import { Args } from './commands.mjs' */
/** @import { Exchange } from './differences.mjs' */

const RESTART_AFTER = 1500;
const LOOK_AFTER = 150;
const SLACK_MS = 2;
const DOCUMENT = path.join(import.meta.dirname, '../../docs/REDIS.md');

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '30' },
    seed: { type: 'string', default: String(randomInt(2 ** 31)) },
  },
});
const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
if (!(seconds > 0) || !Number.isInteger(seed)) {
  console.error('usage: npm run test:differential -- [--seconds <number>] [--seed <whole number>]');
  process.exit(2);
}

class Comparison {
  /** @type {Record<string, number>} */
  commands = {};
  /** @type {Record<string, number>} */
  differences = {};
  restarts = 0;
  /** @type {string[]} */
  #trace = [];
  /** How far apart the moments may be that both have fixed for a key. @type {Map<string, number>} */
  #apart = new Map();
  #redis;
  #ours;

  /** @param {Redis} redis @param {Ours} ours */
  constructor(redis, ours) {
    this.#redis = redis;
    this.#ours = ours;
  }

  async start() {
    await Promise.all([this.#redis.start(), this.#ours.start()]);
  }

  /** Asks both, and compares. @param {string} name @param {Args} args */
  async ask(name, args) {
    const before = name.startsWith('INCRBY') ? await this.#textOf(String(args[0])) : null;
    this.#trace.push(`${name} ${args.map((word) => String(word).slice(0, 30)).join(' ')}`);
    const startedAt = performance.now();
    const redis = await askRedis(this.#redis, name, args);
    const ours = await askOurs(this.#ours.client, name, args);
    const tookMs = Math.ceil(performance.now() - startedAt);
    for (const key of args) this.#apart.set(String(key), Math.max(tookMs, this.#apart.get(String(key)) ?? 0));
    this.commands[name] = (this.commands[name] ?? 0) + 1;
    if (JSON.stringify(redis) === JSON.stringify(ours)) return;
    await this.#explain({ name, args, before, redis, ours });
  }

  /** @param {Exchange} exchange */
  async #explain(exchange) {
    const known = DIFFERENCES.find(({ explains }) => explains(exchange));
    const { name, args, redis, ours } = exchange;
    if (known === undefined) {
      throw new Error(`${name} ${JSON.stringify(args)}: Redis ${JSON.stringify(redis)}, ours ${JSON.stringify(ours)}`);
    }
    this.differences[known.name] = (this.differences[known.name] ?? 0) + 1;
    // From here on they are the same again.
    for (const key of args.slice(0, 1)) {
      await askRedis(this.#redis, 'DEL', [key]);
      await askOurs(this.#ours.client, 'DEL', [key]);
    }
  }

  /** @param {string} key */
  async #textOf(key) {
    const [redis, ours] = [await askRedis(this.#redis, 'GET', [key]), await askOurs(this.#ours.client, 'GET', [key])];
    if (redis !== ours) throw new Error(`GET ${key}: Redis ${JSON.stringify(redis)}, ours ${JSON.stringify(ours)}`);
    return typeof redis === 'string' ? redis : null;
  }

  /** All keys, by a walk over each; their values; and when they expire. */
  async look() {
    for (const prefix of ['', 'a:']) {
      const [redis, ours] = [await this.#scan(prefix), await this.#keys(prefix)];
      if (redis.join() !== ours.join())
        throw new Error(`keys of ${prefix}: Redis ${redis.join()}, ours ${ours.join()}`);
    }
    const live = (await this.#keys('')).length;
    const sizes = [Number(await this.#redis.call('DBSIZE')), await this.#ours.client.size()];
    // Each removes what has expired in its own time.
    if (sizes.some((size) => size < live || size > KEYS.length)) throw new Error(`sizes ${sizes.join()}, ${live} keys`);
    for (const key of KEYS) await this.#compareEntry(key);
  }

  /** @param {string} key */
  async #compareEntry(key) {
    await this.#textOf(key);
    const moment = Number(await this.#redis.call('PEXPIRETIME', key));
    const entry = await this.#ours.client.getEntry(key);
    const ours = entry === undefined ? -2 : (entry.expiresAt ?? -1);
    const apart = moment < 0 || ours < 0 ? 0 : SLACK_MS + (this.#apart.get(key) ?? 0);
    if (!(Math.abs(moment - ours) <= apart)) throw new Error(`${key} expires: Redis ${moment}, ours ${ours}`);
    const startedAt = performance.now();
    const left = [Number(await this.#redis.call('PTTL', key)), await this.#ours.client.ttl(key)];
    const ttl = left[1] === undefined ? -2 : (left[1] ?? -1);
    const slack = ttl < 0 ? 0 : apart + (performance.now() - startedAt);
    if (!(Math.abs(Number(left[0]) - ttl) <= slack)) throw new Error(`${key} is left: Redis ${left[0]}, ours ${ttl}`);
  }

  /** @param {string} prefix */
  async #scan(prefix) {
    /** @type {Set<string>} */
    const keys = new Set();
    let cursor = '0';
    do {
      const reply = await this.#redis.call('SCAN', cursor, 'MATCH', `${prefix}*`, 'COUNT', 7);
      const [next, page] = /** @type {[Buffer, Buffer[]]} */ (reply);
      cursor = next.toString();
      for (const key of page) {
        if (keys.has(key.toString())) this.differences['scan-twice'] = (this.differences['scan-twice'] ?? 0) + 1;
        keys.add(key.toString());
      }
    } while (cursor !== '0');
    return [...keys].sort();
  }

  /** @param {string} prefix */
  async #keys(prefix) {
    /** @type {string[]} */
    const keys = [];
    for await (const key of this.#ours.client.keys(prefix)) keys.push(key);
    return keys.sort();
  }

  /** @param {boolean} isLost whether our memory goes as well */
  async restart(isLost) {
    this.#trace.push(`restart${isLost ? ' from the files' : ''}`);
    await Promise.all([this.#redis.kill(), this.#ours.kill(isLost)]);
    await this.start();
    this.restarts++;
    await this.look();
  }

  async end() {
    await Promise.all([this.#redis.kill(), this.#ours.kill(true)]);
  }

  get trace() {
    return this.#trace.slice(-60).join('\n');
  }
}

/** Each known difference shows itself, and is told of. @param {Comparison} comparison */
async function showDifferences(comparison) {
  const document = readFileSync(DOCUMENT, 'utf8');
  for (const { name, cases } of DIFFERENCES) {
    if (!document.includes(`\`${name}\``)) throw new Error(`docs/REDIS.md does not tell of ${name}`);
    for (const [command, ...args] of cases) await comparison.ask(command, args);
    if (comparison.differences[name] === undefined) throw new Error(`no difference any more: ${name}`);
  }
  await comparison.ask('FLUSHALL', []);
}

const version = redisVersion();
if (version === undefined) {
  console.log('NOT RUN: there is no redis-server on the PATH (apt-get install redis-server), so nothing was compared');
  process.exit(0);
}
console.log(`seed: ${seed}, beside Redis ${version}`);
const folder = mkdtempSync(path.join(tmpdir(), 'kvs-differential-'));
const comparison = new Comparison(new Redis(folder), new Ours(path.join(folder, 'kvs')));
try {
  await comparison.start();
  await showDifferences(comparison);
  const random = randomFrom(seed);
  const endsAt = performance.now() + seconds * 1000;
  for (let step = 1; performance.now() < endsAt || comparison.restarts < 2; step++) {
    const [name, ...args] = drawCommand(random);
    await comparison.ask(name, args);
    if (step % LOOK_AFTER === 0) await comparison.look();
    if (step % RESTART_AFTER === 0) await comparison.restart(random(2) === 0);
  }
  await comparison.look();
  const { commands, differences, restarts } = comparison;
  console.log(JSON.stringify({ commands, differences, restarts }));
  console.log('no difference but the known ones');
} catch (error) {
  console.error(`${comparison.trace}\n`);
  console.error(error);
  process.exitCode = 1;
} finally {
  await comparison.end();
  rmSync(folder, { recursive: true, force: true });
}
