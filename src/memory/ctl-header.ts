/** What the ctl segment begins with. */
import { align, bytes, f64, i32, LINE, record, words } from './record.js';

const PAGE = 4096;
/** One bit each in `awake` and `asleep`. */
export const MAX_WORKERS = 32;

/**
 * Opens both segments. Static from `magic` to `version` once the state is `ready`; each later group has its own line.
 * Reserved sizes are 64-bit floats because 4 GiB does not fit a word.
 */
export const CtlHeader = record(PAGE, {
  magic: i32,
  layoutVersion: i32,
  slots: i32,
  stripes: i32,
  workers: i32,
  maxValueBytes: i32,
  maxMemoryBytes: f64,
  regionId: words(2),
  /** When the server of the present epoch started, by hostMs(). */
  startedAtMs: f64,
  serverPid: i32,
  bootId: bytes(36),
  version: bytes(32),
  /** What one client may hold at once (client-limits.ts). */
  maxSlotsPerClient: i32,
  maxChunksPerClient: i32,
  /** Bytes for the log, 0: none. */
  logBytes: i32,
  /** EvictionPolicy: whether clients mark what they read (use-marks.ts). */
  eviction: i32,
  a: align(LINE),
  /** RegionState. */
  state: i32,
  /** Servers that the region has had. */
  epoch: i32,
  b: align(LINE),
  queueHead: i32,
  c: align(LINE),
  queueTail: i32,
  d: align(LINE),
  /** Bit per worker: awake, and will look at the queue within microseconds. While one is, nobody needs a ring. */
  awake: i32,
  /** Bit per worker: asleep on its bell, or about to be; whoever clears it rings that bell. */
  asleep: i32,
  e: align(LINE),
  /** One futex per worker: counts rings. */
  workerBells: words(MAX_WORKERS),
  f: align(LINE),
  /** Clients that wait for a slot or for arena room (a hint, recounted by the sweeper). */
  starving: i32,
  /** Leased clients (a hint, recounted by the sweeper). */
  clients: i32,
});
