/**
 * Words of a shell line: bare, in "double quotes" or in 'single quotes' (which take everything as it stands). Elsewhere
 * \n \r \t \0 and \xNN stand for bytes, and a backslash takes the meaning from any other character.
 */
import { isUtf8 } from 'node:buffer';

import { UsageError } from './command.js';

const ESCAPES: { readonly [letter: string]: number } = { n: 10, r: 13, t: 9, 0: 0 };
const ESCAPE = /\\(?:x([0-9a-fA-F]{2})|(.)|$)/suy;
const PLAIN = /[^\s"'\\]+/y;
/** Characters that move the cursor or turn the direction of text are shown as escapes. */
const UNSAFE = String.raw`\p{Cc}\u2028\u2029\u202A-\u202E\u2066-\u2069`;
const UNSAFE_TEXT = new RegExp(`["\\\\${UNSAFE}]`, 'gu');
const BARE_WORD = new RegExp(`^(?!#)[^\\s"'\\\\${UNSAFE}]+$`, 'u');
const UNSAFE_BESIDES_LINES = new RegExp(`(?![\\n\\t])[${UNSAFE}]`, 'u');

/** A word with where it stands in the line. */
export interface Word {
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
  /** The quote that was still open at the end of the line. */
  readonly openQuote: string;
}

/** @throws UsageError for an open quote or a broken escape */
export function splitWords(line: string): Buffer[] {
  const words = scanWords(line);
  const openQuote = words.at(-1)?.openQuote ?? '';
  if (openQuote !== '') throw new UsageError(`the quote ${openQuote} is never closed`);
  return words.map(({ bytes }) => bytes);
}

/** Like splitWords(), for a line that is still being typed. @throws UsageError for a broken escape */
export function scanWords(line: string): Word[] {
  const words: Word[] = [];
  for (let at = 0; at < line.length;) {
    if (/\s/.test(line[at] ?? '')) at++;
    else {
      const word = scanWord(line, at);
      words.push(word);
      at = word.end;
    }
  }
  return words;
}

function scanWord(line: string, start: number): Word {
  const parts: Buffer[] = [];
  let quote = '';
  let at = start;
  while (at < line.length) {
    const char = line[at] ?? '';
    if (quote === '' && /\s/.test(char)) break;
    if (char === quote) {
      quote = '';
      at++;
    } else if (quote === '' && (char === '"' || char === "'")) {
      quote = char;
      at++;
    } else if (char === '\\' && quote !== "'") {
      const { bytes, end } = scanEscape(line, at);
      parts.push(bytes);
      at = end;
    } else {
      const end = endOfPlain(line, at, quote);
      parts.push(Buffer.from(line.slice(at, end)));
      at = end;
    }
  }
  return { bytes: Buffer.concat(parts), start, end: at, openQuote: quote };
}

/** The end of characters that stand for themselves. */
function endOfPlain(line: string, at: number, quote: string): number {
  if (quote !== '') {
    const close = line.indexOf(quote, at);
    const end = close < 0 ? line.length : close;
    const escape = quote === '"' ? line.indexOf('\\', at) : -1;
    return escape >= 0 ? Math.min(escape, end) : end;
  }
  PLAIN.lastIndex = at;
  PLAIN.test(line);
  return PLAIN.lastIndex;
}

function scanEscape(line: string, at: number): { bytes: Buffer; end: number } {
  ESCAPE.lastIndex = at;
  const [text = '', hex, letter = ''] = ESCAPE.exec(line) ?? [];
  if (hex !== undefined) return { bytes: Buffer.from(hex, 'hex'), end: at + text.length };
  if (letter === 'x') throw new UsageError(String.raw`\x takes two hexadecimal digits`);
  const byte = ESCAPES[letter];
  return { bytes: byte === undefined ? Buffer.from(letter) : Buffer.of(byte), end: at + text.length };
}

/** Whether text can go to a terminal as it is. */
export const isHarmless = (bytes: Buffer): boolean => isUtf8(bytes) && !UNSAFE_BESIDES_LINES.test(bytes.toString());

/** A word that reads back as these bytes, quoted only where needed. */
export function quoteWord(bytes: Buffer): string {
  const text = bytes.toString();
  if (isUtf8(bytes) && BARE_WORD.test(text)) return text;
  return `"${escapeInQuotes(bytes)}"`;
}

/** The inside of a word in double quotes. */
export function escapeInQuotes(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString().replaceAll(UNSAFE_TEXT, (char) => escapeOf(char, 'utf8'));
  return bytes.toString('latin1').replaceAll(/[^\x20-\x7E]|["\\]/g, (char) => escapeOf(char, 'latin1'));
}

/** The same for a word without quotes around it. */
export function escapeBare(bytes: Buffer): string {
  return escapeInQuotes(bytes).replaceAll(/[\s']/g, (char) => escapeOf(char, 'utf8'));
}

const NAMED_ESCAPES: { readonly [char: string]: string } = {
  '\n': String.raw`\n`,
  '\r': String.raw`\r`,
  '\t': String.raw`\t`,
  '"': String.raw`\"`,
  "'": String.raw`\'`,
  '\\': String.raw`\\`,
};

function escapeOf(char: string, encoding: 'utf8' | 'latin1'): string {
  const hex = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`;
  return NAMED_ESCAPES[char] ?? Array.from(Buffer.from(char, encoding), hex).join('');
}
