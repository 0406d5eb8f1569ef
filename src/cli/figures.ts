/** Figures as people write and read them: sizes, durations, counts. */

const UNIT_BYTES = { '': 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 } as const;
const SIZE = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i;

/** Reads `4096`, `64k`, `512M`, `2GiB` (all in powers of 1024). @returns whole bytes, undefined for anything else */
export function parseByteSize(text: string): number | undefined {
  const match = SIZE.exec(text.trim());
  if (match === null) return undefined;
  const [, amount = '', unit = ''] = match;
  const bytes = Number(amount) * UNIT_BYTES[unit.toLowerCase() as keyof typeof UNIT_BYTES];
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

const UNIT_MS = { '': 1, ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^(\d+(?:\.\d+)?)\s*(ms|[smhd]|)$/i;

/** Reads `1500`, `1500ms`, `30s`, `5m`, `2h`, `7d`. @returns milliseconds, undefined for anything else */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text.trim());
  if (match === null) return undefined;
  const [, amount = '', unit = ''] = match;
  return Number(amount) * UNIT_MS[unit.toLowerCase() as keyof typeof UNIT_MS];
}

/** `1536` → `1.5 KiB`. */
export function formatBytes(bytes: number): string {
  const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let unit = 0;
  let amount = bytes;
  for (; amount >= 1024 && unit < names.length - 1; unit++) amount /= 1024;
  return `${trimmed(amount, Number.isInteger(amount) ? 0 : 1)} ${names[unit]}`;
}

/** `1234567` → `1,234,567`. */
export const formatCount = (count: number): string => Math.round(count).toLocaleString('en-US');

/** Nanoseconds with three digits: `850 ns`, `12.3 µs`, `4.56 ms`, `1.20 s`. */
export function formatNanoseconds(ns: number): string {
  const names = ['ns', 'µs', 'ms', 's'];
  let unit = 0;
  let amount = ns;
  for (; amount >= 999.5 && unit < names.length - 1; unit++) amount /= 1000;
  const digits = unit === 0 || amount >= 99.95 ? 0 : amount >= 9.995 ? 1 : 2;
  return `${amount.toFixed(digits)} ${names[unit]}`;
}

/** The two largest units: `3 d 4 h`, `5 min 12 s`, `2.5 s`. */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${trimmed(ms / 1000, 1)} s`;
  const seconds = Math.round(ms / 1000);
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([amount]) => amount > 0);
  return parts
    .slice(first, first + 2)
    .filter(([amount]) => amount > 0)
    .map(([amount, unit]) => `${amount} ${unit}`)
    .join(' ');
}

const trimmed = (amount: number, digits: number): string => String(Number(amount.toFixed(digits)));
