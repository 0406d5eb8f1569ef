/** Faults of the heap and of its lock, which the explorations of these must notice. */

/** @import { Mutation } from './mutations.mjs' */

const HEAP = { file: 'store/heap.ts', model: 'heap' };
const SLABS = { file: 'store/slabs.ts', model: 'heap' };
const BLOCKS = { file: 'store/blocks.ts', model: 'heap' };
const RUNS = { file: 'store/runs.ts', model: 'heap' };
const LIMBO = { file: 'store/limbo.ts', model: 'heap' };
const REBUILD = { file: 'store/heap-rebuild.ts', model: 'heap' };
const LOCK = { file: 'memory/lock.ts', model: 'lock' };

/** @type {readonly Mutation[]} */
export const HEAP_MUTATIONS = [
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
    from: '} else if ((word & CONTENDED) !== 0 || cas(words, index, word, word | CONTENDED)) {\n      const startedAt = performance.now();\n      const result = native.futexWait(words, index, word | CONTENDED, SLICE_MS)',
    to: '} else {\n      const startedAt = performance.now();\n      const result = native.futexWait(words, index, word, SLICE_MS)',
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
];
