/** Answers with the value of an entry, its version, and (as the number) when it expires. Under the stripe's lock. */
import type { Store } from '../store/store.js';
import type { ResponseWriter } from './response-writer.js';

/** @returns false when the arena has no room for the value */
export function writeEntry(store: Store, granule: number, response: ResponseWriter): boolean {
  const { map } = store;
  store.use();
  if (!response.reserve(map.valueBytesOf(granule))) return false;
  store.copyValue(granule, response.target, response.offset);
  response.codec(map.codecOf(granule));
  response.version(map.versionOf(granule));
  response.number(map.expiresAtOf(granule));
  return true;
}
