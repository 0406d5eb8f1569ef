/** The targets of the project, each computed from the results of this run: both sides, their ratio, reached or not. */
import { BARE } from '../machine/disk.mjs';
import { REDIS_BENCHMARK } from '../peers/redis-benchmark.mjs';

/** @import { Cell, Results } from '../sections/context.mjs' */

/**
 * @typedef {object} Verdict
 * @property {string} target
 * @property {string} ours
 * @property {string} theirs
 * @property {string} required
 * @property {string} measured the ratio, or the figure that has the limit
 * @property {boolean | undefined} isReached undefined: not measured in this run
 * @property {string} missedBy
 */

const US = 'shm-kvs';
const MAP = 'in-process Map';
const COHERENT = 'lmdb, coherent';
const isRedis = (/** @type {Cell} */ cell) => cell.peer.startsWith('Redis, ');
const isLmdb = (/** @type {Cell} */ cell) => cell.peer.startsWith('lmdb');
const isEmbedded = (/** @type {Cell} */ cell) => isLmdb(cell) || cell.peer === 'SQLite';
/** Whatever is read with this package, however it is set up. */
const isOurs = (/** @type {Cell} */ cell) => cell.peer.startsWith(US) || ['scaling', 'cache'].includes(cell.section);
/** Peers that share data, called from Node. */
const isNodePeer = (/** @type {Cell} */ cell) => ![US, MAP, REDIS_BENCHMARK].includes(cell.peer);
const isCoherent = (/** @type {Cell} */ cell) => cell.peer === COHERENT;

const count = (/** @type {number} */ n) => Math.round(n).toLocaleString('en');
const figure = (/** @type {number} */ n) => (n >= 100 || n === 0 ? count(n) : n.toPrecision(3));
const amount = (/** @type {number} */ n, /** @type {string} */ unit) => `${figure(n)} ${unit}`.trim();
/** From 1 on it is reached. */
const shortfall = (/** @type {number} */ score) =>
  score < 0.5 ? `a factor of ${figure(1 / score)}` : `${figure((1 / score - 1) * 100)} %`;

class Judge {
  /** @type {Verdict[]} */
  verdicts = [];

  /** @param {Results} results */
  constructor(results) {
    this.results = results;
  }

  /**
   * The fastest of those that pass.
   * @param {string} section
   * @param {string[]} works
   * @param {(cell: Cell) => boolean} isOne
   */
  best(section, works, isOne) {
    return this.results.cells
      .filter((cell) => cell.section === section && works.includes(cell.work) && isOne(cell))
      .sort((a, b) => b.opsPerS - a.opsPerS)
      .at(0);
  }

  /** @param {string} section @param {string[]} works */
  ours(section, works) {
    return this.best(section, works, (cell) => cell.peer === US);
  }

  /**
   * Our rate must be at least `factor` times theirs.
   * @param {string} target
   * @param {Cell | undefined} ours
   * @param {Cell | undefined} theirs
   * @param {number} factor
   */
  times(target, ours, theirs, factor) {
    // Half the rate is twice the time; less is said of rates.
    const isTime = factor === 1 / 2;
    const required = isTime ? `≤ ${1 / factor}× the time` : `≥ ${factor}×`;
    if (ours === undefined || theirs === undefined) return this.#unmeasured(target, required);
    const ratio = ours.opsPerS / theirs.opsPerS;
    const measured = isTime ? `${figure(1 / ratio)}× the time` : `${figure(ratio)}×`;
    const label = theirs.peer === US ? theirs.work : theirs.peer;
    const sides = { ours: `${count(ours.opsPerS)}/s`, theirs: `${label}: ${count(theirs.opsPerS)}/s` };
    return this.#add({ target, ...sides, required, measured }, ratio / factor);
  }

  /**
   * A figure must not exceed a limit.
   * @param {string} target
   * @param {number | undefined} measured
   * @param {number} limit
   * @param {string} unit
   * @param {string} theirs where the limit comes from
   */
  atMost(target, measured, limit, unit, theirs = '') {
    const required = `≤ ${amount(limit, unit)}`;
    if (measured === undefined || !Number.isFinite(limit)) return this.#unmeasured(target, required);
    const text = amount(measured, unit);
    const score = measured <= 0 ? Infinity : limit / measured;
    return this.#add({ target, ours: text, theirs, required, measured: text }, score);
  }

