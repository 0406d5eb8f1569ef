import { assert, oneof, property, string, uint8Array } from 'fast-check';
import { describe, expect, test } from 'vitest';

import { escapeBare, escapeInQuotes, quoteWord, splitWords } from '#dist/cli/shell-words.js';

describe('splitWords', () => {
  test.each<[string, string[]]>([
    ['', []],
    ['  get   a ', ['get', 'a']],
    ['set a "x y"', ['set', 'a', 'x y']],
    [`set a 'it is "so" \\n'`, ['set', 'a', 'it is "so" \\n']],
    ['set a ""', ['set', 'a', '']],
    [String.raw`"a\"b" a\ b \x41\t\q`, ['a"b', 'a b', 'A\tq']],
    ['a\'b\'"c"', ['abc']],
    ['ключ 😀', ['ключ', '😀']],
    [String.raw`\😀`, ['😀']],
  ])('%j', (line, words) => {
    expect(splitWords(line).map(String)).toEqual(words);
  });

  test('escapes make any byte', () => {
    expect(splitWords(String.raw`\xff\x00"\xC3"\xa9`)).toEqual([Buffer.from([0xff, 0, 0xc3, 0xa9])]);
  });

  test.each([
    ['get "a', 'the quote " is never closed'],
    ["get 'a", "the quote ' is never closed"],
    [String.raw`get \x4`, 'takes two hexadecimal digits'],
  ])('%j is refused', (line, message) => {
    expect(() => splitWords(line)).toThrow(message);
  });
});

describe('what is shown can be typed', () => {
  const anyBytes = oneof(
    uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    string({ unit: 'binary', maxLength: 40 }).map((text) => Buffer.from(text)),
  );

  test('quoteWord, escapeInQuotes and escapeBare read back as the same bytes', () => {
    assert(
      property(anyBytes, (bytes) => {
        expect(splitWords(`get ${quoteWord(bytes)} end`)[1]).toEqual(bytes);
        expect(splitWords(`"${escapeInQuotes(bytes)}"`)).toEqual([bytes]);
        if (bytes.length > 0) expect(splitWords(escapeBare(bytes))).toEqual([bytes]);
      }),
    );
  });

  test('no control character reaches the terminal', () => {
    assert(
      // oxlint-disable-next-line no-control-regex
      property(anyBytes, (bytes) => !/[\u0000-\u001F\u007F-\u009F\u202E]/.test(quoteWord(bytes))),
    );
  });

  test('plain words stay plain', () => {
    expect(quoteWord(Buffer.from('user:1/ü-😀'))).toBe('user:1/ü-😀');
    expect(quoteWord(Buffer.from('# no comment'))).toBe('"# no comment"');
  });
});
