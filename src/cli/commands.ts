/** Every command of kvs-client, in the order of the help. */
import type { Command } from './command.js';
import { LOG_COMMANDS } from './log-commands.js';
import { READ_COMMANDS } from './read-commands.js';
import { SERVER_COMMANDS } from './server-commands.js';
import { TRANSFER_COMMANDS } from './transfer-commands.js';
import { WRITE_COMMANDS } from './write-commands.js';

export const COMMANDS: readonly Command[] = [
  ...READ_COMMANDS,
  ...WRITE_COMMANDS,
  ...SERVER_COMMANDS,
  ...TRANSFER_COMMANDS,
  ...LOG_COMMANDS,
];

export const findCommand = (name: string): Command | undefined => COMMANDS.find((command) => command.name === name);
