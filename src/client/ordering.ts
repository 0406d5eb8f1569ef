/**
 * Keeps one client's operations on one key in the order in which they were issued, awaited or not. Keys fall into
 * classes; of each class the last use of a slot is remembered, and a request names the one it must come after. The
 * worker waits for that one (server/executor.ts); a use that is no longer pending waits for nobody.
 * What one name cannot say is held back by the client itself: batches behind any of their keys, operations on the
 * whole store behind everything, and everything behind an mget that may have to ask again.
 */
import { lengthOf } from '../codec/given-bytes.js';
import type { SlotTable } from '../exchange/slot-table.js';
import type { Call } from './call.js';

const CLASSES = 4096;
const NONE = -1;
/** The call cannot be submitted yet. */
export const BLOCKED = -2;

export class Ordering {
  readonly #table: SlotTable;
  readonly #lastUse = new Int32Array(CLASSES).fill(NONE);
  /** Uses that nobody waits for any more and that may not have finished. */
  #abandoned: number[] = [];
  /** Uses that may have a follow-up, which comes before everything on their keys. */
  readonly #holding = new Set<number>();
  /** The last operation on the whole store. */
  #barrier = NONE;
  /** A call that nothing was pending beside, and whose class nobody has had to know yet. */
  #lone: Call | undefined;

  constructor(table: SlotTable) {
    this.#table = table;
  }

  /** Whether nothing that was issued can still be pending, apart from `inFlight` calls. */
  isIdle(inFlight: number): boolean {
    if (inFlight > 0) return false;
    this.#forgetFinished();
    return this.#abandoned.length === 0;
  }

  #forgetFinished(): void {
    if (this.#abandoned.length > 0) this.#abandoned = this.#abandoned.filter((use) => this.#table.isPending(use));
  }

  /** @returns the use that the call must come after, -1: none, BLOCKED: it must not be submitted yet */
  predecessorOf(call: Call, inFlight: number): number {
    this.#noteLone();
    this.#forgetFinished();
    const { scope } = call.operation;
    if (scope === 'all') return this.isIdle(inFlight) ? NONE : BLOCKED;
    if (scope === 'batch') return this.#isAnyPending(classesOf(call)) ? BLOCKED : this.#pending(this.#barrier);
    if (call.key === '') return NONE;
    const last = this.#lastUse[classOfCall(call)];
    if (this.#holding.has(last)) return BLOCKED;
    return this.#table.isPending(last) ? last : this.#pending(this.#barrier);
  }

  #isAnyPending(classes: Int32Array): boolean {
    for (let i = 0; i < classes.length; i++) if (this.#isClassPending(classes[i])) return true;
    return false;
  }

  #isClassPending(index: number): boolean {
    const use = this.#lastUse[index];
    return this.#holding.has(use) || this.#table.isPending(use);
  }

  #pending(use: number): number {
    return this.#table.isPending(use) ? use : NONE;
  }

  /** Whether something of this client on the key is still pending, so that a read must come after it. */
  isPending(key: string | Uint8Array): boolean {
    this.#noteLone();
    return this.#isClassPending(classOf(key)) || this.#table.isPending(this.#barrier);
  }

  /**
   * Remembers a submitted call as the last one of its keys.
   * @param isAlone nothing else is pending: as a rule the call is answered before anybody asks for its key
   */
  note(call: Call, isAlone: boolean): void {
    call.isOrdered = true;
    const { scope } = call.operation;
    // Bytes may change until somebody asks.
    if (isAlone && scope === 'key' && call.next === undefined && typeof call.key === 'string') {
      this.#lone = call;
      return;
    }
    this.#lone = undefined;
    if (scope === 'all') this.#barrier = call.use;
    else if (scope === 'batch') for (const index of classesOf(call)) this.#lastUse[index] = call.use;
    else if (call.key !== '') this.#lastUse[classOfCall(call)] = call.use;
    if (call.next !== undefined) this.#holding.add(call.use);
  }

  #noteLone(): void {
    const call = this.#lone;
    if (call === undefined) return;
    this.#lone = undefined;
    if (call.key !== '') this.#lastUse[classOfCall(call)] = call.use;
  }

  /** The call is settled. `isPending`: it may be executed all the same. */
  forget(call: Call, isPending: boolean): void {
    if (isPending) {
      // A blocking call that nothing was in flight beside was not noted.
      if (!call.isOrdered) this.note(call, false);
      this.#noteLone();
      this.#abandoned.push(call.use);
    }
    if (call.next !== undefined) this.#holding.delete(call.use);
  }
}

function classOfCall(call: Call): number {
  if (call.keyClass < 0) call.keyClass = classOf(call.key);
  return call.keyClass;
}

function classesOf(call: Call): Int32Array {
  if (call.keyClasses !== undefined) return call.keyClasses;
  const { items = [] } = call;
  const classes = new Int32Array(items.length);
  for (let i = 0; i < items.length; i++) classes[i] = classOf(items[i].key);
  call.keyClasses = classes;
  return classes;
}

/** FNV-1a over the bytes of the key, as text or not. */
function classOf(key: string | Uint8Array): number {
  let hash = 0x811c9dc5;
  if (typeof key === 'string') {
    for (let i = 0; i < key.length; i++) {
      const char = key.charCodeAt(i);
      if (char > 0x7f) return classOf(Buffer.from(key));
      hash = Math.imul(hash ^ char, 0x01000193);
    }
  } else {
    for (let i = 0, length = lengthOf(key); i < length; i++) hash = Math.imul(hash ^ key[i], 0x01000193);
  }
  return (hash ^ (hash >>> 15)) & (CLASSES - 1);
}
