/** Throughput with 1 to 8 clients and 1 to 4 workers. */
import { shmKvs } from '../peers/shm-kvs.mjs';
import { compare, runnersOf, startCrew, stopCrews } from './measure.mjs';

/** @import { Workload } from '../workload/plan.mjs' */
/** @import { Context, Section } from './context.mjs' */

const WORKERS = [1, 2, 4];
const CLIENTS = [1, 2, 4, 8];
const ROUNDS = 3;

/** @type {[string, Pick<Workload, 'mode' | 'writeShare'>][]} */
const works = [
  ['blocking get', { mode: 'blocking', writeShare: 0 }],
  ['blocking set', { mode: 'blocking', writeShare: 1 }],
  ['50/50, 64 in flight each', { mode: 'in flight', writeShare: 0.5 }],
];

/** @param {Context} context */
async function run(context) {
  const { isQuick, results } = context;
  await context.quiet.wait('scaling', isQuick ? 0 : 20_000);
  /** @type {Map<string, string[]>} */
  const rows = new Map();
  for (const workers of WORKERS) {
    const load = { valueBytes: 64, keyCount: isQuick ? 5000 : 100_000, workers };
    const crew = await startCrew(context, shmKvs, 'string', load);
    if (crew === undefined) return;
    await crew.hire(Math.max(...CLIENTS));
    await crew.fill(0, load.keyCount);
    for (const [name, work] of works) {
      const runners = [];
      for (const clients of CLIENTS) {
        const times = { ...(isQuick ? { ms: 30, timedMs: 5 } : { ms: 200, timedMs: 20 }), clients };
        const workload = { ...work, keys: /** @type {const} */ ('uniform'), kind: crew.kind, ...load };
        const [runner] = await runnersOf([crew], workload, times);
        runners.push({ ...runner, peer: clients === 1 ? '1 client' : `${clients} clients` });
      }
      const heading = {
        section: 'scaling',
        work: `${name}, ${workers} worker${workers === 1 ? '' : 's'}`,
        rounds: isQuick ? 1 : ROUNDS,
      };
      const cells = await compare(context, runners, heading);
      const key = `| ${name} | ${workers} |`;
      rows.set(
        key,
        cells.map((cell) => Math.round(cell.opsPerS).toLocaleString('en')),
      );
    }
    await stopCrews([crew]);
  }
  context.quiet.conclude('scaling');
  const head = `| operations per second | workers | ${CLIENTS.map((n) => `${n} client${n === 1 ? '' : 's'}`).join(' | ')} |`;
  const rule = `|---|---:|${CLIENTS.map(() => '---:|').join('')}`;
  const body = [...rows].sort(([a], [b]) => a.localeCompare(b)).map(([key, rates]) => `${key} ${rates.join(' | ')} |`);
  results.tables.push({ title: 'Clients and workers', text: [head, rule, ...body].join('\n') });
}

/** @type {Section} */
export const scaling = { id: 'scaling', title: 'clients and workers', run };