  /**
   * A figure must reach a limit.
   * @param {string} target
   * @param {number | undefined} measured
   * @param {number} limit
   * @param {string} unit
   */
  atLeast(target, measured, limit, unit) {
    const required = `≥ ${figure(limit)}${unit}`;
    if (measured === undefined) return this.#unmeasured(target, required);
    const text = `${figure(measured)}${unit}`;
    return this.#add({ target, ours: text, theirs: '', required, measured: text }, measured / limit);
  }

  /**
   * @param {string} target
   * @param {string} required
   */
  #unmeasured(target, required) {
    const nothing = { ours: '', theirs: '', measured: 'not measured', missedBy: '' };
    this.verdicts.push({ target, required, ...nothing, isReached: undefined });
  }

  /**
   * @param {Omit<Verdict, 'isReached' | 'missedBy'>} verdict
   * @param {number} score from 1 on it is reached
   */
  #add(verdict, score) {
    const isReached = score >= 1;
    this.verdicts.push({ ...verdict, isReached, missedBy: isReached ? '' : shortfall(score) });
  }
}

/** @param {Results} results @returns {Verdict[]} */
export function judge(results) {
  const judged = new Judge(results);
  judgeSmallValues(judged);
  judgeMixes(judged);
  judgeLargeValues(judged);
  judgeLimits(judged);
  judgeLog(judged);
  judgeFigures(judged);
  return judged.verdicts;
}

/** @param {Judge} to */
function judgeSmallValues(to) {
  const ours = (/** @type {string[]} */ ...works) => to.ours('64 B', works);
  const best = (/** @type {string} */ work, /** @type {(cell: Cell) => boolean} */ isOne) =>
    to.best('64 B', [work], isOne);
  const get = ours('get, blocking');
  const set = ours('set, blocking');
  to.times('blocking GET, beside lmdb coherent', get, best('get, blocking', isCoherent), 2.2);
  to.times(
    'blocking GET, beside an in-process Map.get',
    get,
    best('get, blocking', (cell) => cell.peer === MAP),
    1 / 2,
  );
  to.times('awaited GET, beside lmdb coherent', ours('get, awaited'), best('get, awaited', isCoherent), 1.5);
  to.times('awaited GET, beside the best Redis client', ours('get, awaited'), best('get, awaited', isRedis), 20);
  to.times('blocking SET, beside the best of lmdb and SQLite', set, best('set, blocking', isEmbedded), 6);
  to.atMost('blocking SET, p50', set?.p50Us, 2, 'µs');
  const awaitedSet = ours('set, awaited');
  to.times('awaited SET, beside the best Redis client', awaitedSet, best('set, awaited', isRedis), 10);
  to.atMost('awaited SET, p50', awaitedSet?.p50Us, 4, 'µs');
  const inFlight = ours('set, in flight');
  to.times('64 SETs in flight, beside the best Node peer', inFlight, best('set, in flight', isNodePeer), 5);
  const tool = best('set, in flight', (cell) => cell.peer === REDIS_BENCHMARK);
  to.times(`64 SETs in flight, beside ${REDIS_BENCHMARK}`, inFlight, tool, 2);
  to.times('mset of 64, beside 64 in flight', ours('mset of 64'), inFlight, 2);
  to.times('mget of 64, beside 64 in flight', ours('mget of 64'), ours('get, in flight'), 2);
}

/** @param {Judge} to */
function judgeMixes(to) {
  const ways = (/** @type {string} */ mix) => [`${mix}, one at a time`, `${mix}, 64 in flight each`];
  const reads = ways('95/5');
  const halves = ways('50/50');
  to.times(
    'four processes 95/5, beside lmdb coherent',
    to.ours('mixes', reads),
    to.best('mixes', reads, isCoherent),
    2,
  );
  to.times('four processes 95/5, beside Redis', to.ours('mixes', reads), to.best('mixes', reads, isRedis), 15);
  to.times(
    'four processes 50/50, beside the best peer',
    to.ours('mixes', halves),
    to.best('mixes', halves, isNodePeer),
    4,
  );
}

/** @param {Judge} to */
function judgeLargeValues(to) {
  const all = (/** @type {string} */ work) => [`${work}, blocking`, `${work}, awaited`, `${work}, in flight`];
  for (const work of ['get, blocking', 'get, awaited']) {
    to.times(`4 KiB, ${work}, beside lmdb coherent`, to.ours('4 KiB', [work]), to.best('4 KiB', [work], isCoherent), 2);
  }
  const sets = all('set');
  to.times('4 KiB sets, beside the best peer', to.ours('4 KiB', sets), to.best('4 KiB', sets, isNodePeer), 5);
  to.atMost('256 KiB, getView, p50', to.ours('256 KiB', ['getView'])?.p50Us, 5, 'µs');
  const gets = all('get');
  to.times(
    '256 KiB copying gets, beside the best peer',
    to.ours('256 KiB', gets),
    to.best('256 KiB', gets, isNodePeer),
    1.5,
  );
  to.times('256 KiB sets, beside the best peer', to.ours('256 KiB', sets), to.best('256 KiB', sets, isNodePeer), 3);
}

