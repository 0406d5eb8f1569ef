/**
 * Loads a store that has no room for what its files hold when it is placed in the order of the files, though it had room
 * before: what was placed and moved in another order may have left less unused. Once it is known what there is in the end,
 * the largest entries are placed first, so that what remains of the memory serves the small ones. Reads the files several
 * times and needs memory for all keys: for the rare case only.
 */
import { KvsError } from '../errors.js';
import type { LogDirectory } from '../log/directory.js';
import type { RecordViews } from '../log/record.js';
import { recover } from '../log/recovery.js';
import type { RecoverySink } from '../log/sink.js';
import { hasPassed, hostMsOfWall } from '../memory/clock.js';
import { type Geometry, geometryOf, UNIT_BYTES } from '../memory/layout.js';
import type { SegmentViews } from '../memory/segment.js';
import { unitsOf } from '../store/blocks.js';
import { entryBytes } from '../store/entry-headers.js';
import { MAX_SMALL_BYTES, sizeClassOf, slabBytesPerBlock } from '../store/size-class.js';
import { Store } from '../store/store.js';
import { LogLoader } from './log-loader.js';

/** Entries larger than these are placed in one pass, after those of the passes before. */
const BANDS = [MAX_SMALL_BYTES, 2048, 512, 0];
/** What partly used slabs and overflow buckets may take besides. */
const SLACK = 1.1;
/** More than what did not do. */
const STEP = 1.02;
const MIB = 2 ** 20;

/** The last value of a key: which call it came with, and how many bytes the entry takes. */
interface LastPut {
  readonly call: number;
  readonly bytes: number;
}

/** @throws KvsError ERR_KVS_OUT_OF_MEMORY when there is no room for it this way either: says how much is needed */
export function loadPacked(data: SegmentViews, geometry: Geometry, directory: LogDirectory): LogLoader {
  const survey = new Survey();
  recover(directory, survey);
  clear(data, geometry);
  const loader = new LogLoader(data, geometry);
  let limit = Infinity;
  for (const floor of BANDS) {
    recover(directory, new Band(loader, survey.puts, floor, limit));
    if (loader.isFull) throw outOfMemory(survey, geometry);
    limit = floor;
  }
  return loader;
}

/** As a new region is. */
function clear(data: SegmentViews, geometry: Geometry): void {
  data.bytes.fill(0, geometry.stripesOffset, geometry.heapOffset);
  Store.format(data, geometry);
}

function outOfMemory({ puts }: Survey, geometry: Geometry): KvsError {
  let bytes = 0;
  for (const put of puts.values()) {
    bytes += put.bytes > MAX_SMALL_BYTES ? unitsOf(put.bytes) * UNIT_BYTES : slabBytesPerBlock[sizeClassOf(put.bytes)];
  }
  const { maxMemoryBytes, heapUnits } = geometry;
  const needed = Math.max(bytes * SLACK, heapUnits * UNIT_BYTES * STEP);
  let enough = Math.ceil(maxMemoryBytes / MIB) * MIB;
  while (geometryOf({ ...geometry, maxMemoryBytes: enough }).heapUnits * UNIT_BYTES < needed) {
    enough = Math.max(enough + MIB, Math.ceil((enough * STEP) / MIB) * MIB);
  }
  const message =
    `what the log holds (${puts.size} entries) does not fit maxMemory (${maxMemoryBytes} bytes): ` +
    `start with ${enough} bytes or more; the files are as they were`;
  return new KvsError('ERR_KVS_OUT_OF_MEMORY', message);
}

/** Finds out which values are the last ones of their keys. */
class Survey implements RecoverySink {
  readonly puts = new Map<string, LastPut>();
  #calls = 0;

  put(
    source: RecordViews,
    keyOffset: number,
    keyBytes: number,
    _valueOffset: number,
    valueBytes: number,
    _codec: number,
    _flags: number,
    _version: number,
    expiresAtMs: number,
  ): void {
    const call = this.#calls++;
    const key = textOf(source, keyOffset, keyBytes);
    if (expiresAtMs !== 0 && hasPassed(hostMsOfWall(expiresAtMs))) this.puts.delete(key);
    else this.puts.set(key, { call, bytes: entryBytes(keyBytes, valueBytes, expiresAtMs !== 0) });
  }

  remove(source: RecordViews, keyOffset: number, keyBytes: number): void {
    this.puts.delete(textOf(source, keyOffset, keyBytes));
  }
}

/** Passes on the last values whose entries take more than `floor` bytes, up to `limit`. */
class Band implements RecoverySink {
  readonly #loader: LogLoader;
  readonly #puts: ReadonlyMap<string, LastPut>;
  readonly #floor: number;
  readonly #limit: number;
  #calls = 0;

  constructor(loader: LogLoader, puts: ReadonlyMap<string, LastPut>, floor: number, limit: number) {
    this.#loader = loader;
    this.#puts = puts;
    this.#floor = floor;
    this.#limit = limit;
  }

  begin(...begin: Parameters<NonNullable<RecoverySink['begin']>>): void {
    this.#loader.begin(...begin);
  }

  put(...put: Parameters<RecoverySink['put']>): void {
    const call = this.#calls++;
    const last = this.#wanted(put[0], put[1], put[2]);
    if (last?.call === call) this.#loader.put(...put);
  }

  /** What is gone in the end was never passed on. */
  remove(): void {}

  #wanted(source: RecordViews, keyOffset: number, keyBytes: number): LastPut | undefined {
    const last = this.#puts.get(textOf(source, keyOffset, keyBytes));
    return last !== undefined && last.bytes > this.#floor && last.bytes <= this.#limit ? last : undefined;
  }
}

const textOf = ({ bytes }: RecordViews, start: number, length: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + start, length).latin1Slice();
