/**
 * What size classes derive from the bitmaps of their slabs: lists and counts. All of a class is guarded by its lock:
 * while that is held, nothing is said about it. Lists are followed no farther than there are slabs.
 */
import { HeapControl, SizeClass, SlabHeader } from '../memory/layout.js';
import { load } from '../memory/words.js';
import { bitmapWordsOf, SIZE_CLASSES, slabBlocksOf } from '../store/size-class.js';
import type { HeapMap, Run } from './heap-map.js';
import type { Look } from './look.js';
import { classLine } from './workers.js';

const HEADER_WORDS = SlabHeader.sizeBytes / 4;

/** Looks at the lists and counts of all size classes. */
export function auditClasses(look: Look, heap: HeapMap): void {
  const byClass = Array.from({ length: SIZE_CLASSES }, (): Run[] => []);
  for (const run of heap.runs) if (run.sizeClass >= 0) byClass[run.sizeClass].push(run);
  for (const [index, slabs] of byClass.entries()) new ClassAudit(look, heap, index, slabs).run();
}

class ClassAudit {
  readonly #look: Look;
  readonly #heap: HeapMap;
  readonly #index: number;
  readonly #slabs: readonly Run[];
  readonly #words: Int32Array;
  readonly #line: number;
  readonly #where: string;

  constructor(look: Look, heap: HeapMap, index: number, slabs: readonly Run[]) {
    this.#look = look;
    this.#heap = heap;
    this.#index = index;
    this.#slabs = slabs;
    this.#words = look.data.words;
    this.#line = classLine(look.geometry, index);
    this.#where = `size class ${index}`;
  }

  run(): void {
    const { suspects } = this.#look;
    for (const slab of this.#slabs) this.#auditSlab(slab);
    const count = this.#unlessLocked(() => this.#wrongCount());
    if (count !== undefined) suspects.add('class-count', this.#where, count);
    const list = this.#unlessLocked(() => this.#wrongList());
    if (list !== undefined) suspects.add('slab-list', this.#where, list);
    const empty = this.#unlessLocked(() => this.#wrongEmpty());
    if (empty !== undefined) suspects.add('class-empty', this.#where, empty);
  }

  /** Looks at what the class's lock guards. @returns what is wrong although nobody holds it */
  #unlessLocked(find: () => string | undefined): string | undefined {
    const lock = this.#line + SizeClass.lock;
    return this.#look.always(() => {
      if (load(this.#words, lock) !== 0) return undefined;
      const wrong = find();
      return load(this.#words, lock) === 0 ? wrong : undefined;
    });
  }

  #auditSlab(run: Run): void {
    const { suspects } = this.#look;
    const header = this.#heap.blocks.runs.wordOf(run.unit);
    const where = `slab at unit ${run.unit}`;
    const isStill = (): boolean => this.#heap.blocks.slabs.classOf(run.unit) === this.#index;
    const count = this.#unlessLocked(() => {
      const said = this.#words[header + SlabHeader.usedBlocks];
      const used = this.#usedOf(run);
      return said === used || !isStill() ? undefined : `says ${said}, there are ${used}`;
    });
    if (count !== undefined) suspects.add('slab-count', where, count);
    const search = this.#unlessLocked(() => {
      const hint = this.#words[header + SlabHeader.hint];
      const first = this.#firstFreeWord(header);
      return (hint >= 0 && hint <= first) || !isStill()
        ? undefined
        : `from word ${hint}, the first is in word ${first}`;
    });
    if (search !== undefined) suspects.add('slab-search', where, search);
    const evacuating = this.#words[header + SlabHeader.isEvacuating];
    const compaction = this.#look.geometry.heapControlOffset / 4 + HeapControl.compactionLock;
    if (evacuating !== 0 && load(this.#words, compaction) === 0) {
      suspects.add('slab-evacuating', where, `says ${evacuating}`);
    }
  }

  /** The first word of the bitmap with a free block, or the number of its words. */
  #firstFreeWord(header: number): number {
    const count = bitmapWordsOf(this.#index);
    let word = 0;
    while (word < count && this.#words[header + HEADER_WORDS + word] === -1) word++;
    return word;
  }

  /** Blocks in use, as the bitmap says. */
  #usedOf(run: Run): number {
    const bitmap = this.#heap.blocks.runs.wordOf(run.unit) + HEADER_WORDS;
    const blocks = slabBlocksOf[this.#index];
    let used = 0;
    for (let first = 0; first < blocks; first += 32) {
      const mask = blocks - first >= 32 ? -1 : (1 << (blocks - first)) - 1;
      used += bitsOf(this.#words[bitmap + (first >> 5)] & mask);
    }
    return used;
  }

  #wrongCount(): string | undefined {
    const slabs = this.#words[this.#line + SizeClass.slabs];
    const free = this.#words[this.#line + SizeClass.freeBlocks];
    let counted = 0;
    for (const slab of this.#slabs) counted += slabBlocksOf[this.#index] - this.#usedOf(slab);
    if (slabs === this.#slabs.length && free === counted) return undefined;
    return `says ${slabs} slabs, ${free} free blocks; there are ${this.#slabs.length} and ${counted}`;
  }

  /** Follows the list of slabs with a free block, which has all of them, once. */
  #wrongList(): string | undefined {
    const unlisted = new Map(this.#slabs.map((run) => [run.unit, run]));
    let previous = 0;
    for (let slab = this.#words[this.#line + SizeClass.partial]; slab !== 0;) {
      const run = unlisted.get(slab - 1);
      if (run === undefined) return `leads to unit ${slab - 1}`;
      unlisted.delete(slab - 1);
      const header = this.#heap.blocks.runs.wordOf(slab - 1);
      if (this.#words[header + SlabHeader.previous] !== previous) return `unit ${slab - 1} does not lead back`;
      if (!this.#isOffered(run)) return `unit ${slab - 1} offers nothing`;
      previous = slab;
      slab = this.#words[header + SlabHeader.next];
    }
    const lost = [...unlisted.values()].filter((run) => this.#isOffered(run)).map(({ unit }) => unit);
    return lost.length === 0 ? undefined : `leaves out units ${lost.slice(0, 10).join(' ')}`;
  }

  #isOffered(run: Run): boolean {
    const header = this.#heap.blocks.runs.wordOf(run.unit);
    return this.#usedOf(run) < slabBlocksOf[this.#index] && this.#words[header + SlabHeader.isEvacuating] === 0;
  }

  /** The kept empty slab may have been taken into use since; then another is noted with the next that is empty. */
  #wrongEmpty(): string | undefined {
    const empty = this.#words[this.#line + SizeClass.empty];
    if (empty === 0) return undefined;
    const run = this.#slabs.find(({ unit }) => unit === empty - 1);
    if (run === undefined) return `unit ${empty - 1} is no slab of it`;
    const used = this.#usedOf(run);
    return used === 0 ? undefined : `unit ${empty - 1} has ${used} blocks in use`;
  }
}

function bitsOf(word: number): number {
  let bits = 0;
  for (let rest = word; rest !== 0; rest &= rest - 1) bits++;
  return bits;
}
