/** The help inside the shell. */
import type { Command } from './command.js';
import { COMMANDS } from './commands.js';
import { factsTable } from './table.js';
import { usageOf } from './usage.js';

const WORDS = `Words with spaces go in "double" or 'single' quotes; outside of single quotes \\n, \\t, \\"
and \\xNN (a byte) are escapes. Tab completes commands and keys, Ctrl-C clears the line or
ends what is running, Ctrl-D or exit leaves.`;

export function shellHelp(): string {
  const rows = COMMANDS.map(
    (command) =>
      [`${command.name} ${command.parameters}`.trim(), command.summary.replace(IN_COMMAND_LINE, '')] as const,
  );
  const all = [...rows, ['help [command]', 'this help, or how to call a command'], ['exit', 'leave']] as const;
  return `${factsTable(all)}\n\n${WORDS}`;
}

/** Values come from stdin only outside of the shell. */
const IN_COMMAND_LINE = /; without a value.*$/;

export function commandHelp(command: Command): string {
  const options = (command.options ?? []).map(
    ({ name, argument = '', description, default: byDefault }) =>
      [
        `  --${name} ${argument}`.trimEnd(),
        description + (byDefault === undefined ? '' : ` (default: ${byDefault})`),
      ] as const,
  );
  const text = `${usageOf(command)}\n  ${command.summary.replace(IN_COMMAND_LINE, '')}`;
  return options.length === 0 ? text : `${text}\n${factsTable(options)}`;
}
