/** Faults put into the shipped protocols on purpose, one at a time, and the scenario that must notice each. */
import { CLIENT_MUTATIONS } from './client-mutations.mjs';
import { GUARD_MUTATIONS } from './guard-mutations.mjs';
import { HEAP_MUTATIONS } from './heap-mutations.mjs';
import { LANE_MUTATIONS } from './lane-mutations.mjs';
import { LOG_MUTATIONS } from './log-mutations.mjs';
import { OPERATION_MUTATIONS } from './operation-mutations.mjs';
import { SERVER_MUTATIONS } from './server-mutations.mjs';

/**
 * @typedef {object} Mutation
 * @property {string} name
 * @property {string} file below src/
 * @property {string} from found exactly once
 * @property {string} to
 * @property {string} [model] below test/model/: an exploration of all interleavings
 * @property {string} [test] below test/: another test
 * @property {string} [crash] the crash points of this name
 */

const QUEUE = { file: 'exchange/task-queue.ts', model: 'task-queue' };
const SLOTS = { file: 'exchange/slot-table.ts', model: 'slot-table' };
const ARENA = { file: 'exchange/payload-arena.ts', model: 'arena' };
const REAPER = { file: 'server/reaper.ts', model: 'arena' };
const LEASE = { file: 'memory/client-lease.ts', model: 'lease' };
const BELLS = { file: 'exchange/worker-bells.ts', model: 'worker-bells' };
const PINS = { file: 'memory/pins.ts', model: 'pins' };

