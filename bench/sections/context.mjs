/** What every section is given, and what it leaves behind. */

/** @import { Facts } from '../machine/facts.mjs' */
/** @import { HandOver } from '../machine/hand-over.mjs' */
/** @import { Quiet } from '../machine/quiet.mjs' */
/** @import { Peer } from '../peers/peer.mjs' */

/**
 * One measured row: a peer doing one thing.
 * @typedef {object} Cell
 * @property {string} section
 * @property {string} work what is done, as the tables head it: 'get, awaited'
 * @property {string} peer
 * @property {number} opsPerS median of the rounds; keys per second where keys go in batches
 * @property {number} lowOpsPerS
 * @property {number} highOpsPerS
 * @property {number} rounds
 * @property {number} p50Us of one call, over all rounds
 * @property {number} p99Us
 * @property {number} p999Us
 * @property {number} cpuMicrosPerOp user and system time of client and server processes; median of the rounds
 * @property {number} ops in all
 * @property {number} wrong values
 */
/**
 * @typedef {object} Table
 * @property {string} title
 * @property {string} text Markdown
 */
/**
 * How it was while a section ran.
 * @typedef {object} SectionRun
 * @property {string} id
 * @property {string} title
 * @property {number} seconds
 * @property {[before: number, after: number]} handOverUs
 */
/**
 * @typedef {object} Results
 * @property {Facts} facts
 * @property {string} command
 * @property {number} minutes
 * @property {boolean} isQuick
 * @property {{ peer: string, version: string, note: string }[]} peers
 * @property {{ peer: string, reason: string }[]} skipped
 * @property {string[]} warnings
 * @property {Cell[]} cells
 * @property {Record<string, number[]>} handOvers by row (rowOf): the bare round trip of two processes before, between and
 *   after its rounds, in microseconds
 * @property {SectionRun[]} sections
 * @property {Record<string, number>} numbers single figures, named section.what, units last
 * @property {Table[]} tables of the sections that are not rows of cells
 */
/**
 * @typedef {object} Context
 * @property {boolean} isQuick
 * @property {string} folder on tmpfs, removed at the end
 * @property {readonly Peer[]} peers those chosen
 * @property {Quiet} quiet
 * @property {HandOver} handOver
 * @property {Results} results
 * @property {(text: string) => void} say
 */
/**
 * @typedef {object} Section
 * @property {string} id
 * @property {string} title
 * @property {(context: Context) => Promise<void>} run
 */

/** @param {string} section @param {string} work */
export const rowOf = (section, work) => `${section}: ${work}`;

/** @param {number[]} numbers */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}
