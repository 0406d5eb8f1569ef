/**
 * The client's tie to a server: one session at a time, made again by itself when the server was replaced. Attaching is
 * quick and blocking, so both kinds of calls share it.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

import { KvsError } from '../errors.js';
import { RegionState } from '../memory/layout.js';
import { closeQuietly, startCommand } from '../memory/region-files.js';
import { attachRegion, isServerAlive, type Region, regionState } from '../memory/region.js';
import { DetachedServer } from './autostart.js';
import { Exile } from './exile.js';
import { expelled, serverGone } from './failures.js';
import type { ResolvedClientOptions } from './options.js';
import { Session } from './session.js';

/** Between two looks for a server that is gone or still starting. */
const RETRY_MS = 5;
/** How long a server that was alive is taken to be. */
const ALIVE_MS = 50;
/** The same for stale reads, that have no look at a clock to spare: by a timer, and by reads where no timer comes to run. */
const LOOK_READS = 4096;

export class Connection {
  readonly options: ResolvedClientOptions;
  #session: Session;
  #retryAt = 0;
  #lastReason: KvsError | undefined;
  #aliveUntil = 0;
  /** So many reads before the next look for a server. */
  #readsLeft = 0;
  #lookTimer: NodeJS.Timeout | undefined;
  readonly #exile = new Exile();

  /**
   * Attaches to a running server, waiting while it starts; with `autostart` starts one if there is none.
   * @throws KvsError ERR_KVS_NO_REGION, NOT_READY, NOT_OURS, CORRUPT, LAYOUT, TOO_MANY_CLIENTS
   */
  static async open(options: ResolvedClientOptions): Promise<Connection> {
    const giveUpAt = performance.now() + options.connectTimeoutMs;
    let started: DetachedServer | undefined;
    try {
      for (;;) {
        // In front of the look: whoever has found the name taken has found a server.
        const failure = started?.failure;
        const found = look(options);
        if (found.session !== undefined) return new Connection(options, found.session);
        if (!found.isStarting && options.autostart === undefined) throw found.reason;
        if (!found.isStarting && failure !== undefined) throw failure;
        if (!found.isStarting && options.autostart !== undefined) started ??= new DetachedServer(options);
        if (performance.now() >= giveUpAt) throw notReady(options, found.reason);
        await delay(RETRY_MS);
      }
    } finally {
      started?.release();
    }
  }

  private constructor(options: ResolvedClientOptions, session: Session) {
    this.options = options;
    this.#session = session;
  }

  /** The current session, dead or alive. */
  get session(): Session {
    return this.#session;
  }

