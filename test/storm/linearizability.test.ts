/**
 * The checker that the storms rely on: known violations are found, correct histories pass, and for histories of up to six
 * operations it says what trying out every order says.
 * Seen to fail when: a delete with an unknown result is taken for a look; what was tried is remembered without the state; an open operation must happen; versions may repeat;
 * the order of a session is not looked at; a read is taken at once although an open write of its session is before it;
 * a value that is written twice, or may be a sum, is taken for one of a single write; who takes a value is said to be
 * waiting for it; after an open write nothing but a look is tried; reads that are taken back are not awaited again.
 */
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { isLinearizable } from './brute-force.js';
import { MISSING, type Operation, type State, step } from './key-model.mjs';
import { checkKey } from './linearizability.mjs';

type Parts = Partial<Operation> & Pick<Operation, 'name'>;

/** A history from rows of [begin, end, operation]; an end of Infinity leaves it open. Each has a session of its own. */
function history(...rows: [number, number, Parts][]): Operation[] {
  return rows.map(([invoked, returned, parts], index) => ({
    isOpen: returned === Infinity,
    session: `alone ${index}`,
    issue: index,
    invoked,
    returned,
    ...parts,
  }));
}

const set = (value: string): Parts => ({ name: 'set', value, result: true });
const get = (result?: string): Parts => ({ name: 'get', result });
const post = (value: string, result: boolean): Parts => ({ name: 'post', value, result });
const del = (result?: boolean): Parts => ({ name: 'del', result });
const incr = (by: number, result: number): Parts => ({ name: 'incr', by, result });
const cas = (expected: number, value: string, result: boolean): Parts => ({ name: 'cas', expected, value, result });
const entry = (value: string, version: number): Parts => ({ name: 'getEntry', result: { value, version } });
const by = (session: string, parts: Parts): Parts => ({ ...parts, session });

describe('violations', () => {
  test.each<[string, Operation[]]>([
    ['a stale read', history([1, 2, set('a')], [3, 4, set('b')], [5, 6, get('a')])],
    ['a lost acknowledged write', history([1, 2, set('a')], [3, 4, get()])],
    ['a read of what was never written', history([1, 2, set('a')], [3, 4, get('b')])],
    ['the effect of a write that certainly did not happen', history([1, 2, get('of it')])],
    ['a read before the write', history([1, 2, get('a')], [3, 4, set('a')])],
    ['a value that comes back', history([1, 9, set('a')], [1, 9, set('b')], [10, 11, get('a')], [12, 13, get('b')])],
    [
      'reads that see two writes in opposite orders',
      [
        ...history([1, 9, set('a')], [1, 9, set('b')]),
        ...history([2, 3, get('a')], [4, 5, get('b')], [6, 7, get('a')]),
      ],
    ],
    ['two inserts that both win', history([1, 9, post('a', true)], [1, 9, post('b', true)])],
    ['an insert that won over a key that was there', history([1, 2, set('a')], [3, 4, post('b', true)])],
    ['an insert that lost against nothing', history([1, 2, post('a', false)])],
    ['a deleted key that is back', history([1, 2, set('a')], [3, 4, del(true)], [5, 6, get('a')])],
    ['a key deleted twice', history([1, 2, set('a')], [3, 9, del(true)], [3, 9, del(true)])],
    ['a key taken twice', history([1, 2, set('a')], [3, 9, { name: 'getdel', result: 'a' }], [3, 9, del(true)])],
    ['a delete that found nothing, with the key there', history([1, 2, set('a')], [3, 4, del(false)])],
    ['a lost addition', history([1, 9, incr(1, 1)], [1, 9, incr(1, 1)])],
    ['an addition made twice', history([1, 2, incr(1, 1)], [3, 4, get('2')])],
    ['an addition whose outcome is not known, made twice', history([1, Infinity, incr(1, 0)], [3, 4, get('2')])],
    [
      'a write whose outcome is not known, seen, gone, and seen again',
      history([1, Infinity, set('a')], [2, 3, get('a')], [4, 5, set('b')], [6, 7, get('a')]),
    ],
    ['one value with two versions', history([1, 2, set('a')], [3, 4, entry('a', 5)], [5, 6, entry('a', 6)])],
    ['versions that fall', history([1, 2, set('a')], [3, 4, entry('a', 5)], [5, 6, set('b')], [7, 8, entry('b', 4)])],
    [
      'a version used again after a delete',
      history([1, 2, set('a')], [3, 4, entry('a', 5)], [5, 6, del(true)], [7, 8, set('b')], [9, 10, entry('b', 5)]),
    ],
    [
      'a swap at a version that has passed',
      history([1, 2, set('a')], [3, 4, entry('a', 5)], [5, 6, set('b')], [7, 8, cas(5, 'c', true)]),
    ],
    [
      'two swaps at one version',
      history([1, 2, set('a')], [3, 4, entry('a', 5)], [5, 9, cas(5, 'b', true)], [5, 9, cas(5, 'c', true)]),
    ],
    [
      'a refused swap at the right version',
      history([1, 2, set('a')], [3, 4, entry('a', 5)], [5, 6, cas(5, 'b', false)]),
    ],
    [
      'a swap that was refused at the version seen later',
      history([1, 2, set('a')], [3, 4, cas(5, 'b', false)], [5, 6, entry('a', 5)]),
    ],
    [
      'writes of one session in another order than issued',
      history([1, 9, by('s', set('a'))], [2, 9, by('s', set('b'))], [10, 11, get('a')]),
    ],
    ['a read that does not see the write issued before it', history([1, 9, by('s', set('a'))], [2, 9, by('s', get())])],
    [
      'a write of unknown outcome after what was issued later',
      history([1, Infinity, by('s', set('a'))], [2, 3, by('s', set('b'))], [4, 5, get('b')], [6, 7, get('a')]),
    ],
  ])('%s', (_, operations) => {
    expect(isLinearizable(operations)).toBe(false);
    expect(checkKey(operations)).toMatchObject({ verdict: 'violation' });
  });

  test('what is told of a violation is where the longest way ends, and who waits there', () => {
    const { stuck } = checkKey(history([1, 2, set('a')], [3, 4, set('b')], [5, 6, get('a')], [7, 8, set('c')]));
    expect(stuck).toMatchObject({ done: 1, state: { value: 'a' }, waiting: [{ name: 'set', value: 'b' }] });
  });
});

