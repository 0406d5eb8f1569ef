/**
 * Makes one snapshot: walks all buckets while writers go on, reads each entry as clients do, without a lock, and writes
 * what held still. Begun when the log is at S0, it shows every effect up to there; once it has been walked, all that it may
 * show is logged up to S1, and durable, before the snapshot counts. In slices, so that others get on.
 */
import { performance } from 'node:perf_hooks';

import { pad4 } from '../alignment.js';
import { KvsError } from '../errors.js';
import type { LogDirectory } from '../log/directory.js';
import type { HashSeed } from '../log/header.js';
import { type SnapshotResult, SnapshotWriter } from '../log/snapshot-writer.js';
import { wallMsOfHost } from '../memory/clock.js';
import { copyBytes } from '../memory/copy.js';
import { BUCKET_ENTRIES, DataHeader, type Geometry, MAX_KEY_BYTES, Stripe, stripeBase } from '../memory/layout.js';
import { type SegmentViews, viewsOf } from '../memory/segment.js';
import { load } from '../memory/words.js';
import { native } from '../native.js';
import { wakeLog } from '../store/log-lane.js';
import { LogOrder } from '../store/log-order.js';
import { Found, Reader } from '../store/reader.js';
import { highestVersion } from '../store/versions.js';
import { LogBoard } from './log-board.js';
import type { SnapshotPace } from './snapshot-pace.js';

const BUCKETS_PER_LOOK = 16;
/** Looks at one word that is being written again and again, before a nap. */
const TRIES = 64;
const NAP_MS = 0.1;
/** The log may take so long to become durable. */
const SYNC_TIMEOUT_MS = 60_000;

export interface SnapshotParts {
  readonly data: SegmentViews;
  readonly geometry: Geometry;
  readonly directory: LogDirectory;
  readonly storeId: string;
  readonly board: LogBoard;
  /** Undefined: nobody else is at work. */
  readonly pace?: SnapshotPace | undefined;
}

type StoreParts = WalkParts & Pick<SnapshotParts, 'directory' | 'storeId'>;
type WalkParts = Pick<SnapshotParts, 'data' | 'geometry' | 'pace'>;

export interface SnapshotMade extends SnapshotResult {
  readonly sequence: number;
  readonly ms: number;
}

const { Figure } = LogBoard;

/**
 * Makes one of a store that nobody is at work on, all of whose effects have numbers up to `sequence`, which are durable or do
 * not matter any more; it takes the place of another of that sequence. @throws KvsError as SnapshotWriter
 */
export function snapshotAtRest(parts: StoreParts, sequence: number): void {
  write(parts, sequence, () => sequence);
}

/** @throws KvsError as SnapshotWriter; ERR_KVS_LOG_FAILED when the log does not become durable */
export function makeSnapshot(parts: SnapshotParts): SnapshotMade {
  const { board } = parts;
  const startedAt = performance.now();
  const asked = board.snapshotsAsked;
  const { gaps } = board;
  const sequence = board.get(Figure.sequence);
  const result = write(parts, sequence, () => {
    const lastSequence = syncLog(parts);
    // Behind a gap in the log, what it lacks would be missing between here and there.
    if (board.gaps !== gaps) {
      throw new KvsError(
        'ERR_KVS_LOG_FAILED',
        'the log failed meanwhile: the snapshot does not count, another is made',
      );
    }
    return lastSequence;
  });
  const ms = Math.round(performance.now() - startedAt);
  board.set(Figure.snapshotEntries, result.entries);
  board.set(Figure.snapshotMs, ms);
  board.noteSnapshot(sequence, asked);
  return { ...result, sequence, ms };
}

/** Writes the store to a snapshot. @param settle called behind the walk: the log is durable up to the sequence it returns */
function write(parts: StoreParts, sequence: number, settle: () => number): SnapshotResult {
  const { data, geometry, directory, storeId } = parts;
  const hashSeed: HashSeed = [data.words[DataHeader.hashSeed], data.words[DataHeader.hashSeed + 1]];
  const writer = SnapshotWriter.begin(directory, { storeId, sequence, hashSeed });
  try {
    new Walk(parts, writer).run();
    writer.raiseVersion(highestVersion(data, geometry));
    return writer.finish(settle());
  } catch (error) {
    writer.abort();
    throw error;
  }
}

