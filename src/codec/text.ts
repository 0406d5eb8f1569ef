/** Text to UTF-8 bytes and back, in place, with a fast path for short ASCII. */

/** Up to here a loop over characters beats a call into the runtime. */
const LOOP_MAX_CHARS = 24;

/** From here on measuring and then copying beats encoding. */
const LATIN1_MIN_CHARS = 512;

/** Set in a value's tag when its text is ASCII: one byte a character. */
export const ASCII_FLAG = 0x10;

/** @throws TypeError for text with lone surrogates, which UTF-8 cannot carry */
export function checkText(text: string, what: string): void {
  if (!text.isWellFormed()) {
    throw new TypeError(`${what} must be well-formed text, got a lone surrogate: use the buffer codec for raw bytes`);
  }
}

/** Writes text as UTF-8; the caller has made room. @returns how many bytes were written */
export function writeText(target: Buffer, offset: number, text: string): number {
  const { length } = text;
  if (length <= LOOP_MAX_CHARS) {
    let i = 0;
    for (; i < length; i++) {
      const char = text.charCodeAt(i);
      if (char > 0x7f) break;
      target[offset + i] = char;
    }
    if (i === length) return length;
  }
  return target.write(text, offset, 'utf8');
}

/** Room that writeAscii() needs behind as many bytes as the text has units. */
export const ASCII_SLACK = 4;

/**
 * Writes text that is likely to be ASCII, without measuring it first; the caller has made room for `text.length` +
 * ASCII_SLACK bytes. @returns false: it is something else, and what was written is not the whole
 */
export function writeAscii(target: Buffer, offset: number, text: string): boolean {
  const { length } = text;
  if (length > LATIN1_MIN_CHARS) return Buffer.byteLength(text) === length && target.write(text, offset, 'latin1') > 0;
  if (length > LOOP_MAX_CHARS) {
    // Other text is longer than its units, and a character has at most 4 bytes: cut off there, it still is longer.
    return target.write(text, offset, length + ASCII_SLACK, 'utf8') === length;
  }
  for (let i = 0; i < length; i++) {
    const char = text.charCodeAt(i);
    if (char > 0x7f) return false;
    target[offset + i] = char;
  }
  return true;
}

/** Reads text that is known to be valid UTF-8. */
export const readText = (source: Buffer, start: number, end: number, isAscii: boolean): string =>
  isAscii ? source.latin1Slice(start, end) : source.utf8Slice(start, end);