  /**
   * A session that takes new calls.
   * @param leave called with the old session, whose calls must be ended, before it is replaced
   * @throws KvsError ERR_KVS_SERVER_GONE or ERR_KVS_EXPELLED, executed 'no'
   */
  ready(leave: (old: Session) => void): Session {
    if (this.#session.isReady) return this.#session;
    if (this.#exile.isOn(this.#session)) {
      leave(this.#session);
      throw expelled(this.options.name, 'no');
    }
    const reason = this.#attachAgain(leave);
    if (reason !== undefined) throw serverGone(this.options.name, 'no', reason);
    return this.#session;
  }

  /**
   * A session to read from without the server: the current one, or, once its server is gone, a new server's if there is
   * one. Whether the server is alive is asked now and then.
   * @param leave as for ready()
   * @throws KvsError ERR_KVS_SERVER_GONE without `staleReads`, when no server runs
   */
  forReading(leave: (old: Session) => void): Session {
    if (this.#readsLeft > 0 && this.#session.isReady) {
      this.#readsLeft--;
      return this.#session;
    }
    return this.#lookAfterReads(leave);
  }

  #lookAfterReads(leave: (old: Session) => void): Session {
    const { staleReads } = this.options;
    if (staleReads) {
      if (this.#session.isReady) this.#startReads();
      // Also where the header says nonsense: somebody has overwritten it.
      if (this.#session.isServing) return this.#session;
    } else if (this.#session.isReady && this.#isAlive()) {
      return this.#session;
    }
    // It may not write, but look.
    if (this.#exile.isOn(this.#session) && (staleReads || this.#isAlive())) return this.#session;
    const reason = this.#attachAgain(leave);
    if (reason !== undefined && !staleReads) throw serverGone(this.options.name, 'no', reason);
    return this.#session;
  }

  /** Nobody looks for a while whether there is a server, or a successor elsewhere. */
  #startReads(): void {
    this.#readsLeft = LOOK_READS;
    this.#lookTimer ??= setTimeout(() => {
      this.#readsLeft = 0;
    }, ALIVE_MS).unref();
    this.#lookTimer.refresh();
  }

  /** Asks the kernel at most every 50 ms. */
  #isAlive(): boolean {
    const now = performance.now();
    if (now < this.#aliveUntil) return true;
    if (!this.#session.isServing) return false;
    this.#aliveUntil = now + ALIVE_MS;
    return true;
  }

  /** @returns why there is no server to attach to; undefined: the session is a new one */
  #attachAgain(leave: (old: Session) => void): KvsError | undefined {
    const now = performance.now();
    if (now < this.#retryAt) return this.#lastReason ?? serverGone(this.options.name, 'no');
    const { session, reason } = lookQuietly(this.options);
    // From the end of the look: however slow looking is, most of the time is left for other things.
    this.#retryAt = performance.now() + RETRY_MS;
    this.#lastReason = reason;
    if (session === undefined) return reason;
    // It has come back meanwhile.
    if (this.#session.isReady && session.region.regionId === this.#session.region.regionId) {
      session.close();
      return undefined;
    }
    leave(this.#session);
    this.#session.close();
    this.#session = session;
    return undefined;
  }
}

type Found =
  | { readonly session: Session; readonly isStarting: false; readonly reason: undefined }
  | { readonly session: undefined; readonly isStarting: boolean; readonly reason: KvsError };

/** What cannot be attached to is as good as none: a server may come in its place. */
function lookQuietly(options: ResolvedClientOptions): Found {
  try {
    return look(options);
  } catch (error) {
    if (!(error instanceof KvsError)) throw error;
    return { session: undefined, isStarting: false, reason: error };
  }
}

/** Looks for a server that answers, and attaches to it. @throws KvsError for a region that will never do */
function look(options: ResolvedClientOptions): Found {
  const { name, shmDir, group } = options;
  let region: Region;
  try {
    region = attachRegion(name, shmDir, group);
  } catch (error) {
    if (!(error instanceof KvsError) || error.code !== 'ERR_KVS_NO_REGION') throw error;
    return { session: undefined, isStarting: false, reason: error };
  }
  const state = regionState(region);
  const isAlive = isServerAlive(region);
  const session = isAlive && state === RegionState.ready ? open(region, options) : undefined;
  if (session !== undefined) return { session, isStarting: false, reason: undefined };
  closeQuietly(region.ctlFd);
  const isStarting = isAlive && (state === RegionState.starting || state === RegionState.recovering);
  const end = state === RegionState.kept ? 'was stopped' : 'has died';
  const what = isAlive ? 'is stopping' : `${end}; what it held is there again when a server starts`;
  const message = `the server named ${JSON.stringify(name)} ${what}: start one with ${startCommand(name, shmDir)}`;
  return { session: undefined, isStarting, reason: new KvsError('ERR_KVS_NO_REGION', message) };
}

/** @returns undefined when the server went meanwhile: the store's file goes before the one that was found */
function open(region: Region, options: ResolvedClientOptions): Session | undefined {
  try {
    return new Session(region, options);
  } catch (error) {
    if (regionState(region) !== RegionState.ready || !isServerAlive(region)) return undefined;
    closeQuietly(region.ctlFd);
    throw error;
  }
}

function notReady({ name, connectTimeoutMs }: ResolvedClientOptions, cause: KvsError): KvsError {
  const message =
    `the server named ${JSON.stringify(name)} was not ready within connectTimeoutMs (${connectTimeoutMs} ms): ` +
    'look at its log, or allow it more time';
  return new KvsError('ERR_KVS_NOT_READY', message, { cause });
}
