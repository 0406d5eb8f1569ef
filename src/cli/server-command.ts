/** The command line of kvs-server in full: its help, and what is wrong with it. Loaded only when one of these is wanted. */
import { Command, CommanderError, Option } from 'commander';

import { VERSION } from '../version.js';
import type { Flags } from './server-flags.js';
import { SettingsError } from './server-settings.js';
import { SETTINGS } from './server-setting-table.js';
import { endWithStdout } from './stdout.js';

const HELP = `
Sizes are bytes, or such as 64k, 512M, 2GiB (powers of 1024).

A flag wins over the environment, the environment over the file of --config. The file is
JSON: {"name": "sessions", "maxMemory": "2GiB", "maxValue": 65536, "logLevel": "warn"},
keys after the flags: maxMemory for --max-memory.

SIGTERM or SIGINT: no new requests, those in flight are finished, the region is removed
(with --keep it is left to the next server), exit code 0. A second one, half a second later
or more, ends the server at once (exit code 143 or 130); the region is left as by a crash.

A server that starts goes on with what a dead one of its name has left: all data, and the
requests in flight. It starts empty if that is of another version, damaged, or of another
--slots, --stripes, --max-memory or --max-value than given; what was there is then kept
as kvs.<name>.{ctl,data}.old beside the region, until the next such case.

With --dir it keeps a log of all writes and snapshots there. What a killed server had not
written yet is still in shared memory; after a reboot the files have all that --sync
promises. While the disk takes nothing, writes fail with ERR_KVS_NOT_DURABLE.

Exit codes:
  0  stopped as told
  1  internal failure
  2  wrong usage or configuration
  3  a server of that name is running already
  4  no space for the region
  5  the region's files are not ours, damaged, or of another version
  6  the log in --dir cannot be used: missing, damaged (see --repair), of another version

Examples:
  $ kvs-server                                      the server "default", 256 MiB
  $ kvs-server --name sessions --max-memory 2GiB --max-value 8M
  $ kvs-server --config /etc/kvs.json --log-level warn
  $ KVS_NAME=cache KVS_WORKERS=2 kvs-server
`;

/** @returns undefined: help or version were asked for, and are printed. @throws SettingsError */
export function parseInFull(args: readonly string[]): Flags | undefined {
  const program = new Command('kvs-server')
    .description('Serves a key-value store to all processes of this host through shared memory.')
    .version(VERSION, '--version', 'print the version')
    .helpOption('--help', 'print this help')
    .allowExcessArguments(false)
    .configureOutput({ outputError: () => {} })
    .exitOverride()
    .addHelpText('after', HELP);
  for (const { flag, argument, description, variable } of SETTINGS) {
    program.addOption(new Option(`${flag} ${argument}`.trimEnd(), `${description} [$${variable}]`));
  }
  program.option('--config <file.json>', 'read settings from a file [$KVS_CONFIG]');
  try {
    return program.parse(args, { from: 'user' }).opts<Flags>();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) {
      // Only here: a server goes on without its terminal.
      endWithStdout('kvs-server', 1);
      return undefined;
    }
    throw new SettingsError(error.message.replace(/^error: /, ''), { cause: error });
  }
}
