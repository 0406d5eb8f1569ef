/**
 * What a peer is: a way to share keyed data between processes, with a server part (started by the benchmark) and a
 * client part (run in processes of their own). One file per peer implements both.
 */

/** @typedef {string | Buffer} Value */
/** @typedef {'string' | 'buffer'} Kind of values: text of one byte a character, or bytes */

/**
 * The client part. `get` and `set` may answer at once (a blocking store) or later; what a peer lacks is left out.
 * @typedef {object} Store
 * @property {(key: string) => Value | undefined | null | Promise<Value | undefined | null>} get
 * @property {(key: string, value: Value) => unknown} set
 * @property {boolean} isPipelined whether many calls in flight differ from calls one by one
 * @property {Pick<Store, 'get' | 'set'>} [inFlight] another way to the same data, tuned for many calls in flight
 * @property {(key: string) => Value | undefined | null} [getSync]
 * @property {(key: string, value: Value) => unknown} [setSync]
 * @property {(keys: string[]) => Batch | Promise<Batch>} [mget]
 * @property {(entries: [string, Value][]) => unknown} [mset]
 * @property {(key: string) => View} [view] zero-copy
 * @property {(key: string, target: Buffer) => unknown} [into] copies without allocating
 * @property {() => unknown} close
 */
/** @typedef {(Value | undefined | null)[]} Batch */
/** @typedef {{ bytes: Uint8Array, release: () => void }} View */

/**
 * The server part, running.
 * @typedef {object} Started
 * @property {string} address for connect()
 * @property {number[]} pids processes whose CPU time counts as the server's
 * @property {string} version
 * @property {() => unknown} stop
 */

/**
 * @typedef {object} Load what the store must hold
 * @property {number} valueBytes
 * @property {number} keyCount
 * @property {number} [workers] threads of the server, where that can be said
 * @property {number} [memoryBytes] where it must be fixed beforehand
 */

/**
 * @typedef {object} Peer
 * @property {string} id
 * @property {string} note one line for the results: how it is set up
 * @property {boolean} isShared whether several processes can share it
 * @property {(folder: string, load: Load) => Promise<Started>} start throws Unavailable
 * @property {(address: string, kind: Kind, load: Load) => Promise<Store>} connect
 */

/** A peer that cannot be had here; the message says why. */
export class Unavailable extends Error {}
