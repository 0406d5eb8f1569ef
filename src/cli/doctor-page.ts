/** An audit as a page to read. */
import { type AuditReport, isSound } from '../audit/audit.js';
import { type Finding, type FindingCode, KINDS } from '../audit/findings.js';
import { formatBytes, formatCount } from './figures.js';
import { factsTable, figuresTable, textTable } from './table.js';

/** Findings that are shown one by one; --json has them all. */
const MAX_SHOWN = 40;

export function doctorPage(report: AuditReport): string {
  return [facts(report), memory(report), kinds(report), details(report), verdict(report)]
    .filter((part) => part !== '')
    .join('\n\n');
}

function facts({ name, state, isServed, isStopped, isExact, looks, unsettled, ...totals }: AuditReport): string {
  const { clients, slots, chunks, workers, map, log } = totals;
  const counted = (counts: object): string => {
    const some = Object.entries(counts).filter(([, count]) => count !== 0) as [string, number][];
    return some.map(([what, count]) => `${formatCount(count)} ${what}`).join(', ');
  };
  const look = isExact ? 'exact, nobody is at work' : `live, in ${looks} ${looks === 1 ? 'look' : 'looks'}`;
  return factsTable([
    ['region', `${name} (${state}, ${isServed ? 'a server holds it' : 'no server holds it'})`],
    ...(isStopped ? [['server', 'stopped: what it sets right by itself is not judged'] as const] : []),
    ['audit', unsettled.length === 0 ? look : `${look}; too busy to be judged: ${unsettled.slice(0, 5).join(', ')}`],
    ['clients', `${formatCount(clients.live)} alive, ${formatCount(clients.dead)} dead, ${clients.pins} pins`],
    ['slots', counted(slots)],
    ['arena chunks', counted(chunks)],
    ['workers', `${workers.executing} executing, ${workers.blocks} blocks in hand`],
    ['keys', `${formatCount(map.entries)}, ${formatCount(map.overflowBuckets)} overflow buckets`],
    ...(log === undefined
      ? []
      : [['log', `${formatBytes(log.waitingBytes)} of ${formatBytes(log.bytes)} wait to be written`] as const]),
  ]);
}

function memory({ map, workers, heap }: AuditReport): string {
  const rows = [
    ['entries', map.entryBytes],
    ['overflow buckets', map.overflowBytes],
    ['held by workers', workers.blockBytes],
    ['freed, but pinned', heap.limboBytes],
    ['headers of slabs', heap.slabHeaderBytes],
    ['free, in slabs', heap.freeBlockBytes],
    ['free, in runs', heap.freeRunBytes],
    ['leaked', heap.leakedBytes],
    ['not known', heap.unknownBytes],
    ['all of the heap', heap.totalBytes],
  ] as const;
  const shown = rows.filter(([, bytes]) => bytes !== 0);
  return figuresTable(
    ['memory', 'bytes', ''],
    shown.map(([what, bytes]) => [what, formatCount(bytes), formatBytes(bytes)]),
  );
}

function kinds({ findings }: AuditReport): string {
  if (findings.length === 0) return '';
  const counts = new Map<FindingCode, number>();
  for (const { what } of findings) counts.set(what, (counts.get(what) ?? 0) + 1);
  const severityOf = (code: FindingCode) => findings.find(({ what }) => what === code)?.severity ?? '';
  const rows = [...counts].map(([what, count]) => [severityOf(what), what, KINDS[what].means, formatCount(count)]);
  return textTable(['finding', 'code', 'meaning', 'times'], rows);
}

function details({ findings, more }: AuditReport): string {
  if (findings.length === 0) return '';
  const shown = bySeverity(findings).slice(0, MAX_SHOWN);
  const rest = findings.length - shown.length + more;
  const table = textTable(
    ['code', 'where', 'detail'],
    shown.map(({ what, where, detail }) => [what, where, detail]),
  );
  return rest === 0 ? table : `${table}\nand ${formatCount(rest)} more`;
}

const ORDER = ['damage', 'leak', 'hint', 'busy'];
const bySeverity = (findings: readonly Finding[]): Finding[] =>
  [...findings].sort((a, b) => ORDER.indexOf(a.severity) - ORDER.indexOf(b.severity));

function verdict(report: AuditReport): string {
  if (isSound(report)) return 'Everything is accounted for.';
  const count = (severity: string): number => report.findings.filter((finding) => finding.severity === severity).length;
  return `Not everything is accounted for: ${count('damage')} damaged, ${count('leak')} leaked.`;
}