describe('correct histories', () => {
  test.each<[string, Operation[]]>([
    ['nothing', []],
    [
      'a read while a write is under way, of the old and of the new',
      history([1, 2, set('a')], [3, 20, set('b')], [4, 5, get('a')], [6, 7, get('b')]),
    ],
    ['a write of unknown outcome that never happened', history([1, Infinity, set('a')], [5, 6, get()])],
    [
      'a write of unknown outcome that happened late',
      history([1, Infinity, set('a')], [2, 3, set('b')], [4, 5, get('b')], [6, 7, get('a')]),
    ],
    [
      'an addition of unknown outcome between two others',
      history([1, 2, incr(1, 1)], [3, Infinity, incr(5, 0)], [4, 5, incr(1, 2)], [6, 7, incr(1, 8)]),
    ],
    [
      'an insert of unknown outcome that makes the next one lose',
      history([1, Infinity, post('a', true)], [2, 3, post('b', false)], [4, 5, get('a')]),
    ],
    [
      'a swap of unknown outcome',
      history([1, 2, set('a')], [3, 4, entry('a', 7)], [5, Infinity, cas(7, 'b', true)], [6, 7, cas(7, 'c', false)]),
    ],
    [
      'of two swaps at one version, one wins',
      history(
        [1, 2, set('a')],
        [3, 4, entry('a', 5)],
        [5, 9, cas(5, 'b', true)],
        [5, 9, cas(5, 'c', false)],
        [10, 11, get('b')],
      ),
    ],
    [
      'a delete of which is not known whether the key was there',
      history([1, 2, del()], [3, 4, set('a')], [5, 6, del()]),
    ],
    [
      'a read issued after a write of unknown outcome that happened',
      history([1, Infinity, by('s', set('a'))], [2, 9, by('s', { name: 'exists', result: true })]),
    ],
  ])('%s', (_, operations) => {
    expect(isLinearizable(operations)).toBe(true);
    expect(checkKey(operations)).toMatchObject({ verdict: 'linearizable' });
  });
});

describe('with values that are written once, a search is short', () => {
  // All write at once, some perhaps not at all; reads tell the order of most.
  const order = [7, 2, 9, 0, 4, 11, 6, 1];
  const writes = Array.from({ length: 12 }, (_, i): [number, number, Parts] => [
    0,
    i % 4 === 3 ? Infinity : 500,
    set(`${i}`),
  ]);
  const reads = order.map((value, i): [number, number, Parts] => [20 * i + 10, 20 * i + 45, get(`${value}`)]);

  test('for what is correct', () => {
    const { verdict, configurations } = checkKey(history(...writes, ...reads));
    expect(verdict).toBe('linearizable');
    expect(configurations).toBeLessThan(100);
  });

  test('for what is not', () => {
    const { verdict, configurations } = checkKey(history(...writes, ...reads, [600, 610, get('9')]));
    expect(verdict).toBe('violation');
    expect(configurations).toBeLessThan(2000);
  });
});

test('a search that outgrows its budget is undecided, not passed', () => {
  // Which of 24 concurrent additions came first is anybody's guess, and no order explains the last read.
  const many = Array.from({ length: 24 }, (_, i): [number, number, Parts] => [1, 100, set(`${i}`)]);
  expect(checkKey(history(...many, [101, 102, get('none')]), 5000)).toMatchObject({ verdict: 'undecided' });
});

/** What happens at one moment, and around it: how long before it was asked for, and how long after it was answered. */
interface Moment {
  readonly parts: Parts;
  readonly before: number;
  readonly after: number;
  readonly session: number;
  readonly fate: 'known' | 'vague' | 'open' | 'never';
}

