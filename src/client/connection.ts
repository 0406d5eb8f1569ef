/**
 * The client's tie to a server: one session at a time, made again by itself when the server was replaced. Attaching is
 * quick and blocking, so both kinds of calls share it.
 */
import { setTimeout as delay } from 'node:timers/promises';

import { KvsError } from '../errors.js';
import { RegionState } from '../memory/layout.js';
import { closeQuietly } from '../memory/region-files.js';
import { attachRegion, isServerAlive, type Region, regionState } from '../memory/region.js';
import { startDetachedServer } from './autostart.js';
import type { ResolvedClientOptions } from './options.js';
import { Session } from './session.js';

/** Between two looks for a server that is gone or still starting. */
const RETRY_MS = 5;

export class Connection {
  readonly options: ResolvedClientOptions;
  #session: Session;
  #retryAt = 0;

  /**
   * Attaches to a running server, waiting while it starts; with `autostart` starts one if there is none.
   * @throws KvsError ERR_KVS_NO_REGION, NOT_READY, NOT_OURS, CORRUPT, LAYOUT, TOO_MANY_CLIENTS
   */
  static async open(options: ResolvedClientOptions): Promise<Connection> {
    const giveUpAt = performance.now() + options.connectTimeoutMs;
    let isStarted = options.autostart === undefined;
    for (;;) {
      const found = look(options);
      if (found.region !== undefined) return new Connection(options, found.region);
      if (!found.isStarting && options.autostart === undefined) throw found.reason;
      if (!found.isStarting && !isStarted) {
        startDetachedServer(options);
        isStarted = true;
      }
      if (performance.now() >= giveUpAt) throw notReady(options, found.reason);
      await delay(RETRY_MS);
    }
  }

  private constructor(options: ResolvedClientOptions, region: Region) {
    this.options = options;
    this.#session = open(region);
  }

  /** The current session, dead or alive. */
  get session(): Session {
    return this.#session;
  }

  /**
   * A session that takes new calls.
   * @param leave called with the old session, whose calls must be ended, before it is replaced
   * @throws KvsError ERR_KVS_SERVER_GONE, executed 'no'
   */
  ready(leave: (old: Session) => void): Session {
    if (this.#session.isReady) return this.#session;
    const now = performance.now();
    if (now < this.#retryAt) throw serverGone(this.options.name, 'no');
    this.#retryAt = now + RETRY_MS;
    const { region, reason } = look(this.options);
    if (region === undefined) throw serverGone(this.options.name, 'no', reason);
    leave(this.#session);
    this.#session.close();
    this.#session = open(region);
    return this.#session;
  }
}

function open(region: Region): Session {
  try {
    return new Session(region);
  } catch (error) {
    closeQuietly(region.ctlFd);
    throw error;
  }
}

type Found =
  | { readonly region: Region; readonly isStarting: false; readonly reason: undefined }
  | { readonly region: undefined; readonly isStarting: boolean; readonly reason: KvsError };

/** Looks for a server that answers. @throws KvsError for a region that will never do */
function look({ name, shmDir }: ResolvedClientOptions): Found {
  let region: Region;
  try {
    region = attachRegion(name, shmDir);
  } catch (error) {
    if (!(error instanceof KvsError) || error.code !== 'ERR_KVS_NO_REGION') throw error;
    return { region: undefined, isStarting: false, reason: error };
  }
  const state = regionState(region);
  const isAlive = isServerAlive(region);
  if (isAlive && state === RegionState.ready) return { region, isStarting: false, reason: undefined };
  closeQuietly(region.ctlFd);
  const isStarting = isAlive && state === RegionState.starting;
  const what = isAlive ? 'is stopping' : 'has died; its region is replaced when a server starts';
  const message = `the server named ${JSON.stringify(name)} ${what}: start one with \`kvs-server --name ${name}\``;
  return { region: undefined, isStarting, reason: new KvsError('ERR_KVS_NO_REGION', message) };
}

function notReady({ name, connectTimeoutMs }: ResolvedClientOptions, cause: KvsError): KvsError {
  const message =
    `the server named ${JSON.stringify(name)} was not ready within connectTimeoutMs (${connectTimeoutMs} ms): ` +
    'look at its log, or allow it more time';
  return new KvsError('ERR_KVS_NOT_READY', message, { cause });
}

export function serverGone(name: string, executed: 'no' | 'unknown', cause?: unknown): KvsError {
  const what = executed === 'no' ? 'the request was not executed' : 'it is not known whether the request was executed';
  const message = `the server named ${JSON.stringify(name)} has stopped or died: ${what}`;
  return new KvsError('ERR_KVS_SERVER_GONE', message, { executed, cause });
}
