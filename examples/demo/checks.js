/** What a client found wrong. */

/** @import { WordRecord } from './words.js' */

/** How many wrong values are told in words; the others are only counted. */
const TOLD = 3;

export class Findings {
  count = 0;
  /** @type {string[]} */
  examples = [];

  /** @param {string} text */
  add(text) {
    this.count++;
    if (this.examples.length < TOLD) this.examples.push(text);
  }

  /** @param {Pick<Findings, 'count' | 'examples'>} others */
  include(others) {
    this.count += others.count;
    this.examples.push(...others.examples.slice(0, TOLD - this.examples.length));
  }
}

/**
 * @param {Findings} findings
 * @param {WordRecord | undefined} actual
 * @param {WordRecord} expected
 */
export function checkRecord(findings, actual, expected) {
  if (actual !== undefined && isSame(actual, expected)) return;
  findings.add(`${expected.word}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
}

/**
 * @param {WordRecord} a
 * @param {WordRecord} b
 */
const isSame = (a, b) =>
  a.word === b.word &&
  a.length === b.length &&
  a.letters === b.letters &&
  a.writer === b.writer &&
  a.sequence === b.sequence &&
  a.round === b.round;

/**
 * @param {Findings} findings
 * @param {WordRecord | undefined} actual
 * @param {string} word
 */
export function checkGone(findings, actual, word) {
  if (actual !== undefined) findings.add(`${word}: expected no record, got ${JSON.stringify(actual)}`);
}

/**
 * @param {Findings} findings
 * @param {boolean} isTrue
 * @param {string} otherwise
 */
export function checkTrue(findings, isTrue, otherwise) {
  if (!isTrue) findings.add(otherwise);
}
