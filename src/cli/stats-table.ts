/** The statistics of a server as a page to read. */
import type { KvsStatistics } from '../index.js';
import { formatBytes, formatCount, formatDuration, formatNanoseconds } from './figures.js';
import { factsTable, figuresTable } from './table.js';

export function statsTable(stats: KvsStatistics): string {
  return [facts(stats), operations(stats), latency(stats)].filter((part) => part !== '').join('\n\n');
}

function facts({
  name,
  version,
  pid,
  uptimeMs,
  workers,
  clients,
  expelled,
  entries,
  expired,
  slots,
  memory,
  eviction,
}: KvsStatistics): string {
  const percent = (part: number, whole: number): string => `${((100 * part) / Math.max(whole, 1)).toFixed(1)} %`;
  return factsTable([
    ['server', `${name} (version ${version}, pid ${pid})`],
    ['up', formatDuration(uptimeMs)],
    ['workers', formatCount(workers)],
    [
      'clients',
      expelled > 0 ? `${formatCount(clients)} (${formatCount(expelled)} expelled so far)` : formatCount(clients),
    ],
    ['keys', expired > 0 ? `${formatCount(entries)} (${formatCount(expired)} expired so far)` : formatCount(entries)],
    [
      'memory',
      `${formatBytes(memory.usedBytes)} of ${formatBytes(memory.totalBytes)} used ` +
        `(${percent(memory.usedBytes, memory.totalBytes)}), ${formatBytes(memory.freeBytes)} free`,
    ],
    [
      'eviction',
      `${eviction.policy}, ${formatCount(eviction.evicted)} keys evicted (${formatBytes(eviction.evictedBytes)})`,
    ],
    ['compactions', `${formatCount(memory.compactions)}, ${formatBytes(memory.movedBytes)} moved`],
    ['arena', `${formatBytes(memory.arenaUsedBytes)} of ${formatBytes(memory.arenaBytes)} in use`],
    ['slots', `${formatCount(slots.inUse)} of ${formatCount(slots.total)} in use`],
  ]);
}

function operations(stats: KvsStatistics): string {
  const rows = Object.entries(stats.operations)
    .sort(([, a], [, b]) => b.count - a.count)
    .map(([name, { count, errors }]) => [name, formatCount(count), formatCount(errors)]);
  return rows.length === 0 ? '' : figuresTable(['operation', 'requests', 'errors'], rows);
}

function latency({ latencyNs }: KvsStatistics): string {
  if (latencyNs.count === 0) return '';
  const { count, mean, p50, p99, p999, max } = latencyNs;
  const head = ['time in worker', 'measured', 'mean', 'p50', 'p99', 'p99.9', 'max'];
  return figuresTable(head, [
    ['per request', formatCount(count), ...[mean, p50, p99, p999, max].map(formatNanoseconds)],
  ]);
}
