/**
 * What the demo does, in order. The main process takes the names and totals from here, the clients what to do. Each
 * phase ends on all clients before the next begins.
 */
import { checkGone, checkRecord, checkTrue } from './checks.js';
import { CLIENTS, finalRecord, isRaced, isUpdated, updaterOf, writerOf } from './words.js';
import { inBatches, manyInFlight, oneByOne } from './ways.js';

/** @import { KvsClient } from 'shm-kvs' */
/** @import { Findings } from './checks.js' */
/** @import { WordList, WordRecord } from './words.js' */
/** @import { Meter } from './ways.js' */

/**
 * @typedef {object} Work what a client has at hand
 * @property {KvsClient<WordRecord>} kvs
 * @property {number} me number of this client, from 0
 * @property {WordList} list
 * @property {readonly number[]} share indexes of the words that this client works on
 * @property {Meter} meter
 * @property {Findings} findings
 * @property {Uint8Array} wins where this client notes the races it has won
 * @property {Uint8Array} winners of all races, once they are over
 * @property {(index: number) => WordRecord} loaded the record that loading writes
 */

/**
 * @typedef {object} Phase
 * @property {string} name
 * @property {string} calls
 * @property {(me: number, list: WordList) => number[]} share
 * @property {(work: Work) => Promise<void> | void} run
 * @property {boolean} [hasKill] whether one client is killed on the way
 * @property {boolean} [isRace] whether each word of the share is for one client to win
 * @property {(list: WordList) => number} [keysAfter] how many keys the store must hold afterwards
 */

/** The ways to call, each with its part of the work, in twelfths. Blocking calls are the slowest. */
const WAYS = { blocking: [0, 1], inFlight: [1, 6], batches: [6, 12] };

/**
 * @param {keyof typeof WAYS} way
 * @param {number} n
 */
const isDoneBy = (way, n) => n % 12 >= WAYS[way][0] && n % 12 < WAYS[way][1];

/**
 * The part of its own words that a client loads in one of the three ways.
 * @param {keyof typeof WAYS} way
 * @returns {Phase['share']}
 */
const ownPart = (way) => (me, list) => list.select((writer, sequence) => writer === me && isDoneBy(way, sequence));

/**
 * What others have loaded. Over the three ways, each client reads all words of all others.
 * @param {keyof typeof WAYS} way
 * @returns {Phase['share']}
 */
const othersPart = (way) => (me, list) =>
  list.select((writer, sequence) => writer !== me && isDoneBy(way, sequence + 4 * distance(me, writer)));

/** From 1 to 3, when the clients sit in a circle. @param {number} me @param {number} other */
const distance = (me, other) => (other - me + CLIENTS) % CLIENTS;

/** @type {Phase['share']} */
const raced = (_me, list) => list.select((_writer, sequence) => isRaced(sequence));

/** Words that the clients race for between two waits for each other: nobody gets far ahead. */
const HEAT_WORDS = 512;
const STARTING_LINE = '#starting-line';

/**
 * Waits until all clients have come to this heat. They count themselves with incr.
 * @param {KvsClient<WordRecord>} kvs
 * @param {number} heat from 0
 */
async function lineUp(kvs, heat) {
  let count = await kvs.incr(STARTING_LINE);
  while (count < (heat + 1) * CLIENTS) count = await kvs.incr(STARTING_LINE, 0);
}

