/** bench/results.svg: small bar charts side by side, one for each kind of work; light and dark by the viewer's taste. */

/** @import { Cell, Results } from '../sections/context.mjs' */

const COLUMNS = 2;
const WIDTH = 960;
const MARGIN = 24;
const GAP = 40;
const PANEL_WIDTH = (WIDTH - 2 * MARGIN - (COLUMNS - 1) * GAP) / COLUMNS;
const HEAD = 84;
const PANEL_HEAD = 34;
const ROW = 22;
const BAR = 14;
const LABEL_WIDTH = 132;
const VALUE_WIDTH = 64;
const FOOT = 30;
/** By how much a bar that is cut off is longer than the longest that is not. */
const CUT = 18;
const CEILING = 'in-process Map';

/** section, work, title */
const panels = /** @type {const} */ ([
  ['64 B', 'get, blocking', 'GET, blocking'],
  ['64 B', 'set, blocking', 'SET, blocking'],
  ['64 B', 'get, awaited', 'GET, awaited one by one'],
  ['64 B', 'set, awaited', 'SET, awaited one by one'],
  ['64 B', 'get, in flight', 'GET, 64 in flight'],
  ['64 B', 'set, in flight', 'SET, 64 in flight'],
  ['mixes', '95/5, one at a time', 'four processes, 95 % reads, one at a time'],
  ['mixes', '50/50, one at a time', 'four processes, 50 % reads, one at a time'],
  ['mixes', '95/5, 64 in flight each', 'four processes, 95 % reads, 64 in flight'],
  ['mixes', '50/50, 64 in flight each', 'four processes, 50 % reads, 64 in flight'],
  ['4 KiB', 'get, blocking', 'GET of 4 KiB, blocking'],
  ['4 KiB', 'set, blocking', 'SET of 4 KiB, blocking'],
  ['256 KiB', 'get, awaited', 'GET of 256 KiB, awaited'],
  ['256 KiB', 'set, awaited', 'SET of 256 KiB, awaited'],
]);

const style = `
  .paper { fill: #ffffff } .ink { fill: #1f2328 } .soft { fill: #59636e } .ours { fill: #0a7d5a } .theirs { fill: #aab4c0 }
  .ceiling { fill: none; stroke: #aab4c0; stroke-dasharray: 3 2 } .axis { stroke: #d1d9e0 }
  text { font: 12px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
  .title { font-size: 20px; font-weight: 600 } .panel { font-size: 13px; font-weight: 600 } .bold { font-weight: 600 }
  .value { font-variant-numeric: tabular-nums }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } .ink { fill: #e6edf3 } .soft { fill: #9198a1 } .ours { fill: #3fc796 }
    .theirs { fill: #4c5663 } .ceiling { stroke: #6b7683 } .axis { stroke: #30363d }
  }`;

/** @param {Results} results */
export function chartOf(results) {
  const drawn = panels
    .map(([section, work, title]) => ({
      title,
      cells: results.cells.filter((cell) => cell.section === section && cell.work === work),
    }))
    .filter(({ cells }) => cells.length > 0);
  /** @type {string[]} */
  const parts = [];
  let y = HEAD;
  for (let first = 0; first < drawn.length; first += COLUMNS) {
    const row = drawn.slice(first, first + COLUMNS);
    row.forEach(({ title, cells }, column) => {
      const x = MARGIN + column * (PANEL_WIDTH + GAP);
      parts.push(`<g transform="translate(${x} ${y})">${panel(title, cells)}</g>`);
    });
    y += PANEL_HEAD + Math.max(...row.map(({ cells }) => cells.length)) * ROW + 22;
  }
  const height = y + FOOT;
  const { facts } = results;
  const machine = `${facts.cpu}, ${facts.cores} cores, Linux ${facts.kernel}, Node ${facts.node}, ${facts.date} UTC`;
  const quick = results.isQuick ? ' (a quick run: the figures mean little)' : '';
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" role="img">`,
    '<title>Operations per second of shm-kvs and its peers</title>',
    `<style>${style}</style>`,
    `<rect class="paper" width="${WIDTH}" height="${height}" rx="8"/>`,
    `<text class="ink title" x="${MARGIN}" y="38">Operations per second, longer is better</text>`,
    `<text class="soft" x="${MARGIN}" y="60">Values of 64 B unless said otherwise${escape(quick)}. Dashed: shares nothing between processes; // is cut off. One at a time: blocking calls, where the peer has them.</text>`,
    ...parts,
    `<text class="soft" x="${MARGIN}" y="${height - 20}">${escape(machine)}</text>`,
    '</svg>\n',
  ].join('\n');
}

/**
 * @param {string} title
 * @param {Cell[]} cells
 */
function panel(title, cells) {
  const sorted = [...cells].sort((a, b) => b.opsPerS - a.opsPerS);
  // The ceiling must not make all others look alike: it is cut off where it is far ahead.
  const longest = sorted.find((cell) => cell.peer !== CEILING) ?? sorted[0];
  const scale = (PANEL_WIDTH - LABEL_WIDTH - VALUE_WIDTH - CUT) / longest.opsPerS;
  const rows = sorted.map((cell, i) =>
    bar(cell, PANEL_HEAD + i * ROW, Math.max(1, cell.opsPerS * scale), longest.opsPerS * scale + CUT),
  );
  const bottom = PANEL_HEAD + sorted.length * ROW - (ROW - BAR) / 2;
  const axis = `<line class="axis" x1="${LABEL_WIDTH}" x2="${LABEL_WIDTH}" y1="${PANEL_HEAD - 4}" y2="${bottom}"/>`;
  return [`<text class="ink panel" y="18">${escape(title)}</text>`, ...rows, axis].join('');
}

/**
 * @param {Cell} cell
 * @param {number} y
 * @param {number} asked width
 * @param {number} most it may have
 */
function bar({ peer, opsPerS }, y, asked, most) {
  const width = Math.min(asked, most);
  const isOurs = peer === 'shm-kvs';
  const kind = isOurs ? 'ours' : peer === CEILING ? 'ceiling' : 'theirs';
  const weight = isOurs ? ' bold' : '';
  const middle = y + BAR / 2 + 4;
  const cut = asked > most ? '// ' : '';
  const label = peer.replace(' -c 1 -P 16', '');
  return [
    `<text class="${isOurs ? 'ink' : 'soft'}${weight}" x="${LABEL_WIDTH - 8}" y="${middle}" text-anchor="end">${escape(label)}</text>`,
    `<rect class="${kind}" x="${LABEL_WIDTH + 0.5}" y="${y}" width="${width.toFixed(1)}" height="${BAR}" rx="2"/>`,
    `<text class="${isOurs ? 'ink' : 'soft'} value${weight}" x="${(LABEL_WIDTH + width + 8).toFixed(1)}" y="${middle}">${cut}${short(opsPerS)}</text>`,
  ].join('');
}

/** @param {number} n */
function short(n) {
  if (n >= 1e6) return `${(n / 1e6).toFixed(2)} M`;
  return n >= 1e4 ? `${(n / 1e3).toFixed(0)} k` : `${(n / 1e3).toPrecision(2)} k`;
}

/** @param {string} text */
function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
