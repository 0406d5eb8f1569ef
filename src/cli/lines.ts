/** Lines of a stream as bytes, of bounded length. */

const NEWLINE = 0x0a;

/** A line is longer than it may be. */
export class LineTooLong extends Error {
  override readonly name = 'LineTooLong';
}

/**
 * Cuts a stream into lines, without their ends; an end behind the last one may be missing.
 * @param limitOf how many bytes a line may have, by its number from 1
 * @returns the lines that each chunk completes
 * @throws LineTooLong behind the lines before it, and before more than that and a chunk is kept
 */
export async function* linesOf(
  stream: AsyncIterable<Buffer>,
  limitOf: (line: number) => number,
): AsyncGenerator<Buffer[], void, undefined> {
  let parts: Buffer[] = [];
  let bytes = 0;
  let line = 1;
  /** @returns false: the line is too long */
  const add = (part: Buffer): boolean => {
    bytes += part.length;
    parts.push(part);
    return bytes <= limitOf(line);
  };
  const take = (): Buffer => {
    const whole = parts.length === 1 ? parts[0] : Buffer.concat(parts, bytes);
    parts = [];
    bytes = 0;
    line++;
    return whole;
  };
  for await (const chunk of stream) {
    const lines: Buffer[] = [];
    let start = 0;
    let fits = true;
    for (let end = chunk.indexOf(NEWLINE); end >= 0 && fits; end = chunk.indexOf(NEWLINE, start)) {
      fits = add(chunk.subarray(start, end));
      if (fits) lines.push(take());
      start = end + 1;
    }
    fits &&= start === chunk.length || add(chunk.subarray(start));
    yield lines;
    if (!fits) throw new LineTooLong(`expected a line of at most ${limitOf(line)} bytes, got a longer one`);
  }
  if (bytes > 0) yield [take()];
}
