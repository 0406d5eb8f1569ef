#!/usr/bin/env node
/**
 * kvs-client: runs one command against a server, or without one a shell. Answers go to stdout, errors to stderr in one
 * line; the exit code says which it was.
 */
import { Command as Commander, Option } from 'commander';

import type { CodecName } from '../codec/codec.js';
import { VERSION } from '../index.js';
import { numberArgument } from './arguments.js';
import { type Command, type CommandOptions, Session, UsageError } from './command.js';
import { COMMANDS } from './commands.js';
import { describeError, EXIT, EXIT_HELP, exitCodeOf } from './exit-codes.js';
import { Output } from './output.js';
import { runCommand } from './run-command.js';
import { readStdin } from './stdin.js';
import { endWithStdout } from './stdout.js';

const HELP = `
Without a command a shell starts, or, with a pipe on stdin, each line of it is run.

get prints the value byte for byte, with a newline only in a terminal. With --json every
command prints JSON, keys and entries a line for each; bytes that are not UTF-8 become
{"base64": "…"}. Values that begin with a dash go behind --: kvs-client set key -- -x

${EXIT_HELP}
Examples:
  $ kvs-client set greeting 'Hello, world'
  $ kvs-client get greeting
  $ kvs-client set logo < logo.png && kvs-client get logo > copy.png
  $ kvs-client --codec int32 incr visits
  $ kvs-client --json entries user: | jq .value
  $ kvs-client export --output backup.jsonl && kvs-client --name other import backup.jsonl
  $ kvs-client bench --clients 4 --value-bytes 1k
  $ kvs-client                                        the shell
`;

interface GlobalOptions {
  readonly name: string;
  readonly shmDir?: string;
  readonly group?: number;
  readonly timeout?: number;
  readonly json?: boolean;
  readonly codec?: CodecName;
}

const sessionOf = (
  { name, shmDir, group, timeout, codec }: GlobalOptions,
  readInput?: () => Promise<Buffer>,
): Session => new Session({ name, shmDir, group, timeoutMs: timeout, codec }, readInput);

/** The program; its actions set the exit code. */
function createProgram(): Commander {
  const program = new Commander('kvs-client')
    .description('Asks and tells a kvs-server of this host.')
    .usage('[options] [command]')
    .version(VERSION, '--version', 'print the version')
    .helpOption('--help', 'print this help')
    .helpCommand(false)
    .addOption(new Option('--name <name>', 'name of the server').env('KVS_NAME').default('default'))
    .addOption(new Option('--shm-dir <dir>', "where the region's files are").env('KVS_SHM_DIR'))
    .addOption(
      new Option('--group <gid>', 'id of a group that may have made the region')
        .env('KVS_GROUP')
        .argParser((text) => numberArgument(text, '--group', { min: 0, max: 2 ** 32 - 2 })),
    )
    .addOption(new Option('--timeout <ms>', 'deadline of each call (default: 5000)').argParser(milliseconds))
    .addOption(
      new Option(
        '--codec <codec>',
        'write values so, read only such; left out: writes text (bytes if it is none), reads all byte for byte',
      ).choices(['utf8', 'buffer', 'json', 'int32', 'float64']),
    )
    .option('--json', 'print JSON')
    .configureOutput({ outputError: () => {} })
    .exitOverride()
    .addHelpText('after', HELP)
    .argument('[command]')
    .action(async (word: string | undefined) => {
      if (word !== undefined) throw new UsageError(`unknown command ${JSON.stringify(word)}`);
      const { runShell } = await import('./shell.js');
      const options = program.opts<GlobalOptions>();
      const session = sessionOf(options);
      await ending(session, () => runShell(session, options.json === true ? 'json' : undefined));
    });
  for (const command of COMMANDS) addCommand(program, command);
  return program;
}

const milliseconds = (text: string): number => numberArgument(text, '--timeout', { min: 0, max: 86_400_000 });

function addCommand(program: Commander, command: Command): void {
  const added = program
    .command(`${command.name} ${command.parameters}`.trim())
    .description(command.summary)
    .helpGroup(`${command.group}:`)
    .helpOption('--help', 'print this help');
  for (const { name, argument, description, default: byDefault } of command.options ?? []) {
    added.addOption(
      new Option(argument === undefined ? `--${name}` : `--${name} ${argument}`, description).default(byDefault),
    );
  }
  added.action(async () => {
    const options = program.opts<GlobalOptions>();
    const session = sessionOf(options, readStdin);
    const output = new Output(options.json === true ? 'json' : process.stdout.isTTY ? 'lines' : 'exact');
    const args = added.args.map((text) => Buffer.from(text));
    session.signal = command.stopsInOrder === true ? interruption() : undefined;
    await ending(session, () => runCommand(session, output, command, args, optionsOf(command, added)));
  });
}

/** Commander knows options by camel case. */
const optionsOf = ({ options = [] }: Command, commander: Commander): CommandOptions =>
  Object.fromEntries(
    options.map(({ name }) => [
      name,
      commander.getOptionValue(name.replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase())) as
        | string
        | undefined,
    ]),
  );

/** Ctrl-C ends the command in its own way; a second one ends the process. */
function interruption(): AbortSignal {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort());
  return controller.signal;
}

/** Sets the exit code, and closes the session however it went. */
async function ending(session: Session, run: () => Promise<number>): Promise<void> {
  try {
    process.exitCode = await run();
  } finally {
    await session.close();
  }
}

endWithStdout('kvs-client', EXIT.failure);

async function main(): Promise<void> {
  try {
    await createProgram().parseAsync(process.argv);
  } catch (error) {
    process.exitCode = exitCodeOf(error);
    if (process.exitCode !== EXIT.ok) process.stderr.write(`kvs-client: ${describeError(error)}\n`);
    if (process.exitCode === EXIT.usage) process.stderr.write('kvs-client: see kvs-client --help\n');
  }
}

void main();
