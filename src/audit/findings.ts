/**
 * What an audit can find. A finding names one thing by kind, place and values: the same finding in two looks means that
 * nothing about it has changed in between.
 */

/**
 * - `damage`: shared words that contradict each other; something may be lost, served wrongly, or stand still.
 * - `leak`: in use, and nobody's.
 * - `hint`: a derived word that is wrong; whoever finds it sets it right, or the next server does.
 * - `busy`: in somebody's hands, or left to the server's next round or to the next server. Nothing is wrong.
 */
export type Severity = 'damage' | 'leak' | 'hint' | 'busy';

interface Kind {
  readonly severity: Severity;
  /** For people. */
  readonly means: string;
  /** A server that runs sets it right within seconds. */
  readonly isMended?: true;
}

const damage = (means: string): Kind => ({ severity: 'damage', means });
const leak = (means: string): Kind => ({ severity: 'leak', means });
const hint = (means: string): Kind => ({ severity: 'hint', means });
const busy = (means: string): Kind => ({ severity: 'busy', means });
const mended = (kind: Kind): Kind => ({ ...kind, isMended: true });

/** Every kind of finding, by its stable code. */
export const KINDS = {
  'header-state': mended(damage("the region's state is none")),
  'header-recoveries': damage('the count of failed recoveries is none'),
  'header-workers': hint('a bit says that a worker is awake or asleep that there is not'),
  'client-dead': busy('the client has died, the server frees what it held'),
  'client-record': hint("a client's record does not say what its lease says"),
  'client-flag': mended(hint('a flag of a client is neither 0 nor 1')),
  'client-count': mended(hint('the count of clients is wrong')),
  'pin-of-nobody': mended(leak('a pin of a client that there is not')),
  'pin-unmarked': damage("a pin that no worker looks at: its client's bit is not set"),
  'pin-marked': mended(hint('a bit says that a client holds pins that there is not')),
  'pin-astray': hint('a pin of what is no large block'),
  'slot-state': mended(damage('the state of a slot is none')),
  'slot-free-owned': damage('a free slot has an owner'),
  'slot-of-nobody': mended(leak('a slot of a client that there is not')),
  'slot-unnamed': mended(leak('a slot in execution that no worker names')),
  'slot-unqueued': mended(hint('a request that waits, and is not in the queue')),
  'slot-extent': damage('a request in the arena, in chunks that are not its own'),
  'chunk-word': mended(damage('the owner word of a chunk names no use of a slot')),
  'chunk-stale': mended(leak('a chunk of a use that is over')),
  'chunk-unreferenced': mended(leak('a chunk that its request or answer does not lie in')),
  'queue-position': damage('head and tail of the queue are farther apart than its cells'),
  'queue-cell': damage('a cell of the queue belongs to another round of it'),
  'queue-slot': hint('a cell of the queue names no slot'),
  'worker-slot': damage("a worker's record names no slot"),
  'worker-intent': damage("a worker's record names no bucket word"),
  'note-astray': damage("a worker's note names no block that it could hold"),
  'note-free': damage("a worker's note names a block that is free"),
  'lock-held': busy('a lock is held'),
  'lock-holder': damage('a lock is held by nobody that there is'),
  'entry-block': damage('a bucket word names no block in use'),
  'entry-unpublished': damage('a bucket word names an entry that is not readable'),
  'entry-tag': damage("a bucket word's tag is not of the entry's hash"),
  'entry-bucket': damage('an entry hangs in the bucket of another hash'),
  'entry-key-length': damage('the length of a key is none'),
  'entry-value-length': damage('the length of a value is none'),
  'entry-size': damage('an entry is larger than its block'),
  'entry-expiry': damage('the moment at which an entry expires is none'),
  'entry-hash': damage("an entry's hash is not its key's"),
  'entry-version': damage("an entry's version is none, or not of its stripe"),
  'key-twice': damage('a key is in the map twice'),
  'block-shared': damage('a block is named twice'),
  'overflow-link': damage('a link leads to no overflow bucket'),
  'overflow-shared': damage('a link leads to an overflow bucket that another leads to, or back'),
  'entry-count': hint("a stripe's count of entries is wrong"),
  'stripe-version': damage('a stripe would give out a version again'),
  'run-head': damage('the unit table does not say where the next run begins'),
  'run-back': hint('a word of the unit table does not lead back to its head'),
  'run-unmerged': hint('two free runs are neighbours'),
  'run-list': hint('a list of free runs is wrong, or leaves one out'),
  'run-count': hint('the count of free units or of large blocks is wrong'),
  'window-open': hint('a stretch of memory is out of use, and nobody empties it'),
  'slab-class': damage('a slab has no size class, or not the length of it'),
  'slab-bitmap': damage('a slab offers blocks that it has not'),
  'slab-count': hint("a slab's count of blocks in use is wrong"),
  'slab-search': hint('a slab is searched for free blocks behind the first one'),
  'slab-evacuating': hint('a slab is being emptied, and nobody does it'),
  'slab-list': hint('the list of slabs of a size class is wrong, or leaves one out'),
  'class-count': hint('the count of slabs or of free blocks of a size class is wrong'),
  'class-empty': hint('the kept empty slab of a size class is not empty, or not of it'),
  'limbo-list': damage('the list of pinned blocks that were freed is broken'),
  'limbo-count': hint('the count of pinned blocks that were freed is wrong'),
  'log-written': damage('the log does not say what of it is in the files'),
  'log-lanes': damage('the log has no number of lanes'),
  'log-lane': damage('a lane of the log does not say where its records are'),
  'block-leaked': leak('a block in use that nobody names'),
  'bucket-leaked': leak('an overflow bucket in use that hangs in no chain'),
} as const satisfies Record<string, Kind>;

