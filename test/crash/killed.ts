/** Deaths by SIGKILL, of processes of their own; what is done about them, and what must be so then, is as in place. */
import { spawn } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { KvsServer } from '#dist/index.js';

import { bury, expectContents, expectNoLeaks, finish, must, outcomes, type Point } from './in-place.js';
import type { ClientScenario } from './scenarios.js';
import type { Order } from './victim.js';
import { World } from './world.js';

const VICTIM = fileURLToPath(new URL('victim.js', import.meta.url));

interface Killed {
  readonly isDead: boolean;
  readonly said: readonly string[];
}

class Victim {
  readonly ended: Promise<Killed>;
  readonly said: string[] = [];
  isOver = false;
  readonly #end: () => void;

  /** @param worker whether a worker thread is to end it, by its steps */
  constructor(order: Order, onlyWrites: boolean, worker = false) {
    const env = {
      ...process.env,
      ...(onlyWrites ? { KVS_CRASH_WRITES: '1' } : {}),
      ...(worker ? { KVS_CRASH_WORKER: String(order.limit) } : {}),
    };
    const child = spawn(process.execPath, [VICTIM, JSON.stringify(order)], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    child.stdin.on('error', () => {});
    this.#end = () => void child.stdin.end();
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (more: string) => {
      text += more;
      this.said.splice(0, Infinity, ...text.split('\n').filter((word) => word !== ''));
    });
    this.ended = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        this.isOver = true;
        if (signal === 'SIGKILL' || code === 0) resolve({ isDead: signal === 'SIGKILL', said: this.said });
        else reject(new Error(`it ended with ${code ?? signal}`));
      });
    });
  }

  /** Until it has said it, or is over. */
  async until(word: string): Promise<void> {
    while (!this.isOver && !this.said.includes(word)) await delay(1);
  }

  end(): Promise<Killed> {
    this.#end();
    return this.ended;
  }
}

export class Killing {
  readonly #onlyWrites: boolean;

  constructor(onlyWrites: boolean) {
    this.#onlyWrites = onlyWrites;
  }

  #start(order: Order, worker = false): Victim {
    return new Victim(order, this.#onlyWrites, worker);
  }

  client(world: World, scenario: ClientScenario): Point {
    return async (limit) => {
      world.reset();
      const victim = this.#start({ name: world.name, limit, scenario: scenario.name });
      while (!victim.isOver) {
        world.serve();
        await delay(0);
      }
      const { isDead, said } = await victim.ended;
      const acknowledged = said.filter((word) => word === 'acknowledged').length;
      must(isDead || acknowledged === scenario.steps.length, 'it did not come to its end');
      await bury(world, scenario.steps, acknowledged, limit % 2 === 0);
      return { isDead };
    };
  }

  /** A server that takes over what another one has left, with a request that waits, and dies: as it recovers, or as it executes. */
  server(world: World, scenario: ClientScenario, isWorker: boolean): Point {
    return async (limit) => {
      world.reset();
      const pending = scenario.steps[0].run(world.witness, world);
      pending.catch(() => {});
      world.leave();
      const victim = this.#start({ name: world.name, limit, server: 'serving' }, isWorker);
      const isAnswered = pending.then(() => true);
      while (!victim.isOver && !(await Promise.race([isAnswered, delay(1, false)])));
      const { isDead } = await victim.end();
      world.forgive();
      world.enter();
      await finish(world, scenario, { answered: 0, pending });
      return { isDead };
    };
  }

  /** A server that makes its region. */
  start(name: string): Point {
    return async (limit) => {
      const { isDead } = await this.#start({ name, limit, server: 'starting' }).ended;
      const world = new World(name);
      try {
        await expectNoLeaks(world, 0);
        must(!isDead || world.files().length === 2, `files are left: ${world.files().join()}`);
        return { isDead };
      } finally {
        await world.close();
      }
    };
  }

  /** A server that ends, for good: the next one finds nothing, or a region that is whole; or to be followed: all is there. */
  end(name: string, how: 'stopping' | 'leaving'): Point {
    return async (limit) => {
      const world = await World.filled(name);
      try {
        world.leave();
        const { isDead } = await this.#start({ name, limit, server: how }).ended;
        world.forgive();
        world.enter();
        const isTaken = world.region.origin.kind === 'taken-over';
        must(isTaken || how === 'stopping', 'what was left to the next server is gone');
        if (isTaken) await expectContents(world, outcomes([], 0));
        await expectNoLeaks(world, isTaken ? 1 : 0);
        return { isDead };
      } finally {
        await world.close();
      }
    };
  }

  /** A server that asks another one to hand over, and dies: the other goes on, or has left all to the next one. */
  takeover(world: World): Point {
    return async (limit) => {
      world.reset();
      world.leave();
      const server = await KvsServer.start({ name: world.name, workers: 1 });
      const { isDead } = await this.#start({ name: world.name, limit, server: 'taking over' }).ended;
      if (server.isRunning) await server.stop({ keep: true });
      await server.ended;
      world.forgive();
      world.enter();
      await expectContents(world, outcomes([], 0));
      await expectNoLeaks(world);
      return { isDead };
    };
  }
}
