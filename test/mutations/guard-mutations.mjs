/** Faults of limits, of trust in files, and of what a client gives back, which tests of these must notice. */

/** @import { Mutation } from './mutations.mjs' */

const QUOTA = { file: 'exchange/answer-quota.ts', test: 'exchange/answer-quota' };
const TRUST = { file: 'memory/file-trust.ts', test: 'memory/region-files' };
const RINGER = { file: 'exchange/bell-ringer.ts', test: 'exchange/bell-ringer' };
const WITHDRAWN = { file: 'client/withdrawn-calls.ts', test: 'client/withdrawn-calls' };

/** @type {readonly Mutation[]} */
export const GUARD_MUTATIONS = [
  {
    ...QUOTA,
    name: 'quota: everything is admitted',
    from: 'const isAdmitted = own === 0 ||',
    to: 'const isAdmitted = own >= 0 ||',
  },
  {
    ...QUOTA,
    name: 'quota: who has none waiting is refused what is large',
    from: 'own === 0 || own + chunks',
    to: 'own + chunks',
  },
  {
    ...QUOTA,
    name: 'quota: the count is never set right',
    from: 'isAdmitted ? own + chunks : own);',
    to: 'this.#taken[client]);',
  },
  {
    ...QUOTA,
    name: 'quota: answers of others count as the own',
    from: 'if (isWaiting && ownerOf(word) === client) own++;',
    to: 'if (isWaiting) own++;',
  },
  {
    ...QUOTA,
    name: 'quota: what others have waiting is as good as free',
    from: 'Math.min(this.#limits.client, this.#limits.all - all)',
    to: 'this.#limits.client',
  },
  {
    ...QUOTA,
    name: 'quota: answers that were taken count',
    from: 'stateOf(word) === SlotState.done && useOf(slot, word) === use',
    to: 'stateOf(word) !== SlotState.executing && use >= 0',
  },
  {
    ...TRUST,
    name: 'trust: files of other users',
    from: 'if (stats.uid !== uid && !isShared)',
    to: 'if (stats.uid !== uid && !isShared && stats.uid < 0)',
  },
  {
    ...TRUST,
    name: 'trust: files of another group',
    from: 'group !== undefined && stats.gid === group && (stats.mode & 0o040) !== 0',
    to: 'group !== undefined && (stats.mode & 0o040) !== 0',
  },
  {
    ...TRUST,
    name: 'trust: files that the group may not read',
    from: 'stats.gid === group && (stats.mode & 0o040) !== 0',
    to: 'stats.gid === group',
  },
  {
    ...TRUST,
    name: 'trust: files that others may open',
    from: '(stats.mode & 0o007) !== 0',
    to: '(stats.mode & 0o004) !== 0',
  },
  {
    ...TRUST,
    name: 'trust: our own files that are shared with another group',
    from: 'if (group !== undefined && (stats.mode & 0o070) !== 0 && stats.gid !== group) {',
    to: 'if (group !== undefined && (stats.mode & 0o070) !== 0 && stats.gid < 0) {',
  },
  {
    ...TRUST,
    name: 'trust: whatever is no plain file',
    from: "if (!stats.isFile()) complain('is not a plain file');",
    to: '',
  },
  {
    ...TRUST,
    test: 'server/security',
    name: 'trust: the group may write the data file',
    from: 'data: 0o640',
    to: 'data: 0o660',
  },
  {
    name: 'region files: links are followed',
    file: 'memory/region-files.ts',
    test: 'memory/region-files',
    from: 'const OPEN_FLAGS = constants.O_NOFOLLOW | constants.O_NONBLOCK;',
    to: 'const OPEN_FLAGS = constants.O_NONBLOCK;',
  },
  {
    ...RINGER,
    name: 'doorbell: the ringer follows links',
    from: 'constants.O_NONBLOCK | constants.O_NOFOLLOW',
    to: 'constants.O_NONBLOCK',
  },
  {
    ...RINGER,
    name: 'doorbell: the ringer writes into any file',
    from: 'if (fstatSync(fd).isFIFO()) this.#fds[client] = fd;',
    to: 'if (fstatSync(fd).size >= 0) this.#fds[client] = fd;',
  },
  {
    ...RINGER,
    name: 'doorbell: the client follows links',
    file: 'client/doorbell.ts',
    from: 'constants.O_NONBLOCK | constants.O_NOFOLLOW',
    to: 'constants.O_NONBLOCK',
  },
  {
    ...WITHDRAWN,
    name: 'withdrawn calls: no timer looks after them',
    from: 'if (this.#timer === undefined) this.#lookAfter(FIRST_LOOK_MS);',
    to: '',
  },
  {
    ...WITHDRAWN,
    name: 'withdrawn calls: looked after once',
    from: 'if (this.isAny) this.#lookAfter(Math.min(2 * ms, MAX_LOOK_MS));',
    to: '',
  },
  {
    ...WITHDRAWN,
    name: 'withdrawn calls: looked after for ever',
    from: 'if (this.isAny) this.#lookAfter(',
    to: 'this.#lookAfter(',
  },
  {
    ...WITHDRAWN,
    name: 'withdrawn calls: the timer keeps the process alive',
    from: 'this.#timer.unref();',
    to: '',
  },
  {
    ...WITHDRAWN,
    name: 'withdrawn calls: released before what they came after has finished',
    from: 'if (this.#table.isPending(call.after)) return true;',
    to: '',
  },
  {
    ...WITHDRAWN,
    name: 'withdrawn calls: nobody is told of the free slot',
    file: 'client/session.ts',
    from: 'withState(call.word, SlotState.building));\n    this.starvation.wakeOther();',
    to: 'withState(call.word, SlotState.building));',
  },
];
