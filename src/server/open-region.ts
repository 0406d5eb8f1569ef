/**
 * How a server gets a region that is ready to be served, whatever another has left under its name: claims it, recovers
 * what is in it, or puts it aside and makes a new one; for a take-over, first asks the one that runs to leave.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

import { KvsError } from '../errors.js';
import { TaskQueue } from '../exchange/task-queue.js';
import { WorkerBells } from '../exchange/worker-bells.js';
import { checkLogDirectory } from '../log/directory.js';
import { CtlHeader, DataHeader, type Geometry, RegionState } from '../memory/layout.js';
import { closeQuietly } from '../memory/region-files.js';
import { archiveRegion, claimRegion, type ClaimOptions, type LeftRegion } from '../memory/region-claim.js';
import { requestTakeover } from '../memory/takeover.js';
import { leaveRegion, type OwnedRegion, removeRegion } from '../memory/region.js';
import { store } from '../memory/words.js';
import { Store } from '../store/store.js';
import { VERSION } from '../version.js';
import {
  checkWritten,
  closeGap,
  drainRegion,
  type Files,
  forgetLog,
  hasLog,
  hasRoomForWorkers,
  isOfOtherStore,
  loadStore,
  openDirectory,
  type OpenedLog,
  salvageLog,
} from './open-log.js';
import type { ResolvedServerOptions } from './options.js';
import { recoverRegion, resolveIntents } from './warm-restart.js';

/** How long a server may take to hand over: it finishes what it has first. */
const TAKEOVER_MS = 60_000;
const TAKEOVER_LOOK_MS = 1;

/** A region to serve, and its log if there is one. */
export interface OpenedRegion {
  readonly region: OwnedRegion;
  readonly log: OpenedLog | undefined;
  /** Whether entries in it may expire. */
  readonly mayExpire: boolean;
}

/**
 * @param onNamed called once when the name is ours, before most of the memory is reserved or what is in it recovered
 * @throws KvsError as KvsServer.start(); what was found stays as it is then, for the next attempt
 */
export async function openRegion(options: ResolvedServerOptions, onNamed: () => void): Promise<OpenedRegion> {
  const { name, shmDir, group, shape, asked, hugePages, fresh, takeover, log: logOptions, onEvent } = options;
  let isNamed = false;
  const onFirstNamed = (): void => {
    if (!isNamed) onNamed();
    isNamed = true;
  };
  const created = { name, shmDir, group, shape, version: VERSION, hugePages };
  let directory: Files | undefined;
  const open = (): Files | undefined => {
    if (logOptions !== undefined) {
      directory ??= openDirectory(logOptions, (repairs) => onEvent({ type: 'log-repaired', repairs }));
    }
    return directory;
  };
  const salvage = (left: LeftRegion): void => {
    if (hasLog(left)) salvageLog(left, open());
  };
  const checkTakeover = (geometry: Geometry, pid: number): void => {
    if (logOptions === undefined) return;
    checkLogDirectory(logOptions.dir, pid);
    checkRoom(geometry, shape.workers);
  };
  const claim: ClaimOptions = { ...created, asked, fresh, onNamed: onFirstNamed, checkTakeover, salvage };
  let region: OwnedRegion | undefined;
  try {
    region = takeover ? await takeOver(claim) : claimRegion(claim);
    open();
    let { origin } = region;
    if (origin.kind === 'taken-over') {
      const recovered = recover(region, directory, onEvent);
      if ('region' in recovered) return recovered;
      origin = archiveRegion(region, recovered.reason);
      region = claimRegion(claim);
    }
    if (origin.kind === 'replaced')
      onEvent({ type: 'region-replaced', reason: origin.reason, archive: origin.archive });
    new WorkerBells(region.ctl).reset();
    new TaskQueue(region.ctl, region.geometry).reset();
    Store.format(region.data, region.geometry);
    if (directory === undefined) return { region, log: undefined, mayExpire: false };
    const { log, loaded } = loadStore(region, directory, options.eviction);
    onEvent({ type: 'log-loaded', ...loaded });
    return { region, log, mayExpire: true };
  } catch (error) {
    directory?.close();
    if (region !== undefined) giveBack(region);
    throw error;
  }
}

/** @returns why it cannot be recovered. @throws KvsError when it could, but for the disk */
function recover(
  region: OwnedRegion,
  directory: Files | undefined,
  onEvent: ResolvedServerOptions['onEvent'],
): OpenedRegion | { readonly reason: string } {
  const { ctl, data, geometry } = region;
  new WorkerBells(ctl).reset();
  resolveIntents(region);
  let log: ReturnType<typeof drainRegion> | undefined;
  if (directory === undefined) {
    forgetLog(data, geometry);
  } else {
    checkRoom(geometry, geometry.workers);
    try {
      log = drainRegion(region, directory);
    } catch (error) {
      if (!isOfOtherStore(error)) throw error;
      checkWritten(region, error);
      return { reason: (error as Error).message };
    }
  }
  const { spoilt } = log ?? {};
  if (spoilt !== undefined) onEvent({ type: 'log-trouble', reason: 'failed', error: spoilt.message });
  let failure: Error | undefined;
  const makeDurable = (): void => {
    try {
      if (log !== undefined) closeGap(region, log);
    } catch (error) {
      failure = error as Error;
      throw error;
    }
  };
  try {
    const recovered = recoverRegion(region, new TaskQueue(ctl, geometry), makeDurable);
    if (spoilt !== undefined) onEvent({ type: 'log-resumed' });
    onEvent({ type: 'recovered', ...recovered });
    return { region, log, mayExpire: recovered.expiring > 0 };
  } catch (cause) {
    // Nothing is wrong with the region.
    if (failure !== undefined) throw failure;
    return { reason: `it could not be recovered: ${(cause as Error).message}` };
  }
}

/** @throws KvsError ERR_KVS_LAYOUT */
function checkRoom(geometry: Geometry, workers: number): void {
  if (hasRoomForWorkers(geometry, workers)) return;
  throw new KvsError(
    'ERR_KVS_LAYOUT',
    `the room for the log that the region was made with is too small for ${workers} workers: start with fewer`,
  );
}

/** Leaves a region that was taken over to the next server, as it was found; a new one goes. */
function giveBack(region: OwnedRegion): void {
  if (region.origin.kind !== 'taken-over') return removeRegion(region);
  store(region.data.words, DataHeader.recoveries, 0);
  store(region.ctl.words, CtlHeader.state, RegionState.kept);
  leaveRegion(region);
}

/** @throws KvsError ERR_KVS_ALREADY_RUNNING when the other does not leave in time */
async function takeOver(claim: ClaimOptions): Promise<OwnedRegion> {
  const request = requestTakeover(claim);
  if (request === undefined) return claimRegion(claim);
  const giveUpAt = performance.now() + TAKEOVER_MS;
  try {
    for (;;) {
      try {
        return claimRegion(claim);
      } catch (error) {
        const isHeld = error instanceof KvsError && error.code === 'ERR_KVS_ALREADY_RUNNING';
        if (!isHeld || performance.now() >= giveUpAt) throw error;
      }
      await delay(TAKEOVER_LOOK_MS);
    }
  } finally {
    closeQuietly(request);
  }
}
