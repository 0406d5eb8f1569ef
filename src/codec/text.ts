/** Text to UTF-8 bytes and back, in place, with a fast path for short ASCII. */

/** Memory that text is written to: the same bytes as bytes and as words. */
export interface WritableViews {
  readonly bytes: Buffer;
  readonly words: Int32Array;
}

/** Up to here a loop over characters beats a call into the runtime. */
const LOOP_MAX_CHARS = 20;

/**
 * Up to here TextEncoder.encodeInto() beats Buffer.write(), which takes twice as long for 64 characters. It takes no offset,
 * and a view to begin at one costs more than a copy.
 */
const ENCODER_MAX_CHARS = 256;
const encoder = new TextEncoder();
const scratchWords = new Int32Array((3 * ENCODER_MAX_CHARS) / 4);
const scratch = new Uint8Array(scratchWords.buffer);

/** Beyond this, measuring and then copying beats encoding. */
const LATIN1_MIN_CHARS = 512;

/** Set in a value's tag when its text is ASCII: one byte a character. */
export const ASCII_FLAG = 0x10;

/** @throws TypeError for text with lone surrogates, which UTF-8 cannot carry. @param advice what to do instead */
export function checkText(text: string, what: string, advice = 'use the buffer codec for raw bytes'): void {
  if (!text.isWellFormed()) {
    throw new TypeError(`${what} must be well-formed text, got a lone surrogate: ${advice}`);
  }
}

/** Writes text as UTF-8 at a multiple of 4; the caller has made room. @returns how many bytes were written */
export function writeText(target: WritableViews, offset: number, text: string): number {
  const { length } = text;
  if (length <= LOOP_MAX_CHARS && writeShortAscii(target.bytes, offset, text)) return length;
  if (length > ENCODER_MAX_CHARS) return target.bytes.write(text, offset, 'utf8');
  const { written } = encoder.encodeInto(text, scratch);
  copyScratch(target, offset, written);
  return written;
}

/** Room that writeAscii() needs behind as many bytes as the text has units. */
export const ASCII_SLACK = 4;

/**
 * Writes text that is likely to be ASCII, without measuring it first, at a multiple of 4; the caller has made room for
 * `text.length` + ASCII_SLACK bytes. @returns false: it is something else, and what was written is not the whole
 */
export function writeAscii(target: WritableViews, offset: number, text: string): boolean {
  const { length } = text;
  if (length <= LOOP_MAX_CHARS) return writeShortAscii(target.bytes, offset, text);
  const { bytes } = target;
  if (length > LATIN1_MIN_CHARS) return Buffer.byteLength(text) === length && bytes.write(text, offset, 'latin1') > 0;
  if (length > ENCODER_MAX_CHARS) {
    // Other text is longer than its units, and a character has at most 4 bytes: cut off there, it still is longer.
    return bytes.write(text, offset, length + ASCII_SLACK, 'utf8') === length;
  }
  const { written } = encoder.encodeInto(text, scratch);
  if (written !== length) return false;
  copyScratch(target, offset, written);
  return true;
}

/** @returns false: there is something else in it, and what was written is not the whole */
function writeShortAscii(target: Buffer, offset: number, text: string): boolean {
  const { length } = text;
  for (let i = 0; i < length; i++) {
    const char = text.charCodeAt(i);
    if (char > 0x7f) return false;
    target[offset + i] = char;
  }
  return true;
}

function copyScratch({ bytes, words }: WritableViews, offset: number, count: number): void {
  const first = offset / 4;
  const whole = count >> 2;
  for (let i = 0; i < whole; i++) words[first + i] = scratchWords[i];
  for (let i = whole * 4; i < count; i++) bytes[offset + i] = scratch[i];
}

/** Reads text that is known to be valid UTF-8. */
export const readText = (source: Buffer, start: number, end: number, isAscii: boolean): string =>
  isAscii ? source.latin1Slice(start, end) : source.utf8Slice(start, end);
