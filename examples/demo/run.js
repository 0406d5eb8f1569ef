/** One run of the demo: orders each phase, counts together what the clients send back, and checks what only it can see. */
import { createHistogram, performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';

import { Findings } from './checks.js';
import { phases } from './phases.js';
import { formatCount } from './screen.js';
import { CLIENTS, isRaced } from './words.js';

/** @import { KvsServer, ServerEvent } from 'shm-kvs' */
/** @import { Result } from './client.js' */
/** @import { Crew } from './crew.js' */
/** @import { Phase } from './phases.js' */
/** @import { Row, Screen } from './screen.js' */
/** @import { WordList } from './words.js' */

/** The client that is killed, in the middle of its work. */
const VICTIM = 2;
const SETTLE_MS = 20_000;

export class Run {
  #list;
  #crew;
  #screen;
  /** @type {Row[]} */
  rows = [];
  findings = new Findings();
  /** Winner of each race, by the index of the word. */
  #winners;
  /** What happened in this phase, for people. @type {string[]} */
  #notes = [];
  #reaped = 0;

  /**
   * @param {WordList} list
   * @param {Crew} crew
   * @param {Screen} screen
   */
  constructor(list, crew, screen) {
    this.#list = list;
    this.#crew = crew;
    this.#screen = screen;
    this.#winners = new Uint8Array(list.size);
    crew.onProgress = (operations) => screen.progress(operations);
    crew.onReplace = (text) => this.#notes.push(text);
  }

  /** @param {ServerEvent} event */
  notice(event) {
    if (event.type !== 'client-reaped') return this.findings.add(`unexpected event of the server: ${event.type}`);
    this.#reaped++;
    this.#notes.push(`the server found process ${event.pid} dead and took back ${event.slots} slots`);
  }

  /** @param {KvsServer} server */
  async perform(server) {
    for (const [index, phase] of phases.entries()) await this.#phase(index, phase, server);
  }

  /**
   * @param {number} index
   * @param {Phase} phase
   * @param {KvsServer} server
   */
  async #phase(index, phase, server) {
    const operations = Array.from({ length: CLIENTS }, (_, client) => phase.share(client, this.#list).length);
    this.#screen.begin(phase, sum(operations));
    const wrongBefore = this.findings.count;
    const startedAt = performance.now();
    const results = await this.#crew.perform((client) => ({
      phase: index,
      winners: this.#winners,
      hangAfter: phase.hasKill === true && client === VICTIM ? operations[client] / 2 : undefined,
    }));
    const seconds = (performance.now() - startedAt) / 1000;
    for (const { findings } of results) this.findings.include(findings);
    if (phase.hasKill === true) await this.#checkRecovery(server);
    if (phase.isRace === true) this.#settleRaces(results);
    if (phase.keysAfter !== undefined) this.#checkSize(server.size, phase.keysAfter(this.#list));
    const row = { name: phase.name, calls: phase.calls, ...summary(results), seconds };
    this.#screen.end({ ...row, wrong: this.findings.count - wrongBefore });
    this.rows.push({ ...row, wrong: this.findings.count - wrongBefore });
    for (const note of this.#notes.splice(0)) this.#screen.note(note);
  }

  /** After a client was killed, nothing of it may stay behind. @param {KvsServer} server */
  async #checkRecovery(server) {
    const giveUpAt = performance.now() + SETTLE_MS;
    for (;;) {
      const { slots, clients } = server.stats();
      if (this.#reaped === 1 && slots.inUse === 0 && clients === CLIENTS) {
        this.#notes.push(`slots in use: ${slots.inUse} of ${formatCount(slots.total)}, connected clients: ${clients}`);
        return;
      }
      if (performance.now() > giveUpAt) {
        this.findings.add(`after the kill: ${slots.inUse} slots in use, ${clients} clients, ${this.#reaped} reaped`);
        return;
      }
      await setTimeout(10);
    }
  }

  /** Each race has exactly one winner. @param {readonly Result[]} results */
  #settleRaces(results) {
    const races = this.#list.select((_writer, sequence) => isRaced(sequence));
    let decided = 0;
    for (const index of races) {
      const winners = results.flatMap(({ wins }, client) => (wins[index] === 1 ? [client] : []));
      if (winners.length === 1) decided++;
      else this.findings.add(`${this.#list.word(index)}: expected one winner, got ${winners.length}`);
      this.#winners[index] = winners[0] ?? CLIENTS;
    }
    const won = results.map(({ wins }) => formatCount(sum(wins))).join(' | ');
    this.#notes.push(
      `${formatCount(decided)} of ${formatCount(races.length)} races have one winner; by client: ${won}`,
    );
  }

  /**
   * @param {number} actual
   * @param {number} expected
   */
  #checkSize(actual, expected) {
    if (actual !== expected) this.findings.add(`expected ${expected} keys in the store, got ${actual}`);
  }
}

/** @param {readonly Result[]} results */
function summary(results) {
  const histogram = createHistogram();
  for (const { latencies } of results) for (const ns of latencies) histogram.record(Math.max(1, ns));
  const isMeasured = histogram.count > 0;
  return {
    operations: sum(results.map(({ operations }) => operations)),
    p50Ns: isMeasured ? histogram.percentile(50) : undefined,
    p99Ns: isMeasured ? histogram.percentile(99) : undefined,
  };
}

/** @param {Iterable<number>} numbers */
function sum(numbers) {
  let total = 0;
  for (const n of numbers) total += n;
  return total;
}
