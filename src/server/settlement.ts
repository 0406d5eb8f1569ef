/**
 * What becomes of a request whose worker died while it executed it: the worker's record says how much of it has taken
 * effect, to the last bucket word (store/hash-map.ts). Nothing: it is executed again, as if for the first time; all: its
 * answer, written before the commit, is published; some items of a batch: it is executed again from there on. Its client
 * goes on meanwhile and may abandon it, so every step is a compare-and-swap that may fail. The record must name the
 * request until it is settled: whoever dies in between leaves it to the next.
 */
import { Status } from '../errors.js';
import { PayloadArena } from '../exchange/payload-arena.js';
import {
  isReplay,
  MAX_REPLAYS,
  ownerOf,
  replayOf,
  replaysOf,
  SlotState,
  useOf,
  withState,
} from '../exchange/slot-word.js';
import { SlotTable } from '../exchange/slot-table.js';
import { native } from '../native.js';
import { type Geometry, MAX_CLIENTS, Slot, WorkerRecord } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { ResponseWriter } from '../operation/response-writer.js';
import { OPERATIONS } from '../operation/table.js';
import { Unsettled } from '../exchange/unsettled.js';

/** `unsettled`: it has taken effect, and is answered once the log is durable.
 * `refused`: as many workers as there may be have died over it. `overtaken`: its client has abandoned it. */
export type Settlement = 'answered' | 'replayed' | 'refused' | 'overtaken' | 'unsettled';

/** Instead of a record: no worker names the request. */
export const NOT_BEGUN = -1;

export class Settlements {
  readonly #ctl: SegmentViews;
  readonly #data: SegmentViews;
  readonly #table: SlotTable;
  readonly #arena: PayloadArena;
  readonly #unsettled: Unsettled;
  readonly #whenDurable: ((slot: number, executing: number) => void) | undefined;

  /** @param whenDurable answers later what has taken effect; undefined: it is answered at once */
  constructor(
    ctl: SegmentViews,
    data: SegmentViews,
    geometry: Geometry,
    whenDurable?: (slot: number, executing: number) => void,
  ) {
    this.#whenDurable = whenDurable;
    this.#unsettled = new Unsettled(data, geometry);
    this.#ctl = ctl;
    this.#data = data;
    this.#table = new SlotTable(ctl, geometry);
    this.#arena = new PayloadArena(ctl, geometry, 0);
  }

  /**
   * Settles the EXECUTING use of a slot. One that is replayed is SUBMITTED, and still has to be put in the queue.
   * @param record first word of the record of the worker that executed it, its intent resolved; or NOT_BEGUN
   */
  settle(slot: number, executing: number, record: number): Settlement {
    const { words } = this.#ctl;
    const base = this.#table.base(slot);
    const done = record === NOT_BEGUN ? 0 : this.#data.words[record + WorkerRecord.done];
    const isWhole = done > 0 && OPERATIONS[words[base + Slot.op]]?.scope === 'key';
    if (this.#unsettled.has(slot, executing)) return 'unsettled';
    // Or it was until just now, and the thread that writes the log has answered it: the answer is the client's.
    if (this.#table.word(slot) !== executing) return 'overtaken';
    if (isWhole && this.#whenDurable !== undefined) {
      this.#whenDurable(slot, executing);
      return 'unsettled';
    }
    if (isWhole) {
      return this.#table.complete(slot, executing) ? 'answered' : 'overtaken';
    }
    const replays = replaysOf(words[base + Slot.replay], slot, executing);
    if (replays >= MAX_REPLAYS) return this.#refuse(slot, executing) ? 'refused' : 'overtaken';
    this.#releaseAnswer(slot, executing);
    // Unnamed, it was not begun; but a replay that was not begun keeps what the one before it had done.
    if (record !== NOT_BEGUN) {
      words[base + Slot.replayDone] = done;
      words[base + Slot.replayEffects] = this.#data.words[record + WorkerRecord.effects];
    } else if (replays === 0) {
      words[base + Slot.replayDone] = 0;
      words[base + Slot.replayEffects] = 0;
    }
    words[base + Slot.replay] = replayOf(slot, executing, replays + 1);
    return this.#table.putBack(slot, executing) ? 'replayed' : 'overtaken';
  }

  /** Whether the worker of the record has done any of the request that had not been done before. */
  hasProgressed(slot: number, executing: number, record: number): boolean {
    if (record === NOT_BEGUN) return false;
    const base = this.#table.base(slot);
    const isReplayed = isReplay(this.#ctl.words[base + Slot.replay], slot, executing);
    const before = isReplayed ? this.#ctl.words[base + Slot.replayDone] : 0;
    return this.#data.words[record + WorkerRecord.done] !== before;
  }

  /** Answers ERR_KVS_INTERNAL. @returns false: its client has abandoned it */
  #refuse(slot: number, executing: number): boolean {
    const response = new ResponseWriter(this.#ctl, this.#table, this.#arena);
    response.begin(slot, executing);
    response.status(Status.internal);
    return this.#table.complete(slot, executing);
  }

  /** Frees an abandoned use of a slot with all that it holds, if it is one. */
  freeAbandoned(slot: number, word: number): void {
    const abandoned = withState(word, SlotState.abandoned);
    if (this.#table.word(slot) !== abandoned) return;
    this.#arena.reclaim(useOf(slot, abandoned));
    this.#table.release(slot, abandoned);
  }

  /** Wakes a caller that sleeps for the answer. @returns the client, to be rung for */
  wake(slot: number, word: number): number {
    native.futexWake(this.#ctl.words, this.#table.base(slot) + Slot.word, 1);
    return ownerOf(word) & (MAX_CLIENTS - 1);
  }

  /** Frees the chunks that a dead worker had claimed for its answer. */
  #releaseAnswer(slot: number, executing: number): void {
    const base = this.#table.base(slot);
    const first = this.#ctl.words[base + Slot.extent] - 1;
    const end = first + this.#ctl.words[base + Slot.extentChunks];
    const its = useOf(slot, executing);
    this.#arena.releaseWhere((use, _, chunk) => use === its && (chunk < first || chunk >= end));
  }
}
