/**
 * The settings of kvs-server: one table row each, whether it comes by flag, environment or configuration file. A flag
 * wins over the environment, that over the file, that over the default. All that is given is checked, also what loses.
 */
import { readFileSync, statSync } from 'node:fs';

import * as v from 'valibot';

import { kindOf } from '../errors.js';
import { oneOf } from '../option-schemas.js';
import {
  type KvsServerOptions,
  type ResolvedServerOptions,
  resolveServerOptions,
  serverOptionsSchema,
} from '../server/options.js';
import { parseByteSize } from './figures.js';

/** What is wrong with the command line, the environment or the configuration file; a line for each. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

export const LOG_LEVELS = ['silent', 'error', 'warn', 'info', 'debug'] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/** A server's options and the log's. */
export interface ServerSettings {
  readonly server: ResolvedServerOptions;
  readonly logLevel: LogLevel;
}

const { entries: schemas } = serverOptionsSchema;

/** Flags and variables are text. */
const number = (given: unknown): unknown =>
  typeof given === 'string' && /^\d+(\.\d+)?$/.test(given) ? Number(given) : given;
const bytes = (given: unknown): unknown => (typeof given === 'string' ? (parseByteSize(given) ?? given) : given);
const truth = (given: unknown): unknown => (given === 'true' ? true : given === 'false' ? false : given);
const SIZE_NOTE = ', or a size such as 64k, 512M, 2GiB in this range';

interface Setting {
  /** The key in a configuration file. */
  readonly key: string;
  readonly flag: string;
  readonly variable: string;
  /** '': none, the flag alone says yes. */
  readonly argument: string;
  readonly description: string;
  readonly schema: v.GenericSchema;
  /** What text stands for. */
  readonly convert?: (given: unknown) => unknown;
  /** The option of the API that it sets. */
  readonly option: keyof KvsServerOptions | 'logLevel';
}

/** In the order of --help. */
export const SETTINGS: readonly Setting[] = [
  {
    key: 'name',
    flag: '--name',
    variable: 'KVS_NAME',
    argument: '<name>',
    description: 'name of the region on this host (default: "default")',
    schema: schemas.name,
    option: 'name',
  },
  {
    key: 'workers',
    flag: '--workers',
    variable: 'KVS_WORKERS',
    argument: '<n>',
    description: 'worker threads, 1 to 32 (default: one less than there are CPUs)',
    schema: schemas.workers,
    convert: number,
    option: 'workers',
  },
  {
    key: 'stripes',
    flag: '--stripes',
    variable: 'KVS_STRIPES',
    argument: '<n>',
    description: 'lock stripes of the store, a power of two (default: 64)',
    schema: schemas.stripes,
    convert: number,
    option: 'stripes',
  },
  {
    key: 'slots',
    flag: '--slots',
    variable: 'KVS_SLOTS',
    argument: '<n>',
    description: 'requests in flight at once, a power of two (default: 1024)',
    schema: schemas.slots,
    convert: number,
    option: 'slots',
  },
  {
    key: 'maxMemory',
    flag: '--max-memory',
    variable: 'KVS_MAX_MEMORY',
    argument: '<size>',
    description: 'memory of the store, reserved at start (default: 256M)',
    schema: schemas.maxMemory,
    convert: bytes,
    option: 'maxMemory',
  },
  {
    key: 'maxValue',
    flag: '--max-value',
    variable: 'KVS_MAX_VALUE',
    argument: '<size>',
    description: 'largest value (default: 1M)',
    schema: schemas.maxValueBytes,
    convert: bytes,
    option: 'maxValueBytes',
  },
  {
    key: 'shmDir',
    flag: '--shm-dir',
    variable: 'KVS_SHM_DIR',
    argument: '<dir>',
    description: "where the region's files are (default: /dev/shm)",
    schema: schemas.shmDir,
    option: 'shmDir',
  },
  {
    key: 'group',
    flag: '--group',
    variable: 'KVS_GROUP',
    argument: '<gid>',
    description: 'id of a group whose members may connect too (default: only this user)',
    schema: schemas.group,
    convert: number,
    option: 'group',
  },
  {
    key: 'hugePages',
    flag: '--huge-pages',
    variable: 'KVS_HUGE_PAGES',
    argument: '<bool>',
    description: 'gather the store in pages of 2 MiB, true or false (default: false)',
    schema: schemas.hugePages,
    convert: truth,
    option: 'hugePages',
  },
  {
    key: 'drainTimeout',
    flag: '--drain-timeout',
    variable: 'KVS_DRAIN_TIMEOUT',
    argument: '<ms>',
    description: 'wait for requests in flight at the end (default: 5000)',
    schema: schemas.drainTimeoutMs,
    convert: number,
    option: 'drainTimeoutMs',
  },
  {
    key: 'keep',
    flag: '--keep',
    variable: 'KVS_KEEP',
    argument: '',
    description: 'leave data and clients to the next server when stopped (default: remove all)',
    schema: schemas.keep,
    convert: truth,
    option: 'keep',
  },
  {
    key: 'takeover',
    flag: '--takeover',
    variable: 'KVS_TAKEOVER',
    argument: '',
    description: 'take the place of a server of the name that runs, with all its data',
    schema: schemas.takeover,
    convert: truth,
    option: 'takeover',
  },
  {
    key: 'fresh',
    flag: '--fresh',
    variable: 'KVS_FRESH',
    argument: '',
    description: 'start empty, whatever a dead server has left',
    schema: schemas.fresh,
    convert: truth,
    option: 'fresh',
  },
  {
    key: 'logLevel',
    flag: '--log-level',
    variable: 'KVS_LOG_LEVEL',
    argument: '<level>',
    description: `${LOG_LEVELS.join(', ')} (default: info)`,
    schema: oneOf(LOG_LEVELS),
    option: 'logLevel',
  },
];

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
  const server = resolve({ name: 'default', ...options });
  if (statSync(server.shmDir, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new SettingsError(`--shm-dir: expected a directory, got ${JSON.stringify(server.shmDir)}`);
  }
  return { server, logLevel };
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
  const unknown = Object.keys(content).filter((key) => SETTINGS.every((setting) => setting.key !== key));
  if (unknown.length === 0) return content;
  const known = SETTINGS.map(({ key }) => key).join(', ');
  const names = unknown.map((key) => JSON.stringify(key)).join(', ');
  throw new SettingsError(`--config: ${path}: unknown key ${names}; known are ${known}`);
}

const isObject = (content: unknown): content is { readonly [key: string]: unknown } =>
  typeof content === 'object' && content !== null && !Array.isArray(content);
