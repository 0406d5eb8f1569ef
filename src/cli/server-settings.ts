/**
 * Reads the settings of kvs-server (server-setting-table.ts), by flag, environment or configuration file. A flag wins over
 * the environment, that over the file, that over the default. All that is given is checked, also what loses.
 */
import { readFileSync, statSync } from 'node:fs';

import * as v from 'valibot';

import { kindOf } from '../errors.js';
import { type KvsServerOptions, type ResolvedServerOptions, resolveServerOptions } from '../server/options.js';
import { type LogLevel, type Setting, SETTINGS } from './server-setting-table.js';

/** What is wrong with the command line, the environment or the configuration file; a line for each. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** A server's options and the log's. */
export interface ServerSettings {
  readonly given: KvsServerOptions;
  /** With what was not given. */
  readonly resolved: ResolvedServerOptions;
  readonly logLevel: LogLevel;
}

const SIZE_NOTE = ', or a size such as 64k, 512M, 2GiB in this range';

/** One place where settings come from, with how it names each. */
interface Source {
  readonly values: { readonly [key: string]: unknown };
  readonly nameOf: (setting: Setting) => string;
}

/**
 * @param flags by key, of those given
 * @param configFile by --config; $KVS_CONFIG does the same
 * @throws SettingsError that names everything wrong by where it was given
 */
export function readSettings(
  flags: { readonly [key: string]: string | true },
  environment: NodeJS.ProcessEnv,
  configFile = presence(environment['KVS_CONFIG']),
): ServerSettings {
  const variables = Object.fromEntries(SETTINGS.map(({ key, variable }) => [key, presence(environment[variable])]));
  const sources: Source[] = [
    { values: flags, nameOf: ({ flag }) => flag },
    { values: variables, nameOf: ({ variable }) => variable },
  ];
  if (configFile !== undefined) {
    sources.push({ values: readConfigFile(configFile), nameOf: ({ key }) => `${key} in ${configFile}` });
  }
  const { logLevel = 'info', ...options } = merge(sources);
  const given = { name: 'default', ...options };
  const resolved = resolve(given);
  if (statSync(resolved.shmDir, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new SettingsError(`--shm-dir: expected a directory, got ${JSON.stringify(resolved.shmDir)}`);
  }
  return { given, resolved, logLevel };
}

/** @throws SettingsError for options that do not fit each other */
function resolve(options: KvsServerOptions): ResolvedServerOptions {
  try {
    return resolveServerOptions(options);
  } catch (error) {
    throw new SettingsError(inTermsOfFlags((error as Error).message), { cause: error });
  }
}

/** A variable that is set to nothing is not set. */
const presence = (value: string | undefined): string | undefined => (value === '' ? undefined : value);

function merge(sources: readonly Source[]): Partial<KvsServerOptions> & { logLevel?: LogLevel } {
  const merged: Record<string, unknown> = {};
  const problems: string[] = [];
  for (const { values, nameOf } of sources) {
    for (const setting of SETTINGS) {
      const given = values[setting.key];
      if (given === undefined) continue;
      const parsed = v.safeParse(setting.schema, setting.convert?.(given) ?? given);
      if (parsed.success) merged[setting.option] ??= parsed.output;
      else problems.push(`${nameOf(setting)}: ${expectationOf(setting, parsed.issues[0])}, got ${shown(given)}`);
    }
  }
  if (problems.length > 0) throw new SettingsError(problems.join('\n'));
  return merged;
}

function expectationOf({ argument }: Setting, { message }: { message: string }): string {
  return `${message}${argument === '<size>' ? SIZE_NOTE : ''}`;
}

/** Text as it was given; what a file can hold besides by its kind. */
const shown = (given: unknown): string => kindOf(given).replace(/^(string|number|boolean) /, '');

function inTermsOfFlags(message: string): string {
  let text = message.replace(/^invalid server options: /, '');
  for (const { option, flag } of SETTINGS) text = text.replaceAll(new RegExp(`\\b${option}\\b`, 'g'), flag);
  return text;
}

function readConfigFile(path: string): Source['values'] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new SettingsError(`--config: ${path} cannot be read (${(cause as NodeJS.ErrnoException).code})`, { cause });
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (cause) {
    throw new SettingsError(`--config: ${path} is not JSON: ${(cause as Error).message}`, { cause });
  }
  if (!isObject(content)) {
    throw new SettingsError(`--config: ${path}: expected an object of settings, got ${kindOf(content)}`);
  }
  const unknown = Object.keys(content).filter((name) =>
    SETTINGS.every(({ key, option }) => key !== name && option !== name),
  );
  if (unknown.length === 0) return byKey(path, content);
  const known = SETTINGS.map(({ key }) => key).join(', ');
  const names = unknown.map((key) => JSON.stringify(key)).join(', ');
  throw new SettingsError(`--config: ${path}: unknown key ${names}; known are ${known}`);
}

/** @throws SettingsError for what is given by both of its names */
function byKey(path: string, content: { readonly [name: string]: unknown }): Source['values'] {
  const twice = SETTINGS.find(({ key, option }) => key !== option && key in content && option in content);
  if (twice !== undefined) {
    throw new SettingsError(
      `--config: ${path}: ${twice.key} and ${twice.option} are one setting, expected one of them`,
    );
  }
  return Object.fromEntries(SETTINGS.map(({ key, option }) => [key, content[key in content ? key : option]]));
}

const isObject = (content: unknown): content is { readonly [key: string]: unknown } =>
  typeof content === 'object' && content !== null && !Array.isArray(content);
