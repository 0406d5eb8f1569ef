/** What Tab offers in the shell: commands first, then keys where a command takes one. */
import type { Command } from './command.js';
import { COMMANDS, findCommand } from './commands.js';
import { escapeBare, escapeInQuotes, scanWords, type Word } from './shell-words.js';

export const SHELL_WORDS = ['help', 'exit'] as const;

/** @returns at most some tens of keys that start with the prefix */
export type FindKeys = (prefix: Buffer) => Promise<readonly Buffer[]>;

const NOTHING: [string[], string] = [[], ''];

/** @returns what the last word may become, and that word as it was typed: what readline wants */
export async function complete(line: string, findKeys: FindKeys): Promise<[string[], string]> {
  let words: Word[];
  try {
    words = scanWords(line);
  } catch {
    return NOTHING;
  }
  const last = words.at(-1);
  const isNewWord = last === undefined || (last.end === line.length && last.openQuote === '' && /\s$/.test(line));
  const isBetween = last !== undefined && last.end < line.length;
  const word = isNewWord || isBetween ? undefined : last;
  const typed = word === undefined ? '' : line.slice(word.start);
  const earlier = word === undefined ? words : words.slice(0, -1);
  const name = earlier[0]?.bytes.toString();
  if (name === undefined) return among([...COMMANDS.map((command) => command.name), ...SHELL_WORDS], typed);
  if (name === 'help') return among(earlier.length === 1 ? COMMANDS.map((command) => command.name) : [], typed);
  const command = findCommand(name);
  const isOption = typed.startsWith('--') && command?.options !== undefined;
  if (isOption || command?.takesKey?.(positionIn(command, earlier.slice(1))) !== true)
    return [optionsOf(command?.options, typed), typed];
  const keys = await findKeys(word?.bytes ?? Buffer.alloc(0));
  return among(
    keys.map((key) => spelled(key, typed)),
    typed,
  );
}

/** How many of the words are arguments, and not options or what belongs to one. */
function positionIn({ options = [] }: Command, words: readonly Word[]): number {
  let position = 0;
  for (let index = 0; index < words.length; index++) {
    const text = words[index].bytes.toString();
    const option = options.find(({ name }) => text === `--${name}` || text.startsWith(`--${name}=`));
    if (option === undefined) position++;
    else if (option.argument !== undefined && !text.includes('=')) index++;
  }
  return position;
}

const optionsOf = (options: readonly { readonly name: string }[] = [], typed: string): string[] =>
  options.map(({ name }) => `--${name} `).filter((flag) => flag.startsWith(typed));

function among(candidates: readonly string[], typed: string): [string[], string] {
  const hits = candidates.filter((candidate) => candidate.startsWith(typed)).sort();
  // The only way to go on gets its space.
  return [hits.length === 1 ? [`${hits[0]} `] : hits, typed];
}

/** The key in the quotes with which the word was begun. */
function spelled(key: Buffer, typed: string): string {
  if (typed.startsWith('"')) return `"${escapeInQuotes(key)}"`;
  if (typed.startsWith("'")) return `'${key.toString()}'`;
  return escapeBare(key);
}
