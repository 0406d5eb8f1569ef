/**
 * What one key of the store may do: the sequential specification that histories are held against.
 * A state is never changed; an operation that changes nothing answers the very same state.
 */

/**
 * One operation on one key, as a client saw it. Those that certainly did not happen are left out of histories.
 * @typedef {object} Operation
 * @property {'get' | 'exists' | 'getEntry' | 'set' | 'post' | 'cas' | 'del' | 'getdel' | 'incr'} name
 * @property {string | undefined} [value] what it writes
 * @property {number | undefined} [expected] by `cas`: the version, 0 for a missing key
 * @property {number | undefined} [by] by `incr`
 * @property {boolean} isOpen whether its outcome is not known: it happened at any time after `invoked`, or never
 * @property {unknown} [result] undefined with `del`: it was executed, and whether the key was there is not known
 * @property {number} invoked
 * @property {number} returned Infinity when open
 * @property {string} session whose operations take effect in the order in which they were issued
 * @property {number} issue the place in that order
 */

/**
 * @typedef {object} State
 * @property {string | undefined} value undefined: missing
 * @property {number} version 0: nobody has seen it yet
 * @property {number} floor all versions from now on that are not known yet are above it
 * @property {string} excluded versions that an unknown one is not, each followed by a blank
 */

/** @type {State} */
export const MISSING = { value: undefined, version: 0, floor: 0, excluded: '' };

/** @param {State} state */
export const stateKey = ({ value, version, floor, excluded }) => `${value}\n${version}\n${floor}\n${excluded}`;

/**
 * @param {State} state @param {Operation} operation
 * @returns {State | undefined} the state after it; undefined: it cannot have had its result here
 */
export function step(state, operation) {
  const { name, result, isOpen } = operation;
  const isThere = state.value !== undefined;
  switch (name) {
    case 'get':
      return isOpen || result === state.value ? state : undefined;
    case 'exists':
      return isOpen || result === isThere ? state : undefined;
    case 'getEntry':
      return isOpen ? state : seen(state, /** @type {{ value: string, version: number } | undefined} */ (result));
    case 'set':
      return written(state, operation.value);
    case 'post':
      if (!isOpen && result === isThere) return undefined;
      return isThere ? state : written(state, operation.value);
    case 'cas':
      return swapped(state, operation);
    case 'del':
      if (!isOpen && result !== undefined && result !== isThere) return undefined;
      return removed(state);
    case 'getdel':
      return isOpen || result === state.value ? removed(state) : undefined;
    case 'incr':
    default: {
      const sum = Number(state.value ?? 0) + (operation.by ?? 0);
      return isOpen || result === sum ? written(state, String(sum)) : undefined;
    }
  }
}

/** Whether its result leaves open if it has changed something. @param {Operation} operation */
export const isVague = ({ name, result }) => name === 'del' && result === undefined;

/** The least that the next version must be above. @param {State} state */
const passed = ({ value, version, floor }) => (value === undefined ? floor : version === 0 ? floor + 1 : version);

/** @param {State} state @param {string | undefined} value @returns {State} */
const written = (state, value) => ({ value, version: 0, floor: passed(state), excluded: '' });

/** @param {State} state @returns {State} */
const removed = (state) => (state.value === undefined ? state : written(state, undefined));

/** @param {State} state @param {{ value: string, version: number } | undefined} entry @returns {State | undefined} */
function seen(state, entry) {
  if (entry === undefined || state.value === undefined) return entry?.value === state.value ? state : undefined;
  return entry.value === state.value ? withVersion(state, entry.version) : undefined;
}

/** @param {State} state @param {number} version @returns {State | undefined} undefined: it cannot have that version */
export function withVersion(state, version) {
  if (state.version !== 0) return state.version === version ? state : undefined;
  if (version <= state.floor || state.excluded.includes(` ${version} `)) return undefined;
  return { ...state, version, floor: 0, excluded: '' };
}

/** @param {State} state @param {Operation} operation @returns {State | undefined} */
function swapped(state, { expected = 0, value, result, isOpen }) {
  const isThere = state.value !== undefined;
  const match = expected === 0 ? (isThere ? undefined : state) : isThere ? withVersion(state, expected) : undefined;
  if (isOpen || result === true) return match === undefined ? (isOpen ? state : undefined) : written(match, value);
  // It was refused: the version was another one.
  if (match === undefined) return state;
  if (match === state) return undefined;
  return { ...state, excluded: `${state.excluded === '' ? ' ' : state.excluded}${expected} ` };
}
