/** Faults put into the shipped protocols on purpose, one at a time, and the scenario that must notice each. */

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

const HEAP = { file: 'store/heap.ts', model: 'heap' };
const SLABS = { file: 'store/slabs.ts', model: 'heap' };
const BLOCKS = { file: 'store/blocks.ts', model: 'heap' };
const RUNS = { file: 'store/runs.ts', model: 'heap' };
const LIMBO = { file: 'store/limbo.ts', model: 'heap' };
const REBUILD = { file: 'store/heap-rebuild.ts', model: 'heap' };
const QUOTA = { file: 'exchange/answer-quota.ts', test: 'exchange/answer-quota' };
const TRUST = { file: 'memory/file-trust.ts', test: 'memory/region-files' };
const RINGER = { file: 'exchange/bell-ringer.ts', test: 'exchange/bell-ringer' };
const WITHDRAWN = { file: 'client/withdrawn-calls.ts', test: 'client/withdrawn-calls' };
const LOCK = { file: 'memory/lock.ts', model: 'lock' };

/** @type {readonly Mutation[]} */
export const MUTATIONS = [
  {
    ...QUEUE,
    name: 'queue: no check for full',
    from: 'if (((tail - load(words, CtlHeader.queueHead)) | 0) >= this.#cells) return false;',
    to: '',
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
    name: 'slot: a cancel in any state',
    from: 'withState(submitted, SlotState.submitted),',
    to: 'this.word(slot),',
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
    from: 'if (!isOver && queue.isEmpty()) native.futexWait',
    to: 'if (!isOver) native.futexWait',
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
    from: 'store(this.#words, (granule << 2) + Entry.incarnation, incarnationOf(version));\n    const at = this.#foundWord !== 0 ? this.#foundWord : this.#emptyWord;\n    const old = this.#commit(at, (hash & ~this.#granuleMask) | granule, done, 1);',
    to: 'const at = this.#foundWord !== 0 ? this.#foundWord : this.#emptyWord;\n    const old = this.#commit(at, (hash & ~this.#granuleMask) | granule, done, 1);\n    store(this.#words, (granule << 2) + Entry.incarnation, incarnationOf(version));',
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
    ...LOCK,
    name: 'lock: taken without compare-and-swap',
    from: 'if (load(words, index) === 0 && cas(words, index, 0, mine)) return;',
    to: 'if (load(words, index) === 0) {\n exchange(words, index, mine);\n return;\n }',
  },
  {
    ...LOCK,
    name: 'lock: who was woken forgets that others sleep',
    from: 'if (cas(words, index, 0, mine | CONTENDED)) return;',
    to: 'if (cas(words, index, 0, mine)) return;',
  },
  {
    ...LOCK,
    name: 'lock: nobody is woken',
    from: 'if ((exchange(words, index, 0) & CONTENDED) !== 0) native.futexWake(words, index, 1);',
    to: 'exchange(words, index, 0);',
  },
  {
    ...LOCK,
    name: 'lock: asleep without a mark',
    from: '} else if ((word & CONTENDED) !== 0 || cas(words, index, word, word | CONTENDED)) {\n      if (native.futexWait(words, index, word | CONTENDED, SLICE_MS)',
    to: '} else {\n      if (native.futexWait(words, index, word, SLICE_MS)',
  },
  {
    ...SLABS,
    name: 'heap: a small block is in use before it is noted',
    from: 'store(words, note, granule);\n    // SYNC: the block is in use from this store on, and already noted.\n    store(words, header + HEADER_WORDS + word, ~free | bit);',
    to: 'store(words, header + HEADER_WORDS + word, ~free | bit);\n    store(words, note, granule);',
  },
  {
    ...SLABS,
    name: 'heap: the note of a small block is cleared before the block is free',
    from: 'this.#returnBlock(slab, header, block, line);\n      this.forget(granule);',
    to: 'this.forget(granule);\n      this.#returnBlock(slab, header, block, line);',
  },
  {
    ...SLABS,
    name: 'heap: the note of a small block stays',
    from: 'this.#returnBlock(slab, header, block, line);\n      this.forget(granule);',
    to: 'this.#returnBlock(slab, header, block, line);',
  },
  {
    ...SLABS,
    name: "heap: blocks are taken without the class's lock",
    from: 'lock(this.#words, line + SizeClass.lock, this.#worker);\n    try {\n      let slab',
    to: 'try {\n      let slab',
  },
  {
    ...SLABS,
    name: 'heap: an empty slab is given back without the lock of the runs',
    from: 'this.#runs.lock();\n    this.#runs.free(slab);\n    this.#runs.unlock();',
    to: 'this.#runs.free(slab);',
  },
  {
    ...SLABS,
    name: 'heap: a slab that is given back stays listed',
    from: '} else {\n      this.#unlink(header, line);\n    }\n    words[line + SizeClass.slabs]--;',
    to: '}\n    words[line + SizeClass.slabs]--;',
  },
  {
    ...SLABS,
    name: 'heap: a full slab that gets a free block is not listed',
    from: 'if (wasFull && words[header + SlabHeader.isEvacuating] === 0) this.#link(slab, header, line);',
    to: '',
  },
  {
    ...SLABS,
    name: 'heap: a slab is in use before its bitmap is clear',
    from: 'clearBitmap(words, header + HEADER_WORDS, sizeClass);\n      this.#runs.commit(slab, slabUnitsOf[sizeClass], RunKind.slab);',
    to: 'this.#runs.commit(slab, slabUnitsOf[sizeClass], RunKind.slab);\n      clearBitmap(words, header + HEADER_WORDS, sizeClass);',
  },
  {
    ...SLABS,
    name: 'heap: a class is rebuilt without its counts',
    from: 'words.fill(0, line + SizeClass.partial, line + SizeClass.freeBlocks + 1);',
    to: 'words.fill(0, line + SizeClass.partial, line + SizeClass.freeBlocks);',
  },
  {
    ...BLOCKS,
    name: 'heap: a large block is in use before it is noted',
    from: 'store(this.#words, this.#pending, granule);\n      this.runs.commit(run, units, RunKind.large);',
    to: 'this.runs.commit(run, units, RunKind.large);\n      store(this.#words, this.#pending, granule);',
  },
  {
    ...BLOCKS,
    name: 'heap: the note of a large block is cleared after the lock is free',
    from: 'this.slabs.forget(granule);\n      this.limbo.settle();\n      return true;\n    } finally {\n      this.runs.unlock();\n    }',
    to: 'this.limbo.settle();\n      return true;\n    } finally {\n      this.runs.unlock();\n      this.slabs.forget(granule);\n    }',
  },
  {
    ...BLOCKS,
    name: 'heap: pinned blocks are freed',
    from: 'if (isPinned) this.limbo.add(granule);\n      else this.runs.free(unit);',
    to: 'if (isPinned && granule < 0) this.limbo.add(granule);\n      else this.runs.free(unit);',
  },
  {
    ...RUNS,
    name: 'heap: what is cut off a run is lost',
    from: 'if (length > units) this.#joinNext(run + units, length - units);',
    to: '',
  },
  {
    ...RUNS,
    name: 'heap: a run is in use before the rest of it is a run',
    from: 'if (!isClaimed) this.#free.remove(run, length);\n    if (length > units) this.#joinNext(run + units, length - units);',
    to: 'if (!isClaimed) this.#free.remove(run, length);\n    store(this.#words, this.#table + run, headWord(RunKind.free, units));\n    if (length > units) this.#joinNext(run + units, length - units);',
  },
  {
    ...RUNS,
    name: 'heap: a free run does not join the one before it',
    from: 'if (this.kindOf(before) === RunKind.free) {',
    to: 'if (this.kindOf(before) === RunKind.free && unit < 0) {',
  },
  {
    ...LIMBO,
    name: 'heap: what comes out of limbo is out of the list before it is noted',
    from: 'store(words, this.#pending, granule);\n      store(words, link, words[linkOf(granule)]);',
    to: 'store(words, link, words[linkOf(granule)]);\n      store(words, this.#pending, granule);',
  },
  {
    ...HEAP,
    name: 'heap: a note of what is in limbo stays',
    from: 'if (granules.includes(load(this.#words, pending))) store(this.#words, pending, 0);',
    to: '',
  },
  {
    ...HEAP,
    name: 'heap: notes of blocks that are free already stay',
    from: 'if (granule !== 0 && !this.#blocks.isUsed(granule)) store(this.#words, record + note, 0);',
    to: '',
  },
  {
    ...HEAP,
    name: 'heap: a block that is kept is named by no note for a moment',
    from: 'store(this.#words, this.#record + WorkerRecord.keptBlock, granule);\n    store(this.#words, this.#record + WorkerRecord.pendingBlock, 0);',
    to: 'store(this.#words, this.#record + WorkerRecord.pendingBlock, 0);\n    store(this.#words, this.#record + WorkerRecord.keptBlock, granule);',
  },
  {
    ...HEAP,
    name: 'heap: a block that two notes name is freed twice',
    from: 'if (kept !== 0 && kept !== pending) this.free(kept);',
    to: 'if (kept !== 0) this.free(kept);',
  },
  {
    ...HEAP,
    name: 'heap: the lock of the runs stays with the dead',
    from: 'unlock(words, runLock);',
    to: '',
  },
  {
    ...REBUILD,
    name: 'heap: bitmaps are not made anew',
    from: 'else if (this.#classOf[unit] !== LARGE) this.#writeBitmap(unit, this.#classOf[unit]);',
    to: '',
  },
  {
    ...REBUILD,
    name: 'heap: pinned blocks are free after a restart',
    from: 'this.#words[control + HeapControl.limboBlocks]++;',
    to: '',
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
  {
    ...QUOTA,
    name: 'quota: everything is admitted',
    from: 'const isAdmitted = waiting === 0 || waiting + chunks <= this.#maxChunks;',
    to: 'const isAdmitted = waiting >= 0;',
  },
  {
    ...QUOTA,
    name: 'quota: who has none waiting is refused what is large',
    from: 'waiting === 0 || waiting + chunks',
    to: 'waiting + chunks',
  },
  {
    ...QUOTA,
    name: 'quota: the count is never set right',
    from: 'const waiting = this.#countWaiting(client);',
    to: 'const waiting = this.#taken[client] - chunks;',
  },
  {
    ...QUOTA,
    name: 'quota: answers of others count',
    from: 'ownerOf(word) === client && ',
    to: '',
  },
  {
    ...QUOTA,
    name: 'quota: answers that were taken count',
    from: 'stateOf(word) === SlotState.done && ownerOf(word) === client && useOf(slot, word) === use',
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
