/**
 * The audit reads words that anybody may have written: whatever they are, it ends, reports, and reads nothing outside.
 * Seen to fail when: an overflow bucket may come twice in a chain, and a head of length 0 is followed (with the plants of
 * those two in map-findings and heap-findings).
 */
import { copyFileSync, rmSync, truncateSync } from 'node:fs';

import { expect, test } from 'vitest';

import { auditFiles } from '#dist/audit/audit.js';
import { MAX_SUSPECTS } from '#dist/audit/findings.js';
import { CtlHeader, DataHeader, RegionState } from '#dist/memory/layout.js';
import { regionPaths } from '#dist/memory/region-files.js';

import { shareSpecimen, type Specimen } from '../fixtures/audit/specimen.js';
import { failureOf, randomness } from '../fixtures/service.js';
import { temporaryDirectory } from '../fixtures/processes.js';

const specimen = shareSpecimen();

/** What a word may be made: small numbers lead far, large ones outside, granules and units to other things. */
function badWord(s: Specimen, random: (below: number) => number): number {
  const { geometry } = s.region;
  const kinds = [
    () => random(64),
    () => -1 - random(64),
    () => random(2 ** 32) | 0,
    () => geometry.heapOffset / 16 + random(geometry.heapUnits * 64),
    () => random(geometry.heapUnits + 2),
    () => 1 << random(32),
    () => s.data[random(s.data.length)],
    () => ((1 + random(3)) << 28) | random(4096),
  ];
  return kinds[random(kinds.length)]();
}

test('random and adversarial words all over both segments', async () => {
  const random = randomness();
  for (let round = 0; round < 24; round++) {
    const s = specimen();
    const { geometry } = s.region;
    // From single words to all of them; in the small tables more often than in payload.
    const count = 2 ** random(13);
    for (let i = 0; i < count; i++) {
      const isCtl = random(3) === 0;
      const words = isCtl ? s.ctl : s.data;
      const first = isCtl ? CtlHeader.state : DataHeader.recoveries;
      const tables = (isCtl ? geometry.arenaOffset : geometry.heapOffset) / 4;
      const end = random(4) === 0 ? words.length : tables;
      words[first + random(end - first)] = badWord(s, random);
    }
    // One that is starting is not looked at.
    s.ctl[CtlHeader.state] = RegionState.ready;
    const report = await auditFiles({ name: s.region.name }, 0);
    expect(report.findings.length).toBeLessThanOrEqual(MAX_SUSPECTS);
    expect(report.looks).toBe(1);
  }
});

test.each([-1, 0x55555555])('segments that are nothing but %i behind their headers', async (word) => {
  const s = specimen();
  s.ctl.fill(word, CtlHeader.sizeBytes / 4);
  s.data.fill(word, DataHeader.sizeBytes / 4);
  const { findings } = await auditFiles({ name: s.region.name }, 0);
  expect(findings).toContainEqual(expect.objectContaining({ what: 'run-head', where: 'unit 0' }));
});

test('files that are no region are refused as clients refuse them', async () => {
  const s = specimen();
  const shmDir = temporaryDirectory();
  const paths = regionPaths('copy', shmDir);
  const codeOf = async (isArchived = false) => (await failureOf(auditFiles({ name: 'copy', shmDir, isArchived }))).code;
  expect(await codeOf()).toBe('ERR_KVS_NO_REGION');
  expect(await codeOf(true)).toBe('ERR_KVS_NO_REGION');
  copyFileSync(s.region.paths.ctl, paths.ctl);
  expect(await codeOf()).toBe('ERR_KVS_CORRUPT');
  copyFileSync(s.region.paths.data, paths.data);
  expect((await auditFiles({ name: 'copy', shmDir })).findings).toEqual([]);
  copyFileSync(s.region.paths.ctl, paths.archivedCtl);
  copyFileSync(s.region.paths.data, paths.archivedData);
  expect((await auditFiles({ name: 'copy', shmDir, isArchived: true })).findings).toEqual([]);
  truncateSync(paths.data, 4096);
  expect(await codeOf()).toBe('ERR_KVS_CORRUPT');
  truncateSync(paths.ctl, 100);
  expect(await codeOf()).toBe('ERR_KVS_CORRUPT');
  rmSync(paths.ctl);
  expect(await codeOf()).toBe('ERR_KVS_NO_REGION');
});
