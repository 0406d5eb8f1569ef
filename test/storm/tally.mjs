/** What has been done and seen in a storm, and what of it should not have been. */
import { setTimeout } from 'node:timers/promises';

/** @import { AuditReport } from '#dist/audit/audit.js' */
/** @import { KvsClient } from '#dist/index.js' */
/** @import { Child } from './child.mjs' */
/** @import { History, Judgement } from './history.mjs' */

/**
 * @typedef {Tally['counts'] & {
 *   seed: number, keys: number, operations: number, unknown: number, refused: number, replayed: number, answered: number,
 *   restartMs: number[], reapMs: number[], faults: string[], violations: string[], lost: string[], leaks: string[],
 * }} Report
 */

/** Events of a server that no storm is to cause. */
const FAULTS = new Set(['worker-died', 'request-failed', 'region-replaced', 'drain-timeout']);
/** Long after everything should have been found and freed. */
const LEAK_AFTER_MS = 180_000;

export class Tally {
  counts = {
    clientKills: 0,
    clientStops: 0,
    serverKills: 0,
    /** Of these, in the middle of a request for certain. */
    killsAtWork: 0,
    serverStops: 0,
    serverStarts: 0,
    restarts: 0,
    handOvers: 0,
    keeps: 0,
  };
  /** From the start of a process to its first answer. @type {number[]} */
  restartMs = [];
  /** From a client's death to its slots being free. @type {Map<number, { killedAt: bigint, freeAt: bigint }>} */
  #deaths = new Map();
  #replayed = 0;
  #answered = 0;
  /** @type {string[]} */
  faults = [];
  /** @type {string[]} */
  leaks = [];
  /** @type {Set<Child>} */
  #alive = new Set();

  /** @param {keyof Tally['counts']} what @param {number} by */
  count(what, by) {
    this.counts[what] += by;
  }

  /** @param {Child} child */
  begin(child) {
    this.#alive.add(child);
    void child.ended.then((how) => {
      this.#alive.delete(child);
      if (!child.isCondemned) this.faults.push(`ended by itself: ${how}`);
    });
  }

  /** @param {Child} child */
  isAlive(child) {
    return this.#alive.has(child);
  }

  /** @param {Child} client */
  killed(client) {
    this.#deaths.set(client.pid, { killedAt: process.hrtime.bigint(), freeAt: 0n });
  }

  /** @param {{ type: string, [field: string]: unknown }} event @param {string} at */
  serverEvent(event, at) {
    if (event.type === 'client-reaped') {
      const death = this.#deaths.get(Number(event['pid']));
      if (death !== undefined) death.freeAt = BigInt(at);
    } else if (event.type === 'recovered') {
      this.#replayed += Number(event['replayed']);
      this.#answered += Number(event['answered']);
      if (event['dropped'] !== 0 || event['refused'] !== 0) this.faults.push(JSON.stringify(event));
    } else if (FAULTS.has(event.type) && !(event.type === 'region-replaced' && this.counts.serverStarts === 1)) {
      this.faults.push(JSON.stringify(event));
    }
  }

  /** All other clients are gone: nothing of them may stay. @param {KvsClient} client */
  async findLeaks(client) {
    const giveUpAt = performance.now() + LEAK_AFTER_MS;
    for (;;) {
      const { slots, memory, clients } = await client.stats();
      if (slots.inUse === 1 && memory.arenaUsedBytes === 0 && clients === 1) return;
      if (performance.now() > giveUpAt) {
        this.leaks.push(
          `${slots.inUse - 1} slots, ${memory.arenaUsedBytes} bytes of the arena, ${clients - 1} clients`,
        );
        return;
      }
      await setTimeout(10);
    }
  }

  /** @param {string} when @param {AuditReport} report */
  audited(when, { findings, more }) {
    const wrong = findings.filter(({ severity }) => severity !== 'busy');
    this.leaks.push(...wrong.map((finding) => `${when}: ${JSON.stringify(finding)}`));
    if (more > 0) this.leaks.push(`${when}: ${more} more findings`);
  }

  /** @param {number} seed @param {History} history @param {Judgement} judgement @returns {Report} */
  report(seed, history, { violations, lost }) {
    const reaped = [...this.#deaths.values()].filter(({ freeAt }) => freeAt > 0n);
    return {
      seed,
      ...this.counts,
      keys: history.keys.size,
      operations: history.operations,
      unknown: history.unknown,
      refused: history.refused,
      replayed: this.#replayed,
      answered: this.#answered,
      restartMs: this.restartMs,
      reapMs: reaped.map(({ killedAt, freeAt }) => Number(freeAt - killedAt) / 1e6),
      faults: [...this.faults, ...history.faults],
      violations,
      lost,
      leaks: this.leaks,
    };
  }
}