/** @param {Judge} to */
function judgeLimits(to) {
  const { numbers } = to.results;
  const spin = numbers['limits.spinMeanwhileUs'] ?? NaN;
  const futex = numbers['limits.futexPacedUs'] ?? NaN;
  to.atMost(
    'a whole SET, spinning',
    numbers['limits.setUs'],
    4 * spin,
    'µs',
    `4 × bare round trip meanwhile: ${figure(spin)} µs`,
  );
  const sleeping = `1.5 × bare futex round trip: ${figure(futex)} µs`;
  to.atMost('a whole SET, sleeping', numbers['limits.setPacedUs'], 1.5 * futex, 'µs', sleeping);
  const redis = numbers['memory.Redis.overheadBytes'];
  const beside = redis === undefined ? '' : `Redis: ${figure(redis)} B`;
  to.atMost('memory per entry beyond key and value', numbers['memory.shm-kvs.overheadBytes'], 48, 'B', beside);
}

/** @param {Judge} to */
function judgeLog(to) {
  const one = (/** @type {string} */ work, /** @type {string} */ peer) =>
    to.best('durability', [work], (cell) => cell.peer === peer);
  for (const work of ['set, in flight', 'set, one at a time']) {
    const target = `${work}, with a log (everysec), beside none`;
    to.times(target, one(work, `${US}, everysec`), one(work, `${US}, no log`), 0.8);
  }
  const always = (/** @type {Cell} */ cell) => isRedis(cell) && cell.peer.endsWith('always');
  const redis = to.best('durability', ['set, in flight'], always);
  to.times('64 SETs in flight, always, beside Redis', one('set, in flight', `${US}, always`), redis, 1.5);
  const durable = 'set, one at a time, durable';
  const bare = one(durable, BARE)?.p50Us ?? NaN;
  const own = one(durable, `${US}, always`)?.p50Us;
  to.atMost('a durable SET, one at a time, p50', own, 1.3 * bare, 'µs', `1.3 × ${BARE}: ${figure(bare)} µs`);
  const { numbers } = to.results;
  to.atLeast('loading from the log, records', numbers['loading.logPerS'], 500_000, '/s');
  to.atLeast('loading from a snapshot, entries', numbers['loading.snapshotPerS'], 1_000_000, '/s');
  for (const [id, call] of [
    ['get-direct', 'direct GET'],
    ['get-server', 'GET by the server'],
    ['set', 'SET'],
  ]) {
    to.atMost(`${call} while a snapshot is made, p99`, numbers[`snapshot.${id}.p99Ratio`], 2, '×');
  }
}

/** @param {Judge} to */
function judgeFigures(to) {
  const { cells, numbers } = to.results;
  const wrong = cells.reduce((sum, cell) => sum + (isOurs(cell) ? cell.wrong : 0), 0);
  to.atMost('wrong or foreign values', cells.length === 0 ? undefined : wrong, 0, '');
  const set = to.ours('64 B', ['set, blocking']);
  to.atMost('blocking SET, 64 B, p50', set?.p50Us, 10, 'µs');
  to.atLeast('blocking SET, 64 B', set?.opsPerS, 100_000, '/s');
  const redis = to.best('64 B', ['set, awaited'], isRedis);
  to.times('awaited SET, beside the best Redis client', to.ours('64 B', ['set, awaited']), redis, 2);
  to.atMost('idle, 8 workers and 10 clients', numbers['idle.cpuPercent'], 0.5, '% of a core');
  to.atMost('server start to first answer, within a process', numbers['start.withinMs'], 300, 'ms');
  to.atMost('server start to first answer, kvs-server', numbers['start.programMs'], 300, 'ms');
  to.atMost('restart to first answer, 1,000,000 entries', numbers['restart.1000000Ms'], 1000, 'ms');
  to.atMost('cost of a TTL on GET', numbers['ttl.directCostPercent'], 3, '%');
  to.atLeast('heap usable after churn', numbers['churn.usablePercent'], 80, ' %');
}
