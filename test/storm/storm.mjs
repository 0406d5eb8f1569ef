/**
 * A storm: clients at work in processes of their own, which are killed and stopped at random, as is their server, which
 * is followed by another each time. In the end everything that was told to anybody must fit together, and nothing may be
 * left over. All choices come from the seed; what the kernel does between them does not.
 */
import { statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

import { auditFiles } from '#dist/audit/audit.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { SlotState } from '#dist/exchange/slot-word.js';
import { KvsClient } from '#dist/index.js';
import { closeQuietly } from '#dist/memory/region-files.js';
import { attachRegion } from '#dist/memory/region.js';

import { Child } from './child.mjs';
import { judge, readHistory } from './history.mjs';
import { planOf } from './plan.mjs';
import { Recorder } from './recorder.mjs';
import { Tally } from './tally.mjs';
import { Workload } from './workload.mjs';

/** @import { Event, Plan } from './plan.mjs' */
/** @import { Report } from './tally.mjs' */

/**
 * @typedef {object} Options
 * @property {number} seed
 * @property {string} name of the server
 * @property {string} folder empty; the history comes to be there
 * @property {number} [clients]
 * @property {number} clientEvents
 * @property {number} serverEvents
 */

const GENERATION_MS = 1000;
const RECORD_BYTES = 60;
/** How often a server is looked for at work before it is killed idle. */
const TRIES = 200;
const SERVER = { maxMemory: 64 * 2 ** 20, maxValueBytes: 2 ** 20, slots: 128 };

/** @param {Options} options @returns {Promise<Report>} */
export async function storm(options) {
  const running = new Storm(options);
  try {
    return await running.run();
  } finally {
    await running.end();
  }
}

class Storm {
  #options;
  /** @type {Plan} */
  #plan;
  #tally = new Tally();
  #start = String(process.hrtime.bigint());
  /** @type {Child[]} */
  #clients = [];
  /** Of all lives of all clients. @type {string[]} */
  #files = [];
  /** Every process that may still be there. @type {Set<Child>} */
  #all = new Set();
  /** @type {Child | undefined} */
  #server;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#plan = planOf(options.seed, options.clients ?? 6, options);
    writeFileSync(join(options.folder, 'plan.json'), JSON.stringify({ ...options, plan: this.#plan }));
  }

  async run() {
    await this.#startServer({ fresh: true, workers: 2 });
    for (let index = 0; index < (this.#options.clients ?? 6); index++) this.#startClient(index);
    await Promise.all(this.#clients.map((client) => client.ready));
    await Promise.all([this.#befallClients(), this.#befallServer()]);
    await this.#finish();
    const history = readHistory(this.#options.folder);
    return this.#tally.report(this.#options.seed, history, judge(history));
  }

  /** Whatever happened: no process stays. */
  async end() {
    for (const child of this.#all) await child.kill();
  }

  async #befallClients() {
    for (const event of this.#plan.clients) {
      await this.#due(event);
      const victims = event.victims.filter((index) => this.#tally.isAlive(this.#clients[index]));
      if (event.kind === 'kill') await this.#killClients(victims);
      else {
        for (const index of victims) this.#clients[index].stop();
        this.#tally.count('clientStops', victims.length);
        await setTimeout(event.lastsMs);
        if (event.kind === 'stop-and-kill') await this.#killClients(victims);
        else for (const index of victims) this.#clients[index].goOn();
      }
    }
  }

  async #befallServer() {
    for (const event of this.#plan.server) {
      await this.#due(event);
      const server = /** @type {Child} */ (this.#server);
      switch (event.kind) {
        case 'stop':
          await this.#freezeServer(server, event.lastsMs);
          server.goOn();
          break;
        case 'take-over':
          await this.#takeOver(server, event);
          break;
        case 'keep':
          this.#tally.count('keeps', 1);
          await server.tell('leave');
          await server.kill();
          await this.#nextServer(event);
          break;
        case 'kill-starting':
          await this.#killServer(server);
          await this.#killStarting(event);
          await this.#nextServer(event);
          break;
        case 'stop-and-kill':
          await this.#freezeServer(server, event.lastsMs);
          await this.#killServer(server);
          await this.#nextServer(event);
          break;
        case 'kill-with-clients':
          await Promise.all([this.#killServer(server), this.#killClients(event.victims)]);
          await this.#nextServer(event);
          break;
        case 'kill-at-work':
          await this.#catchAtWork(server);
          await this.#killServer(server);
          await this.#nextServer(event);
          break;
        case 'kill':
          await this.#killServer(server);
          await this.#nextServer(event);
          break;
      }
    }
  }

  /** Waits for the event's time: after so much has been done, never after so much time alone. @param {Event<string>} event */
  async #due({ progress, pauseMs }) {
    const goal = this.#recorded() + progress * RECORD_BYTES;
    while (this.#recorded() < goal) await setTimeout(2);
    await setTimeout(pauseMs);
  }

  #recorded() {
    return this.#files.reduce((sum, file) => sum + (statSync(file, { throwIfNoEntry: false })?.size ?? 0), 0);
  }

  /** @param {number} index */
  #startClient(index) {
    const { name, seed, folder } = this.#options;
    const writer = this.#files.length + 1;
    const file = join(folder, `client-${index}-${writer}.log`);
    const orders = { name, file, start: this.#start, writer, seed: seed + writer, generationMs: GENERATION_MS };
    const client = this.#begin(
      new Child('client', { ...orders, isJanitor: index === 0 }, { hasWildClock: writer % 2 === 0 }),
    );
    this.#files.push(file);
    this.#clients[index] = client;
  }

  /** @param {readonly number[]} indices */
  async #killClients(indices) {
    this.#tally.count('clientKills', indices.length);
    const victims = indices.map((index) => this.#clients[index]);
    for (const index of indices) {
      this.#tally.killed(this.#clients[index]);
      const dying = this.#clients[index].kill();
      this.#startClient(index);
      await dying;
    }
    for (const victim of victims) this.#all.delete(victim);
  }

  /** @param {object} settings @returns {Promise<Child>} that serves, or has died at once */
  async #startServer(settings) {
    const { name } = this.#options;
    const startedAt = performance.now();
    const isOdd = this.#tally.counts.serverStarts++ % 2 === 1;
    const server = this.#begin(
      new Child(
        'server',
        { name, ...SERVER, ...settings },
        {
          hasWildClock: isOdd,
          onEvent: (event, at) => this.#tally.serverEvent(event, at),
        },
      ),
    );
    this.#server = server;
    if (await server.ready) this.#tally.restartMs.push(performance.now() - startedAt);
    return server;
  }

  /** @param {Event<string>} event */
  async #nextServer({ lastsMs, workers }) {
    // Often at once.
    if (lastsMs > 75) await setTimeout(lastsMs - 75);
    this.#tally.count('restarts', 1);
    await this.#startServer({ workers });
  }

  /** @param {Child} server */
  async #killServer(server) {
    this.#tally.count('serverKills', 1);
    await server.kill();
    this.#all.delete(server);
  }

  /** A server that dies while it takes over: two in a row would be put down to the region. @param {Event<string>} event */
  async #killStarting({ lastsMs, workers }) {
    const starting = this.#startServer({ workers });
    await setTimeout(40 + (lastsMs % 60));
    await this.#killServer(/** @type {Child} */ (this.#server));
    await starting;
  }

  /** Stops it at moments of chance until one finds it in the middle of a request, and leaves it so. @param {Child} server */
  async #catchAtWork(server) {
    const { ctl, geometry, ctlFd } = attachRegion(this.#options.name, '/dev/shm');
    const table = new SlotTable(ctl, geometry);
    for (let tries = 0; tries < TRIES; tries++) {
      server.stop();
      await server.standsStill();
      if (table.countWhere((state) => state === SlotState.executing) > 0) {
        this.#tally.count('killsAtWork', 1);
        break;
      }
      server.goOn();
      await setTimeout(1);
    }
    closeQuietly(ctlFd);
  }

  /** @param {Child} server @param {number} lastsMs */
  async #freezeServer(server, lastsMs) {
    this.#tally.count('serverStops', 1);
    server.stop();
    await setTimeout(lastsMs);
  }

  /** @param {Child} server @param {Event<string>} event */
  async #takeOver(server, { workers }) {
    this.#tally.count('handOvers', 1);
    const over = server.tell('ended');
    await this.#startServer({ workers, takeover: true });
    await over;
    await server.kill();
    this.#all.delete(server);
  }

  /** Watches a child: whoever ends without having been killed has crashed. @param {Child} child */
  #begin(child) {
    this.#all.add(child);
    this.#tally.begin(child);
    return child;
  }

  /** Lets all come to an end, reads everything once more, and looks for what is left over. */
  async #finish() {
    await Promise.all(this.#clients.map(async (client) => (await client.ready) && client.tell('finish')));
    for (const client of this.#clients) {
      await client.kill();
      this.#all.delete(client);
    }
    const { name, folder } = this.#options;
    const client = await KvsClient.connect({ name, timeoutMs: 600_000, reads: 'server' });
    const workload = new Workload(new Recorder(join(folder, 'end.log'), this.#start), () => 0, 0);
    for (const key of readHistory(folder).keys.keys()) {
      await workload.perform({ client, session: 0, isHasty: false }, 'async', 'get', [[key]]);
    }
    await this.#tally.findLeaks(client);
    await client.close();
    this.#tally.audited('while served', await auditFiles({ name }));
    await this.#end('leave');
    this.#tally.audited('at rest', await auditFiles({ name }));
    await this.#startServer({});
    await this.#end('stop');
  }

  /** @param {'leave' | 'stop'} command */
  async #end(command) {
    const server = /** @type {Child} */ (this.#server);
    if (!(await server.tell(command))) this.#tally.faults.push(`the server did not ${command}`);
    await server.kill();
    this.#all.delete(server);
  }
}