/** @type {readonly Mutation[]} */
export const MUTATIONS = [
  {
    ...QUEUE,
    name: 'queue: no check for full',
    from: 'if (this.#isFull(tail)) return false;',
    to: '',
  },
  {
    ...QUEUE,
    name: 'queue: full by a head that was seen long ago',
    from: 'this.headSeen = load(this.#words, CtlHeader.queueHead);\n    return',
    to: 'return',
  },
  {
    file: QUEUE.file,
    test: 'exchange/task-queue',
    name: 'queue: a reset goes back to positions that there were',
    from: 'const next = (round + this.#cells) | 0;\n    this.#words.fill(round,',
    to: 'const next = this.#cells;\n    this.#words.fill(0,',
  },
  {
    ...QUEUE,
    name: 'queue: a dequeue without compare-and-swap',
    from: 'if (cas(words, CtlHeader.queueHead, head, (head + 1) | 0)) return',
    to: 'store(words, CtlHeader.queueHead, (head + 1) | 0);\n return',
  },
  {
    ...QUEUE,
    name: 'queue: an enqueue without compare-and-swap',
    from: 'if (cas(words, index, cell, cycle | slot)) {',
    to: 'store(words, index, cycle | slot);\n {',
  },
  {
    ...QUEUE,
    name: 'queue: nobody helps a tail that was left behind',
    from: '// Written already, its tail not yet moved: help.\n        cas(words, CtlHeader.queueTail, tail, (tail + 1) | 0);',
    to: '',
  },
  {
    ...QUEUE,
    name: 'queue: the tail moves before its cell is written',
    from: 'if (cas(words, index, cell, cycle | slot)) {\n',
    to: 'cas(words, CtlHeader.queueTail, tail, (tail + 1) | 0);\n if (cas(words, index, cell, cycle | slot)) {\n',
  },
  {
    ...SLOTS,
    name: 'slot: a claim without compare-and-swap',
    from: 'return cas(this.#words, index, word, claimed) ? claimed : 0;',
    to: 'store(this.#words, index, claimed);\n return claimed;',
  },
  {
    ...SLOTS,
    name: 'slot: steps without compare-and-swap',
    from: 'return cas(this.#words, this.base(slot) + Slot.word, from, word) ? word : 0;',
    to: 'store(this.#words, this.base(slot) + Slot.word, word);\n return word;',
  },
  {
    ...SLOTS,
    name: 'slot: a hint is taken for an answer',
    from: '=== done && load(this.#words, base + Slot.word) === done',
    to: '=== done',
  },
  {
    ...SLOTS,
    name: 'slot: a withdrawal in any state',
    from: 'if (this.#step(slot, submitted, SlotState.building) === 0) return false;',
    to: 'if (this.#step(slot, this.word(slot), SlotState.building) === 0) return false;',
  },
  {
    ...SLOTS,
    name: 'slot: a generation that stays',
    file: 'exchange/slot-word.ts',
    from: '((generationOf(word) + 1) & GENERATION_MASK)',
    to: '(generationOf(word) & GENERATION_MASK)',
  },
  {
    ...ARENA,
    name: 'arena: a claim of what is taken meanwhile',
    from: '!cas(this.#words, base + i, 0, owner)',
    to: '!cas(this.#words, base + i, load(this.#words, base + i), owner)',
  },
  {
    ...ARENA,
    name: 'arena: a claim that fails keeps what it had',
    from: 'for (let back = i - 1; back >= 0; back--) cas(this.#words, base + back, owner, 0);',
    to: '',
  },
  {
    ...ARENA,
    name: "arena: reclaiming takes others' chunks",
    from: 'if (cas(this.#words, this.#firstOwner + chunk, owner, 0)) freed++;',
    to: 'if (cas(this.#words, this.#firstOwner + chunk, load(this.#words, this.#firstOwner + chunk), 0)) freed++;',
  },
  {
    ...REAPER,
    name: 'reaper: chunks of requests are swept before they are submitted',
    from: 'return stateOf(word) === SlotState.free || useOf(slot, word) !== use;',
    to: 'return stateOf(word) !== SlotState.executing;',
  },
  {
    ...REAPER,
    name: 'reaper: chunks are freed before the request is out of reach',
    from: 'this.#table.withdraw(slot, word);',
    to: 'this.#arena.reclaim(useOf(slot, word));\n this.#table.withdraw(slot, word);',
  },
  {
    ...REAPER,
    name: 'reaper: what is executing is not abandoned',
    from: 'if (this.#table.abandon(slot, word)) return false;',
    to: 'return false;',
  },
  {
    ...LEASE,
    name: 'lease: claimed without the lock',
    from: 'if (!native.tryLockByte(region.ctlFd, CLIENT_LEASE_BYTE + client)) continue;',
    to: 'native.tryLockByte(region.ctlFd, CLIENT_LEASE_BYTE + client);',
  },
  {
    ...LEASE,
    name: 'lease: unlocked before its record is cleared',
    from: 'cas(region.ctl.words, clientBase(region, client) + ClientRecord.inUse, LeaseState.leased, LeaseState.unused);\n  native.unlockByte(region.ctlFd, CLIENT_LEASE_BYTE + client);',
    to: 'native.unlockByte(region.ctlFd, CLIENT_LEASE_BYTE + client);\n  cas(region.ctl.words, clientBase(region, client) + ClientRecord.inUse, LeaseState.leased, LeaseState.unused);',
  },
  {
    ...REAPER,
    model: 'lease',
    name: 'reaper: reaps without the lock',
    from: 'if (!native.tryLockByte(this.#region.ctlFd, byte)) continue;',
    to: 'native.tryLockByte(this.#region.ctlFd, byte);',
  },
  {
    ...BELLS,
    name: 'bells: nobody is rung',
    from: 'if (load(this.#words, CtlHeader.awake) === 0) this.ringOne();',
    to: '',
  },
  {
    ...BELLS,
    name: 'bells: no last look before sleep',
    from: 'if (!isOver() && queue.isEmpty()) native.futexWait',
    to: 'if (!isOver()) native.futexWait',
  },
  {
    name: 'reader: a mismatch is taken for a missing key without another look',
    file: 'store/reader.ts',
    model: 'reader',
    from: 'if (this.isStillThere()) return Found.missing;',
    to: 'return Found.missing;',
  },
  {
    name: 'writer: an entry is readable only after it is published',
    file: 'store/hash-map.ts',
    model: 'reader',
    from: 'store(this.words, (granule << 2) + Entry.incarnation, incarnationOf(version));\n    const at = this.#foundWord !== 0 ? this.#foundWord : this.#emptyWord;\n    const old = this.#commit(at, (hash & ~this.#granuleMask) | granule, done, 1, this.#log);',
    to: 'const at = this.#foundWord !== 0 ? this.#foundWord : this.#emptyWord;\n    const old = this.#commit(at, (hash & ~this.#granuleMask) | granule, done, 1, this.#log);\n    store(this.words, (granule << 2) + Entry.incarnation, incarnationOf(version));',
  },
  {
    ...PINS,
    name: 'pins: no fence before the look at them',
    from: 'exchange(this.#fence, 0, 0);',
    to: '',
  },
  {
    ...PINS,
    name: 'pins: a plain store pins',
    from: 'exchange(this.#words, this.#row + index, granule);',
    to: 'store(this.#words, this.#row + index, granule);',
  },
  {
    ...PINS,
    name: 'pins: no look after pinning',
    file: 'client/pinned-views.ts',
    from: 'if (!reader.isStillThere()) {',
    to: 'if (reader.start < 0) {',
  },
  {
    name: 'reader: what seems to be expired is missing, whoever has written there meanwhile',
    file: 'store/reader.ts',
    model: 'reader',
    from: 'if (this.#matches(at, word, granule, key) && !this.isExpired) return Found.found;',
    to: 'if (this.#matches(at, word, granule, key)) return this.isExpired ? Found.missing : Found.found;',
  },
  {
    name: 'post: what has expired and was replaced is not freed',
    file: 'operation/post.ts',
    crash: 'worker thread, removal of what has expired',
    from: 'if (!isTaken) return store.recycle(old);',
    to: 'if (!isTaken) return;',
  },
  {
    name: 'expiry: what was removed is not freed',
    file: 'store/expirer.ts',
    crash: 'worker thread, removal of what has expired',
    from: 'this.#heap.free(granule);',
    to: '',
  },
  {
    name: 'expiry: a removal without intent',
    file: 'store/hash-map.ts',
    crash: 'worker thread, removal of what has expired',
    from: 'return this.#take(at, hash, words[this.#record + WorkerRecord.done], 0, log);',
    to: 'words[at] = 0;\n return word & this.#granuleMask;',
  },
  {
    name: 'worker: says not what it executes',
    file: 'server/executor.ts',
    crash: 'server, incr',
    from: '    this.#note(slot, executing);\n',
    to: '',
  },
  {
    name: 'worker: the commit comes before the intent',
    file: 'store/hash-map.ts',
    crash: 'server, incr',
    from: 'store(words, record + WorkerRecord.bucketWord, at);\n    // SYNC: the commit; pairs with the bucket check of a direct read.\n    store(words, at, next);',
    to: 'store(words, at, next);\n    store(words, record + WorkerRecord.bucketWord, at);',
  },
  {
    name: 'worker: a large block is in use before it is noted',
    file: 'store/blocks.ts',
    crash: 'worker thread, set, in extents of the arena',
    from: 'store(this.#words, this.#pending, granule);\n      this.runs.commit(run, units, RunKind.large);',
    to: 'this.runs.commit(run, units, RunKind.large);\n      store(this.#words, this.#pending, granule);',
  },
  {
    name: 'recovery of a worker: its blocks are not freed',
    file: 'server/recovery.ts',
    crash: 'worker thread, set',
    from: 'heap.freeNoted();',
    to: '',
  },
  {
    name: 'recovery: what had taken effect is done again',
    file: 'store/map-repair.ts',
    crash: 'server, incr',
    from: 'words[record + WorkerRecord.done] = words[record + WorkerRecord.nextDone];',
    to: '',
  },
  {
    name: 'recovery: notes of dead workers stay',
    file: 'server/warm-restart.ts',
    crash: 'server, set',
    from: 'for (const note of BLOCK_NOTES) store(words, record + note, 0);',
    to: '',
  },
  {
    name: "recovery: chunks of a dead worker's answer stay",
    file: 'server/settlement.ts',
    crash: 'server, get',
    from: 'this.#releaseAnswer(slot, executing);',
    to: '',
  },
  {
    name: 'start: a region that never served is taken over',
    file: 'memory/region-claim.ts',
    crash: 'start',
    from: "if (identity.state === RegionState.starting) return unfit('its server died before it was ready', true);",
    to: '',
  },
  ...HEAP_MUTATIONS,
  ...LANE_MUTATIONS,
  ...GUARD_MUTATIONS,
  ...LOG_MUTATIONS,
  ...OPERATION_MUTATIONS,
  ...SERVER_MUTATIONS,
  ...CLIENT_MUTATIONS,
];
