/**
 * How a server gets a region that is ready to be served, whatever another has left under its name: claims it, recovers
 * what is in it, or puts it aside and makes a new one; for a take-over, first asks the one that runs to leave.
 */
import { performance } from 'node:perf_hooks';
import { setTimeout as delay } from 'node:timers/promises';

import { KvsError } from '../errors.js';
import { TaskQueue } from '../exchange/task-queue.js';
import { WorkerBells } from '../exchange/worker-bells.js';
import { closeQuietly } from '../memory/region-files.js';
import { archiveRegion, claimRegion, type ClaimOptions, requestTakeover } from '../memory/region-claim.js';
import type { OwnedRegion } from '../memory/region.js';
import { Store } from '../store/store.js';
import { VERSION } from '../version.js';
import type { ResolvedServerOptions } from './options.js';
import { recoverRegion } from './warm-restart.js';

/** How long a server may take to hand over: it finishes what it has first. */
const TAKEOVER_MS = 60_000;
const TAKEOVER_LOOK_MS = 1;

export interface OpenedRegion {
  readonly region: OwnedRegion;
  /** How many of the entries in it expire. */
  readonly expiring: number;
}

/**
 * @param onNamed called once when the name is ours, before most of the memory is reserved or what is in it recovered
 * @throws KvsError as KvsServer.start()
 */
export async function openRegion(options: ResolvedServerOptions, onNamed: () => void): Promise<OpenedRegion> {
  const { name, shmDir, group, shape, asked, hugePages, fresh, takeover, onEvent } = options;
  let isNamed = false;
  const onFirstNamed = (): void => {
    if (!isNamed) onNamed();
    isNamed = true;
  };
  const created = { name, shmDir, group, shape, version: VERSION, hugePages };
  const claim: ClaimOptions = { ...created, asked, fresh, onNamed: onFirstNamed };
  let region = takeover ? await takeOver(claim) : claimRegion(claim);
  let { origin } = region;
  const queue = new TaskQueue(region.ctl, region.geometry);
  new WorkerBells(region.ctl).reset();
  if (origin.kind === 'taken-over') {
    try {
      const recovered = recoverRegion(region, queue);
      onEvent({ type: 'recovered', ...recovered });
      return { region, expiring: recovered.expiring };
    } catch (cause) {
      origin = archiveRegion(region, `it could not be recovered: ${(cause as Error).message}`);
      region = claimRegion(claim);
    }
  }
  if (origin.kind === 'replaced') onEvent({ type: 'region-replaced', reason: origin.reason, archive: origin.archive });
  new TaskQueue(region.ctl, region.geometry).reset();
  Store.format(region.data, region.geometry);
  return { region, expiring: 0 };
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
