/**
 * What options of the server and of the client have in common: schemas whose messages say what was expected, and the one
 * error that names everything wrong.
 */
import * as v from 'valibot';

import { kindOf } from './errors.js';
import type { EvictionPolicy } from './memory/layout.js';
import { NAME_PATTERN } from './memory/region-files.js';

interface Bounds {
  readonly min: number;
  readonly max: number;
}

const inBounds = (message: string, { min, max }: Bounds) =>
  v.pipe(v.number(message), v.minValue(min, message), v.maxValue(max, message));

export const wholeNumber = (bounds: Bounds) => {
  const message = `expected a whole number from ${bounds.min} to ${bounds.max}`;
  return v.pipe(inBounds(message, bounds), v.integer(message));
};

export const powerOfTwo = (bounds: Bounds) => {
  const message = `expected a power of two from ${bounds.min} to ${bounds.max}`;
  const isOne = (n: number): boolean => Number.isInteger(n) && (n & (n - 1)) === 0;
  return v.pipe(inBounds(message, bounds), v.check(isOne, message));
};

export const milliseconds = (max: number) => inBounds(`expected milliseconds from 0 to ${max}`, { min: 0, max });

export const oneOf = <const T extends readonly string[]>(names: T) =>
  v.picklist(names, `expected one of ${names.join(', ')}`);

export const yesOrNo = v.boolean('expected true or false');

export const evictionPolicy = oneOf(['none', 's3-fifo'] as const satisfies readonly EvictionPolicy[]);

/** When what was logged is made durable: before it is answered, once per second, or whenever the kernel likes. */
export const syncMode = oneOf(['always', 'everysec', 'no']);
export type SyncMode = v.InferOutput<typeof syncMode>;

const NAME_MESSAGE = 'expected 1 to 64 characters of A-Z a-z 0-9 . _ -';
export const regionName = v.pipe(v.string(NAME_MESSAGE), v.regex(NAME_PATTERN, NAME_MESSAGE));

const DIRECTORY_MESSAGE = 'expected a directory';
export const directory = v.pipe(v.string(DIRECTORY_MESSAGE), v.minLength(1, DIRECTORY_MESSAGE));

/** The kernel keeps the last one for itself: no group. */
export const groupId = wholeNumber({ min: 0, max: 2 ** 32 - 2 });

/** The message of an object of options, for what is none and for options that there are not. */
export const optionsMessage = (what: string) => (issue: { readonly expected: string | null }) =>
  issue.expected === 'never' ? NO_SUCH_OPTION : `expected ${what}`;
const NO_SUCH_OPTION = 'there is no option of that name';

/**
 * The options, checked.
 * @param whose for the message
 * @throws TypeError that names each wrong option, what was expected and what came
 */
export function parseOptions<T extends v.GenericSchema>(schema: T, options: unknown, whose: string): v.InferOutput<T> {
  const parsed = v.safeParse(schema, options);
  if (parsed.success) return parsed.output;
  const wrong = parsed.issues.map(({ path, message, input }) => {
    const where = path === undefined ? 'options' : path.map(({ key }) => String(key)).join('.');
    return message === NO_SUCH_OPTION ? `${where}: ${message}` : `${where}: ${message}, got ${kindOf(input)}`;
  });
  throw new TypeError(`invalid ${whose} options: ${wrong.join('; ')}`);
}
