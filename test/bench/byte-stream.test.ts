import { expect, test } from 'vitest';

import { ByteStream } from '../../bench/peers/byte-stream.mjs';

/** Pushes pieces and takes lines, each with the bytes behind it, as SocketClient does. */
function linesOf(pieces: readonly string[], bytesBehind: number): string[] {
  const stream = new ByteStream();
  const taken: string[] = [];
  for (const piece of pieces) {
    stream.push(Buffer.from(piece, 'latin1'));
    if (!stream.mayHaveMore) continue;
    for (;;) {
      const line = stream.peekLine();
      const frame = line === undefined ? undefined : stream.take(line.length + 2 + bytesBehind);
      if (line === undefined || frame === undefined) break;
      taken.push(line);
    }
  }
  return taken;
}

test('lines are found wherever what arrives is cut', () => {
  const text = ['STORED', 'END', 'VALUE key:1 0 64'].map((line) => `${line}\r\n`).join('');
  for (let cut = 1; cut < text.length; cut++) {
    expect(linesOf([text.slice(0, cut), text.slice(cut)], 0)).toEqual(['STORED', 'END', 'VALUE key:1 0 64']);
  }
});

test('a line that is cut short after a long frame waits for its own end only', () => {
  const frame = 'x'.repeat(4096);
  // The frame arrives in two pieces; the next line in two, the second of them short.
  const pieces = [`VALUE 1\r\n${frame.slice(0, 100)}`, `${frame.slice(100)}VAL`, `UE 2\r\n${frame}`];
  expect(linesOf(pieces, frame.length)).toEqual(['VALUE 1', 'VALUE 2']);
  const short = new ByteStream();
  short.push(Buffer.from(`head\r\n${frame}`.slice(0, 50)));
  expect(short.take(6 + frame.length)).toBeUndefined();
  short.push(Buffer.from(`${`head\r\n${frame}`.slice(50)}STO`));
  expect(short.take(6 + frame.length)?.length).toBe(6 + frame.length);
  expect(short.peekLine()).toBeUndefined();
  short.push(Buffer.from('RED\r\n'));
  expect(short.mayHaveMore).toBe(true);
  expect(short.peekLine()).toBe('STORED');
});
