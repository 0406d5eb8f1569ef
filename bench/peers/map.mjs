/** The ceiling: a Map in each client's own process. It shares nothing. */

/** @import { Peer, Value } from './peer.mjs' */

/** @type {Peer} */
export const inProcessMap = {
  id: 'in-process Map',
  note: 'the ceiling: shares nothing with other processes; a set of bytes copies them',
  isShared: false,
  start: async () => ({ address: '', pids: [], version: process.version, stop() {} }),

  async connect() {
    /** @type {Map<string, Value>} */
    const entries = new Map();
    const get = (/** @type {string} */ key) => entries.get(key);
    const set = (/** @type {string} */ key, /** @type {Value} */ value) =>
      entries.set(key, typeof value === 'string' ? value : Buffer.from(value));
    return {
      isPipelined: true,
      get,
      set,
      // A promise for each call is the least that many calls in flight cost anybody.
      inFlight: { get: async (key) => get(key), set: async (key, value) => set(key, value) },
      getSync: get,
      setSync: set,
      mget: (keys) => keys.map((key) => entries.get(key)),
      mset(batch) {
        for (const [key, value] of batch) set(key, value);
      },
      close() {},
    };
  },
};
