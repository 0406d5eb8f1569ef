/** Faults of how a server tells whose a region is, and cleans up after its threads, which tests of these must notice. */

/** @import { Mutation } from './mutations.mjs' */

const NOTES = { file: 'server/segment-notes.ts', test: 'durability/owners' };
const CATCH_UP = { file: 'server/log-catch-up.ts', test: 'durability/only-copy' };
const HEADER = { file: 'memory/header-copy.ts', test: 'integration/warm-restart' };
const GUARD = { file: 'server/header-guard.ts', test: 'server/garbage' };
const RECOVERY = { file: 'server/recovery.ts', test: 'server/recovery' };
const IN_FLIGHT = { test: 'server/in-flight' };
const RETRIES = { file: 'server/retries.ts', test: 'server/retries' };
const BELLS = { file: 'exchange/worker-bells.ts', test: 'exchange/worker-bells' };
const CLOCK = { file: 'server/wait-clock.ts', test: 'server/wait-clock' };

/** @type {readonly Mutation[]} */
export const SERVER_MUTATIONS = [
  {
    ...BELLS,
    name: 'bells: more workers are rung than there are CPUs',
    from: 'if (awake < most) this.ringOne();',
    to: 'if (awake <= most) this.ringOne();',
  },
  {
    ...BELLS,
    name: 'bells: a worker that is busy for long counts as awake',
    from: 'clearBits(this.#words, CtlHeader.awake, 1 << worker);\n  }\n\n  /** Sleeps',
    to: '}\n\n  /** Sleeps',
  },
  {
    ...NOTES,
    name: 'notes: any segment is the own one',
    from: 'return [this.#begun, this.#named].some((at) => load(this.#words, at) === (salt | 0));',
    to: 'return salt >= 0;',
  },
  {
    ...NOTES,
    name: 'notes: a segment is noted that has no name yet',
    from: '[this.#begun, this.#named]',
    to: '[this.#begun]',
    test: 'durability/file-deaths',
  },
  {
    ...NOTES,
    name: 'notes: a segment is noted only once it has its name',
    from: '[this.#begun, this.#named]',
    to: '[this.#named]',
    test: 'durability/file-deaths',
  },
  {
    ...CATCH_UP,
    name: 'catch up: whoever wrote the files',
    from: 'checkOwner(directory, data, geometry, repair);\n  try',
    to: 'try',
    test: 'durability/owners',
  },
  {
    ...CATCH_UP,
    name: 'catch up: a log has to be whole',
    from: 'if (!(error instanceof KvsError) || !SPOILT.has(error.code)) throw error;',
    to: 'throw error;',
  },
  {
    ...CATCH_UP,
    name: 'catch up: nobody is told of the gap',
    from: 'store(data.words, geometry.logControlOffset / 4 + LogControl.gap, 1);',
    to: '',
  },
  {
    ...CATCH_UP,
    name: 'catch up: numbers of lost records are used again',
    from: 'const lastSequence = Math.max(named, feed.writtenSequence) + geometry.logCells + 1;',
    to: 'const lastSequence = feed.writtenSequence;',
  },
  {
    ...HEADER,
    name: 'header: nothing is put back',
    from: 'writeSync(fd, header.bytes, 0, (CtlHeader.state + 1) * 4, 0);',
    to: '',
  },
  {
    ...HEADER,
    name: 'header: any shape is the one that is noted',
    from: 'return FIXED.every((name) => noted[name] === told[name]);',
    to: 'return noted.slots >= 0 && told.slots >= 0 && FIXED.length > 0;',
  },
  {
    ...GUARD,
    name: 'header: most of what clients overwrite stays',
    from: 'this.#static.entries()',
    to: 'this.#static.subarray(0, 1).entries()',
  },
  {
    ...GUARD,
    name: 'header: the state is not noted',
    from: 'noteState(this.#data, state);',
    to: 'noteState(this.#data, 0);',
    test: 'integration/warm-restart',
  },
  {
    ...RECOVERY,
    name: 'recovery: takes the locks of the living',
    from: 'if (holder !== worker && hasEnded(holder))',
    to: 'if (holder !== worker && (hasEnded(holder) || true))',
  },
  {
    ...RECOVERY,
    name: 'recovery: a repair within another does what that is at',
    from: 'if (holder !== worker && hasEnded(holder)) this.#heapOf(holder).repair(holder, true);',
    to: 'if (hasEnded(holder)) this.#heapOf(holder).repair(holder);',
  },
  {
    ...RECOVERY,
    name: 'recovery: a request that another worker names is settled',
    from: '&& this.#isNamedByOther(slot, executing, record)) {',
    to: '&& slot < 0) {',
  },
  {
    ...IN_FLIGHT,
    file: 'server/executor.ts',
    name: 'executor: what is put back is named by nobody for a moment',
    from: 'if (!this.#slots.putBack(slot, executing)) {',
    to: 'this.#forget();\n if (!this.#slots.putBack(slot, executing)) {',
  },
  {
    ...IN_FLIGHT,
    file: 'server/settlement.ts',
    name: 'settlement: of what has just been answered the answer is freed',
    from: "if (this.#table.word(slot) !== executing) return 'overtaken';",
    to: '',
  },
  {
    ...RETRIES,
    name: 'retries: all are due at once',
    from: 'if (waiting.dueMs <= now) this.#queueNext',
    to: 'if (waiting.dueMs <= now * 2) this.#queueNext',
  },
  {
    ...RETRIES,
    name: 'retries: as soon as ever, however long one waits',
    from: '(now - waiting.sinceMs) * PAUSE_SHARE;',
    to: '(now - waiting.sinceMs) * 0 * PAUSE_SHARE;',
  },
  {
    ...RETRIES,
    name: 'retries: what comes puts off what waits',
    from: 'Math.min(waiting.dueMs, now + Math.min(Math.max(pause, MIN_PAUSE_MS), MAX_PAUSE_MS))',
    to: 'now + Math.min(Math.max(pause, MIN_PAUSE_MS), MAX_PAUSE_MS)',
  },
  {
    ...RETRIES,
    name: "retries: another client's request is tried in the turn of a stale one",
    from: 'ownerOf(word) === client && this',
    to: 'this',
  },
  {
    file: 'memory/lock.ts',
    test: 'memory/lock',
    name: 'lock: who waits is told of a holder that there is not',
    from: 'if (slices > slicesTold && holder >= 0)',
    to: 'if (slices > slicesTold)',
  },
  {
    file: 'exchange/slot-table.ts',
    test: 'exchange/slot-table',
    name: 'slot: a withdrawn request leaves word that its answer found no room',
    from: 'this.#words[this.base(slot) + Slot.status] = Status.ok;',
    to: '',
  },
  {
    ...RETRIES,
    name: 'retries: the next one waits although there was room',
    from: 'waiting.sinceMs = now;\n    this.#queueNext(client, waiting, now);',
    to: 'waiting.sinceMs = now;',
  },
  {
    ...CLOCK,
    name: 'wait clock: goes on with another use of the word',
    from: ' || now - this.#lastMs[slot] > SAME_WAIT_MS',
    to: '',
  },
  {
    file: 'client/pipeline.ts',
    test: 'integration/large-writes',
    name: 'room: given back while a worker reads what is there',
    from: 'if (session.isDone(one)) session.staging',
    to: "if (one.state === 'submitted') session.staging",
  },
  {
    file: 'client/pipeline.ts',
    test: 'integration/large-writes',
    name: 'room: what waits for it is not copied',
    from: 'copyGiven(call);',
    to: '',
  },
  {
    file: 'store/eviction.ts',
    test: 'store/eviction',
    name: 'eviction: under the lock of whatever stripe the block tells of',
    from: 'if (this.#words[at] !== word || !map.findEntry(hash, granule) || map.foundWord !== at) return 0;',
    to: 'if (this.#words[at] !== word || !this.#isNamed(word, hash)) return 0;',
  },
  {
    file: 'operation/batch-reader.ts',
    test: 'operation/garbage',
    name: 'batch: what is malformed is passed over',
    from: 'if (next > this.#end) return -1;\n    this.#next = next;',
    to: 'this.#next = next;\n    if (next > this.#end) return -1;',
  },
  {
    file: 'client/request-writer.ts',
    test: 'server/garbage',
    name: 'request: what was noted of an earlier use stays',
    from: 'if (words[base + Slot.replay] !== 0) words[base + Slot.replay] = 0;',
    to: '',
  },
];
