/** What commands make of their arguments. */
import type { StoredValue } from '../codec/codec.js';
import { kindOf } from '../errors.js';
import { type Answer, type Session, UsageError } from './command.js';
import { jsonOfBytes, jsonOfValue, shownValue, storedValue } from './values.js';

/**
 * The value to write: the argument, or stdin where it is `-` or left out.
 * @throws UsageError for what the codec does not take
 */
export async function valueArgument(session: Session, typed: Buffer | undefined): Promise<StoredValue> {
  const { readInput, options } = session;
  if (readInput !== undefined && (typed === undefined || typed.equals(Buffer.from('-')))) {
    return storedValue(await readInput(), options.codec);
  }
  if (typed === undefined) throw new UsageError('missing the value, "" for an empty one');
  return storedValue(typed, options.codec);
}

/** @throws UsageError for anything but a number within the bounds */
export function numberArgument(
  typed: Buffer | string,
  name: string,
  { isWhole = false, min = -Infinity, max = Infinity } = {},
): number {
  const text = typed.toString().trim();
  const number = text === '' ? Number.NaN : Number(text);
  if (Number.isFinite(number) && (!isWhole || Number.isSafeInteger(number)) && number >= min && number <= max) {
    return number;
  }
  const least = min === -Infinity ? '' : ` from ${min}`;
  const most = max === Infinity ? '' : ` to ${max}`;
  throw new UsageError(
    `${name}: expected a ${isWhole ? 'whole ' : ''}number${least}${most}, got ${kindOf(text).replace('string ', '')}`,
  );
}

/** The answer that shows a value, or that there is none. */
export function valueAnswer(session: Session, key: Buffer, value: StoredValue | undefined, facts: object = {}): Answer {
  const json = { key: jsonOfBytes(key) };
  if (value === undefined) return { json: { ...json, found: false }, value: undefined, isNo: true };
  const { codec } = session.options;
  return { json: { ...json, found: true, ...jsonOfValue(value, codec), ...facts }, value: shownValue(value, codec) };
}
