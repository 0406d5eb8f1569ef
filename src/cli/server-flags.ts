/**
 * The flags of kvs-server. A command line as it should be is read by Node's own parser, in a tenth of the time that it takes to
 * load the one that can explain them (server-command.ts), which reads every other.
 */
import { parseArgs } from 'node:util';

import { SETTINGS } from './server-setting-table.js';

/** By key, of those given; `config` names a file. */
export interface Flags {
  readonly [key: string]: string | true;
}

/** @returns undefined: help or version were asked for, and are printed. @throws SettingsError */
export async function readFlags(args: readonly string[]): Promise<Flags | undefined> {
  const flags = parsePlain(args);
  if (flags !== undefined) return flags;
  const { parseInFull } = await import('./server-command.js');
  return parseInFull(args);
}

/** Without the dashes: what it is called, and whether text follows. */
const FLAGS = [
  ...SETTINGS.map(({ flag, key, argument }) => ({ name: flag.slice(2), key, isText: argument !== '' })),
  { name: 'config', key: 'config', isText: true },
];
const OPTIONS = Object.fromEntries(
  FLAGS.map(({ name, isText }) => [name, { type: isText ? 'string' : 'boolean' }] as const),
);

/** @returns undefined when there is something to explain */
export function parsePlain(args: readonly string[]): Flags | undefined {
  try {
    const { values } = parseArgs({ args: [...args], options: OPTIONS });
    const flags: Record<string, string | true> = {};
    for (const { name, key } of FLAGS) {
      const value = values[name];
      if (value === true || typeof value === 'string') flags[key] = value;
    }
    return flags;
  } catch {
    return undefined;
  }
}