export type FindingCode = keyof typeof KINDS;

export interface Finding {
  readonly severity: Severity;
  readonly what: FindingCode;
  readonly where: string;
  readonly detail: string;
}

/** Enough for any reader; more of them only tell that all is garbage. */
export const MAX_SUSPECTS = 10_000;

const isMended = ({ what }: Finding): boolean => KINDS[what].isMended === true;

/** What one look has found. */
export class Suspects {
  readonly #found = new Map<string, Finding>();
  #more = 0;

  /** @param detail has all values that make it suspicious */
  add(what: FindingCode, where: string, detail: string): void {
    if (this.#found.size >= MAX_SUSPECTS) this.#more++;
    else this.#found.set(`${what} ${where} ${detail}`, { severity: KINDS[what].severity, what, where, detail });
  }

  /** Counts one that is not listed. */
  skip(): void {
    this.#more++;
  }

  addAll(others: Suspects): void {
    for (const { what, where, detail } of others.#found.values()) this.add(what, where, detail);
    this.#more += others.#more;
  }

  /** Of those, what was found in an earlier look too. What is busy is taken from this one. */
  alsoIn(earlier: Suspects): Suspects {
    const both = new Suspects();
    for (const [key, finding] of this.#found) {
      if (finding.severity === 'busy' || earlier.#found.has(key)) both.#found.set(key, finding);
    }
    both.#more = Math.min(this.#more, earlier.#more);
    return both;
  }

  get isFull(): boolean {
    return this.#found.size >= MAX_SUSPECTS;
  }

  /** How many there are beside those listed. */
  get more(): number {
    return this.#more;
  }

  /** Whether anything is wrong, as far as is known. */
  get isAnyWrong(): boolean {
    return this.list().some(({ severity }) => severity !== 'busy');
  }

  /** Whether a server that runs will set some of it right. */
  get isAnyMended(): boolean {
    return this.list().some(isMended);
  }

  list(): Finding[] {
    return [...this.#found.values()];
  }

  /** list() beside a server that stands still: what it would set right is left to it. */
  listUnmended(): Finding[] {
    return this.list().map((finding) => (isMended(finding) ? { ...finding, severity: 'busy' } : finding));
  }
}
