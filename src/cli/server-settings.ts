/**
 * The settings of kvs-server: one table row each, whether it comes by flag, environment or configuration file. A flag
 * wins over the environment, that over the file, that over the default. All that is given is checked, also what loses.
 */
import { readFileSync, statSync } from 'node:fs';

import { z } from 'zod';

import { kindOf } from '../errors.js';
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

const { shape } = serverOptionsSchema;

/** Flags and variables are text. */
const number = <T extends z.ZodType>(schema: T) =>
  z.preprocess((given) => (typeof given === 'string' && /^\d+(\.\d+)?$/.test(given) ? Number(given) : given), schema);
const bytes = <T extends z.ZodType>(schema: T) =>
  z.preprocess((given) => (typeof given === 'string' ? (parseByteSize(given) ?? given) : given), schema);
const SIZE_NOTE = ', or a size such as 64k, 512M, 2GiB in this range';

interface Setting {
  /** The key in a configuration file. */
  readonly key: string;
  readonly flag: string;
  readonly variable: string;
  readonly argument: string;
  readonly description: string;
  readonly schema: z.ZodType;
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
    schema: shape.name,
    option: 'name',
  },
  {
    key: 'workers',
    flag: '--workers',
    variable: 'KVS_WORKERS',
    argument: '<n>',
    description: 'worker threads, 1 to 32 (default: one less than there are CPUs)',
    schema: number(shape.workers),
    option: 'workers',
  },
  {
    key: 'stripes',
    flag: '--stripes',
    variable: 'KVS_STRIPES',
    argument: '<n>',
    description: 'lock stripes of the store, a power of two (default: 64)',
    schema: number(shape.stripes),
    option: 'stripes',
  },
  {
    key: 'slots',
    flag: '--slots',
    variable: 'KVS_SLOTS',
    argument: '<n>',
    description: 'requests in flight at once, a power of two (default: 1024)',
    schema: number(shape.slots),
    option: 'slots',
  },
  {
    key: 'maxMemory',
    flag: '--max-memory',
    variable: 'KVS_MAX_MEMORY',
    argument: '<size>',
    description: 'memory of the store, reserved at start (default: 256M)',
    schema: bytes(shape.maxMemory),
    option: 'maxMemory',
  },
  {
    key: 'maxValue',
    flag: '--max-value',
    variable: 'KVS_MAX_VALUE',
    argument: '<size>',
    description: 'largest value (default: 1M)',
    schema: bytes(shape.maxValueBytes),
    option: 'maxValueBytes',
  },
  {
    key: 'shmDir',
    flag: '--shm-dir',
    variable: 'KVS_SHM_DIR',
    argument: '<dir>',
    description: "where the region's files are (default: /dev/shm)",
    schema: shape.shmDir,
    option: 'shmDir',
  },
  {
    key: 'drainTimeout',
    flag: '--drain-timeout',
    variable: 'KVS_DRAIN_TIMEOUT',
    argument: '<ms>',
    description: 'wait for requests in flight at the end (default: 5000)',
    schema: number(shape.drainTimeoutMs),
    option: 'drainTimeoutMs',
  },
  {
    key: 'logLevel',
    flag: '--log-level',
    variable: 'KVS_LOG_LEVEL',
    argument: '<level>',
    description: `${LOG_LEVELS.join(', ')} (default: info)`,
    schema: z.enum(LOG_LEVELS, { error: `expected one of ${LOG_LEVELS.join(', ')}` }).optional(),
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
  flags: { readonly [key: string]: string },
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
      const parsed = setting.schema.safeParse(given);
      if (parsed.success) merged[setting.option] ??= parsed.data;
      else problems.push(`${nameOf(setting)}: ${expectationOf(setting, parsed.error)}, got ${shown(given)}`);
    }
  }
  if (problems.length > 0) throw new SettingsError(problems.join('\n'));
  return merged;
}

function expectationOf({ argument }: Setting, { issues: [issue] }: z.ZodError): string {
  return `${issue?.message ?? 'expected something else'}${argument === '<size>' ? SIZE_NOTE : ''}`;
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
  const schema = z.strictObject(Object.fromEntries(SETTINGS.map(({ key }) => [key, z.unknown().optional()])));
  const parsed = schema.safeParse(content);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  if (issue?.code !== 'unrecognized_keys') {
    throw new SettingsError(`--config: ${path}: expected an object of settings, got ${kindOf(content)}`);
  }
  const unknown = issue.keys.map((key) => JSON.stringify(key)).join(', ');
  const known = SETTINGS.map(({ key }) => key).join(', ');
  throw new SettingsError(`--config: ${path}: unknown key ${unknown}; known are ${known}`);
}
