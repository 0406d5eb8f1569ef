/**
 * The interactive shell of kvs-client. In a terminal it edits, completes and remembers lines; from a pipe it runs them
 * one by one, and ends with the worst exit code of all.
 */
import { createInterface, type Interface } from 'node:readline';

import type { Command, CommandOptions, Session } from './command.js';
import { UsageError } from './command.js';
import { findCommand } from './commands.js';
import { complete, SHELL_WORDS } from './completion.js';
import { describeError, EXIT, exitCodeOf } from './exit-codes.js';
import { formatCount } from './figures.js';
import { History, MAX_LINES } from './history.js';
import { Output, type Style } from './output.js';
import { runCommand } from './run-command.js';
import { commandHelp, shellHelp } from './shell-help.js';
import { splitWords } from './shell-words.js';
import { checkCount } from './usage.js';

const COMPLETION_KEYS = 100;
const COMPLETION_TIMEOUT_MS = 300;

/** @returns the exit code */
export async function runShell(session: Session, style: Style | undefined): Promise<number> {
  return process.stdin.isTTY ? runInTerminal(session, style ?? 'readable') : runScript(session, style ?? 'lines');
}

async function runScript(session: Session, style: Style): Promise<number> {
  const output = new Output(style);
  const readline = createInterface({ input: process.stdin, crlfDelay: Infinity });
  let worst: number = EXIT.ok;
  let number = 0;
  for await (const line of readline) {
    number++;
    if (line.trim() === 'exit') break;
    try {
      worst = Math.max(worst, await runLine(session, output, line));
    } catch (error) {
      worst = Math.max(worst, exitCodeOf(error));
      process.stderr.write(`kvs-client: line ${number}: ${describeError(error)}\n`);
    }
  }
  readline.close();
  return worst;
}

async function runInTerminal(session: Session, style: Style): Promise<number> {
  const { name } = session.options;
  const { pid, entries } = await (await session.client()).stats();
  const keys = entries === 1 ? '1 key' : `${formatCount(entries)} keys`;
  process.stdout.write(`Connected to server "${name}" (pid ${pid}, ${keys}). "help" lists the commands.\n`);
  const output = new Output(style);
  const history = new History();
  const readline = createInterface({
    input: process.stdin,
    output: process.stdout,
    prompt: `${name}> `,
    history: history.read(),
    historySize: MAX_LINES,
    removeHistoryDuplicates: true,
    completer: (line: string, done: Completed) => void offer(session, line, done),
  });
  session.confirm = (question) => confirm(readline, question);
  let running: AbortController | undefined;
  readline.on('SIGINT', () => {
    if (running !== undefined) running.abort();
    else clearLine(readline);
  });
  // Ctrl-D leaves the line without an end.
  let isLeft = false;
  readline.on('close', () => {
    if (!isLeft) process.stdout.write('\n');
  });
  readline.prompt();
  for await (const line of readline) {
    if (line.trim() !== '') history.add(line);
    if (line.trim() === 'exit') break;
    running = new AbortController();
    session.signal = running.signal;
    try {
      await runLine(session, output, line);
    } catch (error) {
      process.stdout.write(`error: ${describeError(error)}\n`);
    }
    running = undefined;
    readline.prompt();
  }
  isLeft = true;
  readline.close();
  return EXIT.ok;
}

function clearLine(readline: Interface): void {
  process.stdout.write('^C\n');
  readline.write(null, { ctrl: true, name: 'e' });
  readline.write(null, { ctrl: true, name: 'u' });
  readline.prompt();
}

const confirm = (readline: Interface, question: string): Promise<boolean> =>
  new Promise((resolve) => {
    readline.once('close', () => resolve(false));
    readline.question(`${question} [y/N] `, (answer) => resolve(/^y(es)?$/i.test(answer.trim())));
  });

type Completed = (error: null, hits: [string[], string]) => void;

/** A server that does not answer offers nothing. */
async function offer(session: Session, line: string, done: Completed): Promise<void> {
  let hits: [string[], string] = [[], line];
  try {
    hits = await complete(line, (prefix) => keysToOffer(session, prefix));
  } catch {
    // Nothing to offer then.
  }
  done(null, hits);
}

async function keysToOffer(session: Session, prefix: Buffer): Promise<Buffer[]> {
  const client = await session.client();
  const keys: Buffer[] = [];
  for await (const key of client.keys(prefix, { timeoutMs: COMPLETION_TIMEOUT_MS })) {
    keys.push(key);
    if (keys.length === COMPLETION_KEYS) break;
  }
  return keys;
}

/** @returns the exit code. @throws whatever ends the command */
export async function runLine(session: Session, output: Output, line: string): Promise<number> {
  if (line.trimStart().startsWith('#')) return EXIT.ok;
  const [first, ...words] = splitWords(line);
  if (first === undefined) return EXIT.ok;
  const name = first.toString();
  if (name === SHELL_WORDS[0]) {
    await output.write(helpOn(words[0]?.toString()));
    return EXIT.ok;
  }
  const command = commandNamed(name);
  const { args, options } = argumentsOf(command, words);
  return runCommand(session, output, command, args, options);
}

function commandNamed(name: string): Command {
  const command = findCommand(name);
  if (command === undefined) throw new UsageError(`unknown command ${JSON.stringify(name)}: "help" lists the commands`);
  return command;
}

function helpOn(name: string | undefined) {
  const text = name === undefined ? shellHelp() : commandHelp(commandNamed(name));
  return { json: { help: text }, line: text };
}

/**
 * Words are options only where the command has one of that name, wherever they stand, so that values may begin with a dash;
 * behind a lone -- none are.
 */
function argumentsOf(command: Command, words: readonly Buffer[]): { args: readonly Buffer[]; options: CommandOptions } {
  const known = command.options ?? [];
  const options: Record<string, string | boolean> = {};
  for (const { name, default: byDefault } of known) if (byDefault !== undefined) options[name] = byDefault;
  const args: Buffer[] = [];
  for (let index = 0; index < words.length; index++) {
    const word = words[index].toString();
    if (known.length > 0 && word === '--' && index < words.length - 1) {
      args.push(...words.slice(index + 1));
      break;
    }
    const [name = '', typed] = word.startsWith('--') ? splitAt(word.slice(2), word.indexOf('=') - 2) : [];
    const option = known.find((one) => one.name === name);
    if (option === undefined) {
      if (command.parameters === '' && known.length > 0) throw new UsageError(`Unknown option '${word}'`);
      args.push(words[index]);
    } else if (option.argument === undefined) {
      options[name] = true;
    } else {
      const value = typed ?? words[++index]?.toString();
      if (value === undefined) throw new UsageError(`--${name}: expected ${option.argument} behind it`);
      options[name] = value;
    }
  }
  checkCount(command, args.length);
  return { args, options };
}

/** Both sides of the character at `at`; all of it if there is none. */
const splitAt = (text: string, at: number): [string, string?] =>
  at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
