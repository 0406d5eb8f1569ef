/** What a full audit (audit/audit.ts) has to say of a region in which nothing is under way. */
import { auditFiles } from '#dist/audit/audit.js';

/** @param clients how many there are @returns what is wrong, in words: damage, wrong hints, and what nobody holds */
export async function findLeaks(name: string, clients: number): Promise<string[]> {
  const report = await auditFiles({ name }, 0);
  const { findings, unsettled, slots, chunks, workers, map, heap } = report;
  const leaks = findings.map(({ what, where, detail }) => `${what} ${where} ${detail}`);
  const expectNone = (what: string, counts: Readonly<Record<string, number>>): void => {
    for (const [key, count] of Object.entries(counts)) if (count !== 0) leaks.push(`${what}: ${count} ${key}`);
  };
  const { building, submitted, executing, done, abandoned } = slots;
  expectNone('slots', { building, submitted, executing, done, abandoned });
  const { requests, answers, claimed, stale } = chunks;
  expectNone('chunks', { requests, answers, claimed, stale, unsettled: unsettled.length });
  expectNone('clients', { beside: report.clients.live - clients });
  const used = map.entryBytes + map.overflowBytes + workers.blockBytes + heap.limboBytes;
  const unaccounted = heap.totalBytes - used - heap.freeRunBytes - heap.freeBlockBytes - heap.slabHeaderBytes;
  expectNone('heap', { 'leaked bytes': heap.leakedBytes, 'bytes unaccounted for': unaccounted });
  return leaks;
}
