/** The histories of all processes of a storm, put together key by key, and judged. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { checkKey } from './linearizability.mjs';

/** @import { Operation } from './key-model.mjs' */
/** @import { Verdict } from './linearizability.mjs' */

/**
 * @typedef {object} History
 * @property {Map<string, Operation[]>} keys without what certainly did not happen
 * @property {number} operations asked for, each item of a batch counted
 * @property {number} unknown of these, their outcome is not known
 * @property {number} refused certainly not executed
 * @property {string[]} faults that the processes have noted themselves
 */

/** @param {string} folder @returns {History} */
export function readHistory(folder) {
  /** @type {History} */
  const history = { keys: new Map(), operations: 0, unknown: 0, refused: 0, faults: [] };
  /** @type {Set<Operation>} */
  const never = new Set();
  for (const file of readdirSync(folder).filter((each) => each.endsWith('.log'))) {
    readFile(file, readFileSync(join(folder, file), 'utf8'), history, never);
  }
  for (const [key, operations] of history.keys) {
    history.keys.set(
      key,
      operations.filter((operation) => !never.has(operation)),
    );
  }
  history.refused = never.size;
  return history;
}

/** @param {string} file @param {string} text @param {History} history @param {Set<Operation>} never */
function readFile(file, text, history, never) {
  /** What has begun and not ended. @type {Map<number, Operation[]>} */
  const pending = new Map();
  const lines = text.split('\n');
  // What comes behind the last line's end was cut off by the death of its writer: it was not yet done, or is not known.
  lines.pop();
  for (const line of lines) {
    const [kind, ...fields] = /** @type {[string, ...any[]]} */ (JSON.parse(line));
    if (kind === 'f') history.faults.push(`${file}: ${fields[1]}`);
    else if (kind === 'i') {
      const operations = begun(file, /** @type {Begun} */ (/** @type {unknown} */ (fields)), history);
      history.operations += operations.length;
      history.unknown += operations.length;
      pending.set(/** @type {number} */ (fields[0]), operations);
    } else {
      const operations = pending.get(/** @type {number} */ (fields[0])) ?? [];
      pending.delete(/** @type {number} */ (fields[0]));
      end(operations, /** @type {Ended} */ (/** @type {unknown} */ (fields)), history, never);
    }
  }
}

/** @typedef {[number: number, time: number, session: number, name: Operation['name'], items: [string, ...(string | number)[]][]]} Begun */
/** @typedef {[number: number, time: number, outcome: import('./recorder.mjs').Outcome, results: unknown[]]} Ended */

/** @param {string} file @param {Begun} record @param {History} history @returns {Operation[]} entered as open ones */
function begun(file, [issue, invoked, session, name, items], { keys }) {
  return items.map(([key, first, second]) => {
    /** @type {Operation} */
    const operation = {
      name,
      value: name === 'incr' || first === undefined ? undefined : String(name === 'cas' ? second : first),
      expected: name === 'cas' ? Number(first) : undefined,
      by: name === 'incr' ? Number(first) : undefined,
      isOpen: true,
      result: undefined,
      invoked,
      returned: Infinity,
      session: `${file} ${session}`,
      issue,
    };
    const operations = keys.get(key) ?? [];
    if (operations.length === 0) keys.set(key, operations);
    operations.push(operation);
    return operation;
  });
}

/** @param {Operation[]} operations @param {Ended} record @param {History} history @param {Set<Operation>} never */
function end(operations, [, returned, outcome, results], history, never) {
  if (outcome === 'unknown') return;
  history.unknown -= operations.length;
  for (const [index, operation] of operations.entries()) {
    if (outcome === 'no') never.add(operation);
    operation.isOpen = false;
    operation.returned = returned;
    operation.result = results[index] ?? undefined;
  }
}

/**
 * @typedef {object} Judgement
 * @property {string[]} violations one text per key that is not linearizable, or that is undecided
 * @property {string[]} lost acknowledged writes that the last read of a key knows nothing of
 */

/** @param {History} history @returns {Judgement} */
export function judge({ keys }) {
  /** @type {string[]} */
  const violations = [];
  /** @type {string[]} */
  const lost = [];
  for (const [key, operations] of keys) {
    const { verdict, configurations, stuck } = checkKey(operations);
    if (verdict !== 'linearizable') {
      const text = explain(key, operations.length, verdict, configurations, stuck);
      // All of the first one, to be judged once more: its files may be gone by then.
      violations.push(violations.length === 0 ? `${text}\n${all(operations)}` : text);
    }
    const write = lostWrite(operations);
    if (write !== undefined) lost.push(`${key}: ${told(write)}`);
  }
  return { violations, lost };
}

/**
 * A write that was acknowledged before the last read, although what that read found had been written before it began.
 * Simpler than the checker, and beside it. @param {readonly Operation[]} operations on one key
 */
function lostWrite(operations) {
  const reads = operations.filter(({ name, isOpen }) => name === 'get' && !isOpen);
  const last = reads.toSorted((a, b) => a.invoked - b.invoked).at(-1);
  if (last === undefined) return undefined;
  const source = operations.find(({ value }) => value !== undefined && value === last.result);
  if (source === undefined) return undefined;
  return operations.find(
    ({ name, result, isOpen, invoked, returned }) =>
      !isOpen &&
      (name === 'set' || (WRITES.has(name) && result === true)) &&
      invoked > source.returned &&
      returned < last.invoked,
  );
}

/** Those that have changed something when they answer true. */
const WRITES = new Set(['post', 'cas', 'del']);

/**
 * @param {string} key @param {number} count @param {Verdict['verdict']} verdict @param {number} configurations
 * @param {Verdict['stuck']} stuck
 */
function explain(key, count, verdict, configurations, stuck) {
  const lines = [`${key}: ${verdict} (${count} operations, ${configurations} configurations)`];
  if (stuck !== undefined) {
    const { value, version } = stuck.state;
    lines.push(
      `  after ${stuck.done} of them it holds ${value} (version ${version || 'not known'}); none of these can be next:`,
    );
    lines.push(...stuck.waiting.map((operation) => `  ${told(operation)}`));
  }
  return lines.join('\n');
}

/** @param {readonly Operation[]} operations @returns {string} a line for each, in the order of invocation */
export const all = (operations) =>
  operations
    .toSorted((a, b) => a.invoked - b.invoked)
    .map(told)
    .join('\n');

/** @param {Operation} operation */
export function told({ name, value, expected, by, result, invoked, returned, session, issue }) {
  const args = [expected, by, value].filter((each) => each !== undefined).join(', ');
  return `${invoked}-${returned} ${session} #${issue} ${name}(${args}) → ${JSON.stringify(result)}`;
}
