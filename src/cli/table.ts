/** Tables as kvs-client prints them: a line under the head, figures to the right. */
import Table from 'cli-table3';

const NO_BORDER = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
} as const;

/** The first column is text, all others figures. */
export function figuresTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return ruledTable(head, rows, (column) => (column === 0 ? 'left' : 'right'));
}

export function textTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return ruledTable(head, rows, () => 'left');
}

function ruledTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
  alignment: (column: number) => 'left' | 'right',
): string {
  const colAligns = head.map((_, column) => alignment(column));
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const rule = widths.map((width) => '─'.repeat(width));
  return render(new Table({ head: [...head], colAligns, chars: NO_BORDER, style: PLAIN }), [rule, ...rows]);
}

/** Names with what they are. */
export function factsTable(facts: readonly (readonly [string, string])[]): string {
  return render(new Table({ chars: NO_BORDER, style: PLAIN }), facts);
}

const PLAIN = { head: [], border: [], 'padding-left': 0, 'padding-right': 0, compact: true };

function render(table: Table.Table, rows: readonly (readonly string[])[]): string {
  for (const row of rows) table.push([...row]);
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
