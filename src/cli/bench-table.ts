/** The result of a bench as a page to read. */
import type { BenchReport } from './bench.js';
import { formatBytes, formatCount, formatNanoseconds } from './figures.js';
import { figuresTable } from './table.js';

export function benchTable({ clients, keys, valueBytes, measurements }: BenchReport): string {
  const rows = measurements.map(({ name, keysPerSecond, latencyNs: { p50, p99, p999, max } }) => [
    name,
    formatCount(keysPerSecond),
    ...[p50, p99, p999, max].map(formatNanoseconds),
  ]);
  const read = measurements.reduce((sum, { verified }) => sum + verified, 0);
  return [
    `${count(clients, 'client')}, ${count(keys, 'key')}, values of ${formatBytes(valueBytes)}`,
    '',
    figuresTable(['', 'keys/s', 'p50', 'p99', 'p99.9', 'max'], rows),
    '',
    `${formatCount(read)} values read, all as written`,
  ].join('\n');
}

const count = (n: number, what: string): string => `${formatCount(n)} ${what}${n === 1 ? '' : 's'}`;
