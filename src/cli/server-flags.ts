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

const KEYS: { readonly [name: string]: string } = Object.fromEntries([
  ...SETTINGS.map(({ flag, key }) => [flag.slice(2), key]),
  ['config', 'config'],
]);
const OPTIONS = Object.fromEntries([
  ...SETTINGS.map(({ flag, argument }) => [flag.slice(2), { type: argument === '' ? 'boolean' : 'string' }] as const),
  ['config', { type: 'string' }] as const,
]);

/** @returns undefined when there is something to explain */
export function parsePlain(args: readonly string[]): Flags | undefined {
  try {
    const { values } = parseArgs({ args: [...args], options: OPTIONS });
    return Object.fromEntries(
      Object.entries(values).flatMap(([name, value]) =>
        value === true || typeof value === 'string' ? [[KEYS[name], value]] : [],
      ),
    );
  } catch {
    return undefined;
  }
}