/** @type {readonly Phase[]} */
export const phases = [
  {
    name: 'load',
    calls: 'setSync',
    share: ownPart('blocking'),
    run: ({ kvs, list, share, meter, loaded }) =>
      oneByOne(meter, share, (index) => {
        kvs.setSync(list.word(index), loaded(index));
      }),
  },
  {
    name: 'load',
    calls: 'set',
    share: ownPart('inFlight'),
    hasKill: true,
    run: ({ kvs, list, share, meter, loaded }) =>
      manyInFlight(meter, share, async (index) => {
        await kvs.set(list.word(index), loaded(index));
      }),
  },
  {
    name: 'load',
    calls: 'mset',
    share: ownPart('batches'),
    run: ({ kvs, list, share, meter, loaded }) =>
      inBatches(meter, share, async (batch) => {
        await kvs.mset(batch.map((index) => /** @type {const} */ ([list.word(index), loaded(index)])));
      }),
  },
  {
    name: "read others'",
    calls: 'getSync',
    share: othersPart('blocking'),
    run: ({ kvs, list, share, meter, findings }) =>
      oneByOne(meter, share, (index) => {
        checkRecord(findings, kvs.getSync(list.word(index)), list.record(index, writerOf(index), 0));
      }),
  },
  {
    name: "read others'",
    calls: 'get',
    share: othersPart('inFlight'),
    run: ({ kvs, list, share, meter, findings }) =>
      manyInFlight(meter, share, async (index) => {
        checkRecord(findings, await kvs.get(list.word(index)), list.record(index, writerOf(index), 0));
      }),
  },
  {
    name: "read others'",
    calls: 'mget',
    share: othersPart('batches'),
    run: ({ kvs, list, share, meter, findings }) =>
      inBatches(meter, share, async (batch) => {
        const records = await kvs.mget(batch.map((index) => list.word(index)));
        batch.forEach((index, i) => checkRecord(findings, records[i], list.record(index, writerOf(index), 0)));
      }),
  },
  {
    name: 'update',
    calls: 'getEntry, cas',
    share: (me, list) => list.select((writer, sequence) => updaterOf(writer) === me && isUpdated(sequence)),
    run: ({ kvs, me, list, share, meter, findings }) =>
      manyInFlight(meter, share, async (index) => {
        const word = list.word(index);
        const entry = await kvs.getEntry(word);
        checkRecord(findings, entry?.value, list.record(index, writerOf(index), 0));
        const isReplaced = await kvs.cas(word, entry?.version ?? 0, list.record(index, me, 1));
        checkTrue(findings, isReplaced, `${word}: the version changed though nobody else updates it`);
      }),
  },
  {
    name: 'delete',
    calls: 'getdel',
    share: (me, list) => list.select((writer, sequence) => distance(me, writer) === 2 && isRaced(sequence)),
    keysAfter: (list) => list.size - raced(0, list).length,
    run: ({ kvs, list, share, meter, findings }) =>
      manyInFlight(meter, share, async (index) => {
        checkRecord(findings, await kvs.getdel(list.word(index)), list.record(index, writerOf(index), 0));
      }),
  },
  {
    name: 'check deleted',
    calls: 'mget',
    share: (me, list) => list.select((writer, sequence) => distance(me, writer) === 1 && isRaced(sequence)),
    run: ({ kvs, list, share, meter, findings }) =>
      inBatches(meter, share, async (batch) => {
        const records = await kvs.mget(batch.map((index) => list.word(index)));
        batch.forEach((index, i) => checkGone(findings, records[i], list.word(index)));
      }),
  },
  {
    name: 'race to insert',
    calls: 'post',
    share: raced,
    isRace: true,
    keysAfter: (list) => list.size + 1,
    run: async ({ kvs, me, list, share, meter, wins }) => {
      for (let heat = 0; heat * HEAT_WORDS < share.length; heat++) {
        await lineUp(kvs, heat);
        await manyInFlight(meter, share.slice(heat * HEAT_WORDS, (heat + 1) * HEAT_WORDS), async (index) => {
          if (await kvs.post(list.word(index), list.record(index, me, 2))) wins[index] = 1;
        });
      }
    },
  },
  {
    name: 'verify winners',
    calls: 'mget',
    share: raced,
    keysAfter: (list) => list.size,
    run: async ({ kvs, me, list, share, meter, findings, winners }) => {
      if (me === 0) await kvs.del(STARTING_LINE);
      await inBatches(meter, share, async (batch) => {
        const records = await kvs.mget(batch.map((index) => list.word(index)));
        batch.forEach((index, i) => checkRecord(findings, records[i], finalRecord(list, index, winners)));
      });
    },
  },
  {
    name: 'verify all',
    calls: 'entries',
    // One client is enough: the others have an empty share.
    share: (me, list) => list.select(() => me === 0),
    run: async ({ kvs, list, share, meter, findings, winners }) => {
      if (share.length === 0) return;
      const missing = new Map(share.map((index) => [list.word(index), index]));
      for await (const [word, record] of kvs.entries()) {
        const index = missing.get(word);
        if (index === undefined) findings.add(`${word}: not of the list, or twice`);
        else checkRecord(findings, record, finalRecord(list, index, winners));
        missing.delete(word);
        meter.count();
      }
      for (const word of missing.keys()) findings.add(`${word}: missing`);
    },
  },
];
