/**
 * The thread that writes the log, turn by turn, with a clock and a disk of the test: how it goes on behind a failure.
 * Seen to fail when: the log's end is not told to who makes a snapshot; a snapshot that begins before the gap ends closes
 * it; no other one is asked for then; figures begin anew with the thread; a full disk, or a failed sync, lets the thread look again and again.
 */
import { performance } from 'node:perf_hooks';

import { expect, onTestFinished, test, vi } from 'vitest';

import { openLogDirectory } from '#dist/log/directory.js';
import { recordBytes, RecordOperation } from '#dist/log/record.js';
import { Entry } from '#dist/memory/layout.js';
import { LogControl, LogTrouble } from '#dist/memory/log-layout.js';
import { native } from '#dist/native.js';
import { LogBoard } from '#dist/server/log-board.js';
import { type LogEvent, LogKeeper } from '#dist/server/log-keeper.js';
import type { SyncMode } from '#dist/option-schemas.js';
import { resetLanes } from '#dist/store/log-feed.js';
import { LogLane } from '#dist/store/log-lane.js';

import { STORE_ID } from '../fixtures/log/logged-store.js';
import { MemoryDisk } from '../fixtures/log/memory-disk.js';
import { MIB, newSegment, smallGeometry } from '../fixtures/store/key-store.js';

const { Figure } = LogBoard;
const MAX_TURNS = 100;
/** Of the first record. */
const FIRST = 100;

class Scene {
  readonly disk = new MemoryDisk();
  readonly board = new LogBoard(LogBoard.allocate());
  readonly events: LogEvent[] = [];
  /** How often the thread has slept. */
  sleeps = 0;
  readonly #geometry = smallGeometry({ logBytes: 4 * MIB });
  readonly #data = newSegment(this.#geometry);
  readonly #lane: LogLane;
  readonly #sync: SyncMode;
  #keeper: LogKeeper;
  #nowMs = 1000;
  #onTurn: () => void = () => {};

  constructor(sync: SyncMode, isBehindGap = false) {
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => this.#nowMs);
    const futex = vi.spyOn(native, 'futexWait').mockImplementation((_words, _index, _expected, timeoutMs) => {
      this.#nowMs += timeoutMs;
      this.sleeps++;
      return 1;
    });
    onTestFinished(() => {
      clock.mockRestore();
      futex.mockRestore();
    });
    resetLanes(this.#data, this.#geometry, 1, FIRST - 1);
    this.#data.words[this.#geometry.logControlOffset / 4 + LogControl.gap] = Number(isBehindGap);
    this.#data.words[this.#granule * 4 + Entry.shape] = 4;
    this.#lane = new LogLane(this.#data, this.#geometry, 0);
    this.#sync = sync;
    this.#keeper = this.#start(FIRST);
  }

  #start(nextSequence: number): LogKeeper {
    return new LogKeeper({
      data: this.#data,
      geometry: this.#geometry,
      directory: openLogDirectory(this.disk.path, this.disk),
      sync: this.#sync,
      storeId: STORE_ID,
      nextSequence,
      segmentBytes: undefined,
      board: this.board,
      settle: () => this.#onTurn(),
      isAnyDue: () => false,
      onEvent: (event) => this.events.push(event),
    });
  }

  /** The thread has died, and another takes its place. */
  replace(): void {
    this.#keeper = this.#start(this.board.get(Figure.sequence) + 1);
  }

  get #granule(): number {
    return this.#geometry.heapOffset / 16;
  }

  /** A worker's record: the removal of a key of four bytes. */
  log(): void {
    this.#lane.stage(RecordOperation.remove, this.#granule);
    this.#lane.publish();
  }

  #control(field: number): number {
    return this.#data.words[this.#geometry.logControlOffset / 4 + field];
  }

  get trouble(): number {
    return this.#control(LogControl.trouble);
  }

  /** What the region says; `durableCells`: how many of the logged records may be acknowledged. */
  get state() {
    const { gap, trouble, durableCell } = LogControl;
    return { gap: this.#control(gap), trouble: this.#control(trouble), durableCells: this.#control(durableCell) };
  }

  /** What the thread that makes snapshots does when one is asked for: begins at the log's end as it is told, and ends. */
  makeSnapshot(earlier = 0): void {
    const asked = this.board.snapshotsAsked;
    this.board.noteSnapshot(this.board.get(Figure.sequence) - earlier, asked);
  }

  get isSnapshotDue(): boolean {
    return this.board.snapshotsAsked > this.board.snapshotsServed;
  }

  /** Lets the thread run until the condition holds behind one of its turns. */
  until(condition: () => boolean): void {
    let turns = 0;
    this.#onTurn = () => {
      turns++;
      if (condition()) throw DONE;
      if (turns === MAX_TURNS) throw new Error(`not within ${MAX_TURNS} turns`);
    };
    expect(() => this.#keeper.run()).toThrow(DONE);
  }
}

const DONE = new Error('the condition holds');

