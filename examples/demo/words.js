/**
 * The words, and the record that belongs to each. Everything follows from a word's place in the list, so every process
 * knows by itself what all the others must have written.
 */
import { readFileSync } from 'node:fs';

import wordListPath from 'word-list';

export const CLIENTS = 4;

/**
 * @typedef {object} WordRecord
 * @property {string} word
 * @property {number} length
 * @property {string} letters the different letters of the word, in alphabetical order
 * @property {number} writer the client that wrote the record
 * @property {number} sequence the word's place in its first writer's share
 * @property {number} round 0: loaded, 1: updated, 2: inserted again
 */

export class WordList {
  /** @type {string[]} */
  #words;

  /** @param {number | undefined} count that many, spread over the whole list; undefined: all */
  constructor(count) {
    const all = readFileSync(wordListPath, 'utf8').trim().split('\n');
    const size = Math.min(count ?? all.length, all.length);
    this.#words = Array.from({ length: size }, (_, index) => all[Math.floor((index * all.length) / size)]);
  }

  get size() {
    return this.#words.length;
  }

  /** @param {number} index */
  word(index) {
    return this.#words[index];
  }

  /**
   * The indexes of words, in order.
   * @param {(writer: number, sequence: number) => boolean} matches
   */
  select(matches) {
    const indexes = [];
    for (let index = 0; index < this.size; index++) {
      if (matches(writerOf(index), sequenceOf(index))) indexes.push(index);
    }
    return indexes;
  }

  /**
   * @param {number} index
   * @param {number} writer
   * @param {number} round
   * @returns {WordRecord}
   */
  record(index, writer, round) {
    const word = this.word(index);
    const letters = [...new Set(word)].sort().join('');
    return { word, length: word.length, letters, writer, sequence: sequenceOf(index), round };
  }
}

/**
 * The client that loads the word.
 * @param {number} index
 */
export const writerOf = (index) => index % CLIENTS;

/** @param {number} index */
const sequenceOf = (index) => Math.floor(index / CLIENTS);

/** The words that are updated: every other one. @param {number} sequence */
export const isUpdated = (sequence) => sequence % 2 === 0;

/** The words that are deleted and fought for: every fourth. @param {number} sequence */
export const isRaced = (sequence) => sequence % 4 === 1;

/** The client that updates what `writer` has loaded. @param {number} writer */
export const updaterOf = (writer) => (writer + CLIENTS - 1) % CLIENTS;

/**
 * What a word's record must be in the end.
 * @param {WordList} list
 * @param {number} index
 * @param {Uint8Array} winners the winner of each race, by the index of the word
 */
export function finalRecord(list, index, winners) {
  const sequence = sequenceOf(index);
  if (isUpdated(sequence)) return list.record(index, updaterOf(writerOf(index)), 1);
  if (isRaced(sequence)) return list.record(index, winners[index], 2);
  return list.record(index, writerOf(index), 0);
}
