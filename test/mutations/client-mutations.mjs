/** Faults of what a client promises beyond the protocols: sessions, codecs of the user's own, what `executed` says. */

/** @import { Mutation } from './mutations.mjs' */

const SUCCESSORS = { test: 'client/successors' };
const CODECS = { test: 'client/calling-codecs' };

/** @type {readonly Mutation[]} */
export const CLIENT_MUTATIONS = [
  {
    ...SUCCESSORS,
    file: 'client/presence.ts',
    name: 'presence: an outage counts from the one before',
    from: 'this.#aloneSince === NEVER || epoch !== this.#lastEpoch',
    to: 'this.#aloneSince === NEVER',
  },
  {
    ...SUCCESSORS,
    file: 'client/connection.ts',
    name: 'connection: what cannot be attached to ends reads',
    from: 'if (!(error instanceof KvsError)) throw error;\n    return { session: undefined, isStarting: false, reason: error };\n  }\n}\n\n/** Looks for',
    to: 'throw error;\n  }\n}\n\n/** Looks for',
  },
  {
    ...CODECS,
    file: 'client/session.ts',
    name: 'session: a slot is given back after its answer is decoded',
    from: 'if (call.codec.isForeign !== true) return',
    to: 'return',
  },
  {
    ...CODECS,
    file: 'client/pipeline.ts',
    name: 'pipeline: a call is settled after its answer is decoded',
    from: "    call.state = 'fulfilled';\n    let result: unknown;",
    to: '    let result: unknown;',
  },
  {
    ...CODECS,
    file: 'client/calls.ts',
    name: 'mset: one buffer for all values',
    from: 'this.#codec.isForeign === true ? ownCopy',
    to: 'this.#codec.isForeign !== true ? ownCopy',
  },
  {
    test: 'client/tasks-and-close',
    file: 'client/session.ts',
    name: 'session: what a dead server has begun is said not to be executed',
    from: "return isBegun ? 'unknown' : 'no';",
    to: "return isBegun ? 'no' : 'no';",
  },
  {
    test: 'client/codecs',
    file: 'operation/getdel.ts',
    name: 'getdel: removes what its client cannot read',
    from: 'if (argument !== READABLE) return true;',
    to: 'if (argument !== READABLE || codec > 0) return true;',
  },
  {
    test: 'operation/races',
    file: 'operation/flush.ts',
    name: 'flush: a part is said to be nothing',
    from: 'store.effects > 0',
    to: 'store.effects < 0',
  },
];