/** Values of a key: numbers, some of which are sums as well, or text; of five, some are written once and some again. */
const KINDS = [
  ['1', '2', '3'],
  ['a', 'b', 'c', 'd', 'e'],
];

/** Of one key, so of one kind. */
const moments = (span: number, constraints: fc.ArrayConstraints): fc.Arbitrary<Moment[]> =>
  fc.constantFrom(...KINDS).chain((values) => fc.array(moment(span, values), constraints));

function moment(span: number, values: readonly string[]): fc.Arbitrary<Moment> {
  const value = fc.constantFrom(...values);
  const sum = fc.integer({ min: 1, max: 2 }).map((each): Parts => ({ name: 'incr', by: each }));
  return fc.record({
    parts: fc.oneof(
      fc.constantFrom<Parts>({ name: 'get' }, { name: 'exists' }, { name: 'getEntry' }, { name: 'del' }),
      fc.constant<Parts>({ name: 'getdel' }),
      value.map((each): Parts => ({ name: 'set', value: each })),
      value.map((each): Parts => ({ name: 'post', value: each })),
      ...(values === KINDS[0] ? [sum] : []),
      fc.tuple(fc.nat(4), value).map(([expected, each]): Parts => ({ name: 'cas', expected, value: each })),
    ),
    before: fc.nat(span),
    after: fc.nat(span),
    session: fc.nat(3),
    fate: fc.constantFrom('known', 'known', 'known', 'known', 'vague', 'open', 'never'),
  });
}

/** The history of a store that does one after the other, each at its moment, and gives versions one by one. */
function executed(moments: readonly Moment[]): Operation[] {
  let state: State = MISSING;
  let version = 0;
  const invokedLast = new Map<number, number>();
  return moments.map(({ parts, before, after, session, fate }, index) => {
    const at = (index + 1) * 10;
    const invoked = Math.max(at - before, (invokedLast.get(session) ?? 0) + 0.01);
    invokedLast.set(session, invoked);
    const result = fate === 'never' ? undefined : resultOf(state, parts);
    const isOpen = fate === 'open' || fate === 'never';
    const returned = isOpen ? Infinity : at + after;
    const exact: Operation = {
      ...parts,
      result,
      isOpen: false,
      session: `${session}`,
      issue: index,
      invoked,
      returned,
    };
    const next = fate === 'never' ? state : (step(state, exact) ?? state);
    if (next !== state && next.value !== undefined && next.version === 0) state = { ...next, version: ++version };
    else state = next;
    return { ...exact, isOpen, result: fate === 'vague' && parts.name === 'del' ? undefined : result };
  });
}

function resultOf({ value: held, version }: State, { name, by: added = 0, expected }: Parts): unknown {
  switch (name) {
    case 'get':
    case 'getdel':
      return held;
    case 'getEntry':
      return held === undefined ? undefined : { value: held, version };
    case 'exists':
    case 'del':
      return held !== undefined;
    case 'set':
      return true;
    case 'post':
      return held === undefined;
    case 'cas':
      return expected === (held === undefined ? 0 : version);
    case 'incr':
    default:
      return Number(held ?? 0) + added;
  }
}

const RUNS = 3000;

test('histories of executions one after the other pass', () => {
  fc.assert(
    fc.property(moments(60, { maxLength: 60 }), (all) => {
      expect(checkKey(executed(all)).verdict).toBe('linearizable');
    }),
    { numRuns: RUNS / 3 },
  );
});

/** Another result of the same kind. */
function spoil(operation: Operation, choice: number): Operation {
  const { result } = operation;
  if (typeof result === 'boolean') return { ...operation, result: !result };
  if (typeof result === 'number') return { ...operation, result: result + 1 + (choice % 3) };
  if (typeof result === 'object') {
    const { value: held, version } = result as { value: string; version: number };
    return { ...operation, result: { value: held, version: version + 1 - 2 * (choice % 2) } };
  }
  return { ...operation, result: [undefined, '1', '2', 'a', 'b'][choice % 5] };
}

test('with one thing spoiled, few operations are judged as trying out every order judges them', () => {
  const verdicts = { true: 0, false: 0 };
  const small = fc.tuple(moments(35, { minLength: 2, maxLength: 6 }), fc.nat(5), fc.nat(59), fc.nat(3));
  fc.assert(
    fc.property(small, ([all, at, choice, kind]) => {
      const operations = executed(all);
      const index = at % operations.length;
      const one = operations[index];
      if (kind === 0) operations.splice(index, 1);
      else if (kind === 1 && !one.isOpen) {
        operations[index] = { ...one, invoked: one.invoked + choice, returned: one.returned + choice };
      } else if (!one.isOpen) operations[index] = spoil(one, choice);
      const expected = isLinearizable(operations);
      verdicts[`${expected}`]++;
      expect(checkKey(operations).verdict).toBe(expected ? 'linearizable' : 'violation');
    }),
    { numRuns: RUNS },
  );
  // Both sides were seen often.
  expect(Math.min(verdicts.true, verdicts.false)).toBeGreaterThan(RUNS / 20);
});
