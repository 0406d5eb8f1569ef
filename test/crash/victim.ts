/**
 * A process of the counted build that kills itself in front of one of its steps. argv[2]: Order. Says `acknowledged` when
 * a step of its scenario is done, `ready` and `ended`, each when it is so.
 */
import { writeSync } from 'node:fs';

import { BLOCKING, CLIENT_SCENARIOS } from './scenarios.js';

type Index = typeof import('#dist/index.js');
type Steps = typeof import('./steps.mjs');

export interface Order {
  readonly name: string;
  readonly limit: number;
  /** As a client, what it does, by name; as a server, whether it lives until it has started, or until it has stopped. */
  readonly scenario?: string;
  readonly server?: 'starting' | 'taking over' | 'serving' | 'stopping' | 'leaving';
}

const { name, limit, scenario, server: role } = JSON.parse(process.argv[2]) as Order;
const { KvsClient, KvsServer } = (await import(new URL('../mortal/index.js', import.meta.url).href)) as Index;
const { liveUntilKilled, life } = (await import(new URL('../mortal/steps.mjs', import.meta.url).href)) as Steps;

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
  if (role !== 'stopping' && role !== 'leaving' && process.env['KVS_CRASH_WORKER'] === undefined) liveUntilKilled(limit);
  const server = await KvsServer.start({ name, workers: 1, takeover: role === 'taking over' });
  say('ready');
  if (role === 'serving') return new Promise((resolve) => process.stdin.once('end', resolve).resume());
  if (role === 'stopping' || role === 'leaving') liveUntilKilled(limit);
  else life.limit = Infinity;
  await server.stop({ keep: role !== 'stopping' });
}

await (role === undefined ? beClient() : beServer());
say('ended');
process.exit();