function failToSync(): Scene {
  const scene = new Scene('everysec');
  scene.log();
  scene.until(() => scene.state.durableCells === 1);
  scene.log();
  scene.disk.faults.push({ call: 'fdatasync', code: 'EIO', times: 1 });
  scene.until(() => scene.trouble !== LogTrouble.none);
  expect(scene.state).toMatchObject({ gap: 1, trouble: LogTrouble.failed, durableCells: 1 });
  return scene;
}

test('a snapshot that is begun when it is asked for closes the gap, and what was logged counts', () => {
  const scene = failToSync();
  // Logged by who was admitted before the trouble.
  scene.log();
  scene.until(() => scene.isSnapshotDue);
  expect(scene.state).toMatchObject({ gap: 1, durableCells: 1 });
  scene.makeSnapshot();
  scene.until(() => scene.trouble === LogTrouble.none);
  expect(scene.state).toMatchObject({ gap: 0, durableCells: 3 });
  expect(scene.board.snapshotsAsked).toBe(1);
  expect(scene.events.map(({ type }) => type)).toEqual(['log-trouble', 'log-resumed']);
});

test('the same behind a write that failed, whose numbers are not used again', () => {
  const scene = new Scene('everysec');
  scene.log();
  scene.disk.faults.push({ call: 'write', code: 'EIO', times: 1 });
  scene.until(() => scene.trouble !== LogTrouble.none);
  scene.until(() => scene.isSnapshotDue);
  // The record is there once more: one may be in the first segment, the other is in the next one.
  expect(scene.board.get(Figure.sequence)).toBe(FIRST + 1);
  scene.makeSnapshot();
  scene.until(() => scene.trouble === LogTrouble.none);
  expect(scene.board.snapshotsAsked).toBe(1);
  expect(scene.state).toMatchObject({ gap: 0, durableCells: 1 });
});

test('one that has begun before the end of the gap does not count, and another is asked for', () => {
  const scene = failToSync();
  scene.until(() => scene.isSnapshotDue);
  scene.makeSnapshot(1);
  scene.until(() => scene.isSnapshotDue);
  expect(scene.state).toMatchObject({ gap: 1, trouble: LogTrouble.failed, durableCells: 1 });
  scene.makeSnapshot();
  scene.until(() => scene.trouble === LogTrouble.none);
  expect(scene.state).toMatchObject({ gap: 0, durableCells: 2 });
  expect(scene.board.snapshotsAsked).toBe(2);
});

test('a snapshot under way is told that there is a gap, and that it has come to its end', () => {
  const scene = failToSync();
  expect(scene.board.gaps).toBe(1);
  scene.until(() => scene.isSnapshotDue);
  expect(scene.board.gaps).toBe(2);
});

test('who learns that the gap has come to its end learns where the log goes on', () => {
  const scene = new Scene('everysec');
  scene.log();
  scene.disk.faults.push({ call: 'write', code: 'EIO', times: 1 });
  scene.until(() => scene.trouble !== LogTrouble.none);
  let told: number | undefined;
  vi.spyOn(scene.board, 'noteGap').mockImplementation(() => {
    told ??= scene.board.get(Figure.sequence);
  });
  scene.until(() => scene.isSnapshotDue);
  expect(told).toBe(FIRST);
});

test('one that begins behind a gap of another thread asks for one snapshot', () => {
  const scene = new Scene('everysec', true);
  scene.log();
  expect(scene.isSnapshotDue).toBe(true);
  scene.makeSnapshot();
  scene.until(() => scene.trouble === LogTrouble.none);
  expect(scene.board.snapshotsAsked).toBe(1);
  scene.until(() => scene.state.durableCells === 1);
});

test.each([
  { fault: { call: 'write', code: 'ENOSPC' }, what: 'a full disk' },
  { fault: { call: 'fdatasync', code: 'EIO' }, what: 'a disk that syncs nothing' },
] as const)('$what lets the thread sleep between its tries, also while a snapshot waits for it', ({ fault }) => {
  const scene = new Scene('everysec');
  scene.log();
  scene.disk.faults.push({ ...fault, times: Infinity });
  scene.until(() => scene.trouble !== LogTrouble.none);
  // Logged by who was admitted before the trouble.
  scene.log();
  scene.board.askForSync(2);
  scene.sleeps = 0;
  let turns = 0;
  scene.until(() => ++turns > 10);
  expect(scene.sleeps).toBe(10);
});

test('the figures of the log go on with the thread that takes the place of another', () => {
  const scene = new Scene('no');
  const figures = () => [scene.board.get(Figure.bytes), scene.board.get(Figure.segments)];
  scene.log();
  scene.until(() => scene.board.get(Figure.sequence) === FIRST);
  const [bytes] = figures();
  expect(figures()).toEqual([recordBytes(4, 0), 1]);
  scene.replace();
  scene.log();
  scene.until(() => scene.board.get(Figure.sequence) === FIRST + 1);
  expect(figures()).toEqual([2 * bytes, 2]);
});