/** Makes durable all that was seen. @returns the last sequence of it, or a later one */
function syncLog({ data, geometry, board }: SnapshotParts): number {
  const { words } = data;
  const giveUpAt = performance.now() + SYNC_TIMEOUT_MS;
  // Who has committed and not yet logged still holds its stripe.
  for (let stripe = 0; stripe < geometry.stripes; stripe++) {
    const lock = stripeBase(geometry, stripe) + Stripe.lock;
    while (load(words, lock) !== 0) {
      if (performance.now() >= giveUpAt) {
        throw new KvsError('ERR_KVS_LOG_FAILED', `stripe ${stripe} stayed locked: the snapshot does not count`);
      }
      native.futexWait(words, lock, load(words, lock), NAP_MS);
    }
  }
  board.askForSync(new LogOrder(words, geometry).end());
  wakeLog(words, geometry);
  if (!board.waitForSync(giveUpAt - performance.now())) {
    throw new KvsError('ERR_KVS_LOG_FAILED', 'the log did not become durable: the snapshot does not count');
  }
  return board.get(Figure.durableSequence);
}

class Walk {
  readonly #parts: WalkParts;
  readonly #writer: SnapshotWriter;
  readonly #reader: Reader;
  /** A copy of the entry in hand: key, padded, and value. */
  readonly #copy: SegmentViews;
  readonly #nap = new Int32Array(new SharedArrayBuffer(4));

  constructor(parts: WalkParts, writer: SnapshotWriter) {
    const { data, geometry } = parts;
    this.#parts = parts;
    this.#writer = writer;
    this.#reader = new Reader(data, geometry);
    this.#copy = viewsOf(new SharedArrayBuffer(MAX_KEY_BYTES + Math.ceil(geometry.maxValueBytes / 8) * 8 + 8));
  }

  run(): void {
    const { pace, geometry } = this.#parts;
    for (let bucket = 0; bucket < geometry.buckets; bucket++) {
      this.#walk(bucket);
      if (pace === undefined || bucket % BUCKETS_PER_LOOK !== 0) continue;
      const pauseMs = pace.pauseAt(performance.now());
      if (pauseMs === 0) continue;
      this.#pause(pauseMs);
      pace.resumeAt(performance.now());
    }
  }

  #pause(ms: number): void {
    native.futexWait(this.#nap, 0, 0, ms);
  }

  #walk(index: number): void {
    const reader = this.#reader;
    for (let bucket = reader.bucketAt(index); bucket !== 0; bucket = reader.overflowOf(bucket)) {
      const end = bucket + BUCKET_ENTRIES;
      for (let at = reader.nextUsed(bucket, end); at < end; at = reader.nextUsed(at + 1, end)) this.#take(at);
    }
  }

  #take(at: number): void {
    const reader = this.#reader;
    for (let tries = 1; ; tries++) {
      const found = reader.look(at);
      if (found === Found.missing) return;
      if (found === Found.found && this.#copyEntry()) return;
      if (tries % TRIES === 0) this.#pause(NAP_MS);
    }
  }

  /** @returns whether it held still */
  #copyEntry(): boolean {
    const { data } = this.#parts;
    const reader = this.#reader;
    const { keyBytes, keyStart, start, end, codec, version, expiresAt } = reader;
    if (keyBytes > MAX_KEY_BYTES) return false;
    const value = pad4(keyBytes);
    copyBytes(data, keyStart, this.#copy, 0, keyBytes);
    copyBytes(data, start, this.#copy, value, end - start);
    if (!reader.isStillThere()) return false;
    if (reader.isExpired) return true;
    const writer = this.#writer;
    writer.add(keyBytes, end - start, codec, 0, version, expiresAt === 0 ? 0 : wallMsOfHost(expiresAt));
    const { words, bytes } = writer.entryViews;
    const target = { words, bytes } as SegmentViews;
    copyBytes(this.#copy, 0, target, writer.keyOffset, keyBytes);
    copyBytes(this.#copy, value, target, writer.valueOffset, end - start);
    return true;
  }
}
