/** Builds of the sources by their modules: the usual one, and the counted one, whose objects may die (steps.ts). */
import type * as IndexModule from '#dist/index.js';
import type * as AnswerQuotaModule from '#dist/exchange/answer-quota.js';
import type * as BellRingerModule from '#dist/exchange/bell-ringer.js';
import type * as TaskQueueModule from '#dist/exchange/task-queue.js';
import type * as WorkerBellsModule from '#dist/exchange/worker-bells.js';
import type * as RegionModule from '#dist/memory/region.js';
import type * as RegionClaimModule from '#dist/memory/region-claim.js';
import type * as PinsModule from '#dist/memory/pins.js';
import type * as UseMarksModule from '#dist/memory/use-marks.js';
import type * as BatchReaderModule from '#dist/operation/batch-reader.js';
import type * as ScratchModule from '#dist/operation/scratch.js';
import type * as ConductModule from '#dist/server/conduct.js';
import type * as ExecutorModule from '#dist/server/executor.js';
import type * as ParkingModule from '#dist/server/parking.js';
import type * as ReaperModule from '#dist/server/reaper.js';
import type * as RecoveryModule from '#dist/server/recovery.js';
import type * as ClientListModule from '#dist/server/client-list.js';
import type * as SweeperModule from '#dist/server/sweeper.js';
import type * as WarmRestartModule from '#dist/server/warm-restart.js';
import type * as EvictionStateModule from '#dist/store/eviction-state.js';
import type * as StoreModule from '#dist/store/store.js';

import type * as Steps from './steps.js';

const load = <M>(file: string): Promise<M> => import(new URL(`../${file}`, import.meta.url).href) as Promise<M>;

async function modulesOf(build: 'dist' | 'mortal') {
  return {
    ...(await load<typeof IndexModule>(`${build}/index.js`)),
    ...(await load<typeof AnswerQuotaModule>(`${build}/exchange/answer-quota.js`)),
    ...(await load<typeof BellRingerModule>(`${build}/exchange/bell-ringer.js`)),
    ...(await load<typeof TaskQueueModule>(`${build}/exchange/task-queue.js`)),
    ...(await load<typeof WorkerBellsModule>(`${build}/exchange/worker-bells.js`)),
    ...(await load<typeof RegionModule>(`${build}/memory/region.js`)),
    ...(await load<typeof RegionClaimModule>(`${build}/memory/region-claim.js`)),
    ...(await load<typeof PinsModule>(`${build}/memory/pins.js`)),
    ...(await load<typeof UseMarksModule>(`${build}/memory/use-marks.js`)),
    ...(await load<typeof BatchReaderModule>(`${build}/operation/batch-reader.js`)),
    ...(await load<typeof ScratchModule>(`${build}/operation/scratch.js`)),
    ...(await load<typeof ConductModule>(`${build}/server/conduct.js`)),
    ...(await load<typeof ExecutorModule>(`${build}/server/executor.js`)),
    ...(await load<typeof ParkingModule>(`${build}/server/parking.js`)),
    ...(await load<typeof ReaperModule>(`${build}/server/reaper.js`)),
    ...(await load<typeof RecoveryModule>(`${build}/server/recovery.js`)),
    ...(await load<typeof ClientListModule>(`${build}/server/client-list.js`)),
    ...(await load<typeof SweeperModule>(`${build}/server/sweeper.js`)),
    ...(await load<typeof WarmRestartModule>(`${build}/server/warm-restart.js`)),
    ...(await load<typeof EvictionStateModule>(`${build}/store/eviction-state.js`)),
    ...(await load<typeof StoreModule>(`${build}/store/store.js`)),
  };
}

export type Modules = Awaited<ReturnType<typeof modulesOf>>;

export const plain = await modulesOf('dist');
export const mortal = await modulesOf('mortal');
export const { life, held, Death, liveUntilKilled } = await load<typeof Steps>('mortal/steps.js');
