/**
 * A process of the counted build that kills itself in front of one of its steps. argv[2]: Order. Says `acknowledged` when
 * a step of its scenario is done, `ready` and `ended`, each when it is so.
 */
import { once } from 'node:events';
import { writeSync } from 'node:fs';

import { life, liveUntilKilled, mortal } from './builds.js';
import { BLOCKING, CLIENT_SCENARIOS } from './scenarios.js';

export interface Order {
  readonly name: string;
  readonly limit: number;
  /** As a client, what it does, by name; as a server, whether it lives until it has started, or until it has stopped. */
  readonly scenario?: string;
  readonly server?: 'starting' | 'taking over' | 'serving' | 'stopping' | 'leaving';
}

const { name, limit, scenario, server: role } = JSON.parse(process.argv[2]) as Order;
const { KvsClient, KvsServer } = mortal;

// A pipe keeps what was written before a death.
const say = (word: string) => writeSync(1, `${word}\n`);

async function beClient(): Promise<void> {
  const found = [...CLIENT_SCENARIOS, ...BLOCKING].find((one) => one.name === scenario);
  if (found === undefined) throw new Error(`no scenario ${scenario}`);
  if (found.connects) liveUntilKilled(limit);
  const client = await KvsClient.connect({ name, reads: found.reads ?? 'server', timeoutMs: 600_000 });
  if (!found.connects) liveUntilKilled(limit);
  for (const { run } of found.steps) {
    await run(client, undefined as never);
    say('acknowledged');
  }
  await client.close();
}

async function beServer(): Promise<void> {
  if (role !== 'stopping' && role !== 'leaving' && process.env['KVS_CRASH_WORKER'] === undefined)
    liveUntilKilled(limit);
  const server = await KvsServer.start({ name, workers: 1, takeover: role === 'taking over' });
  say('ready');
  if (role === 'serving') await once(process.stdin.resume(), 'end');
  if (role === 'stopping' || role === 'leaving') liveUntilKilled(limit);
  else if (role !== 'serving') life.limit = Infinity;
  await server.stop({ keep: role !== 'stopping' });
}

await (role === undefined ? beClient() : beServer());
say('ended');
process.exit();
