/** The store as readers and the audit read it, when anybody has written anything into it. */
import { closeSync, openSync, writeFileSync } from 'node:fs';

import { lookAt } from '#dist/audit/audit.js';
import { END, DirectScan } from '#dist/client/direct-scan.js';
import { hashWords } from '#dist/codec/hash.js';
import { KvsError } from '#dist/errors.js';
import { CTL_MAGIC, CtlHeader, DataHeader, LAYOUT_VERSION } from '#dist/memory/layout.js';
import { readCtlHeader } from '#dist/memory/region-files.js';
import { Reader } from '#dist/store/reader.js';

import { geometry, Served } from './exchange-targets.mjs';
import { Input, must } from './input.mjs';

/** @import { Target } from './targets.mjs' */

/** Where words are changed: regions of the data segment whose first words, at least, matter. */
const PLACES = [
  [geometry.bucketsOffset, geometry.unitTableOffset],
  [geometry.unitTableOffset, geometry.heapOffset],
  [geometry.heapOffset, geometry.heapOffset + 2 ** 17],
  [geometry.workersOffset, geometry.bucketsOffset],
].map(([from, to]) => ({ first: from / 4, count: (to - from) / 4 }));

/** A word that is something in a sound store is a better place than any. @param {Int32Array} words */
function placesOf(words) {
  return PLACES.map(({ first, count }) => {
    const used = [];
    for (let at = first; at < first + count; at++) if (words[at] !== 0) used.push(at);
    return used;
  });
}

/**
 * Changes words as the input says, by values and by copies of other words (chains that run in circles, entries within
 * entries). @param {Input} input @param {Int32Array} words @param {readonly number[][]} places
 * @returns {() => void} undoes it
 */
function spoil(input, words, places) {
  /** @type {[number, number][]} */
  const before = [];
  const place = () => {
    const kind = input.word();
    const used = places[kind & 3];
    const { first, count } = PLACES[kind & 3];
    const at = input.word() >>> 0;
    return (kind & 4) === 0 && used.length > 0 ? used[at % used.length] + ((kind >> 3) & 3) : first + (at % count);
  };
  for (let changes = 0; changes < 100 && !input.isEmpty; changes++) {
    const how = input.choice(4);
    const at = place();
    before.push([at, words[at]]);
    words[at] = how === 0 ? words[place()] : how === 1 ? words[at] + input.word() : input.word();
  }
  return () => {
    for (const [at, word] of before.toReversed()) words[at] = word;
  };
}

/** @returns {Target} */
export function reader() {
  const { data } = new Served();
  const places = placesOf(data.words);
  const direct = new Reader(data, geometry);
  const sought = new Int32Array(16);
  const isWithin = () => direct.start >= geometry.heapOffset && direct.end <= geometry.dataBytes;
  return {
    name: 'reader',
    files: ['store/reader.js', 'client/direct-scan.js'],
    run(bytes) {
      const input = new Input(bytes);
      const [from, step] = [input.choice(64), 1 + input.choice(8)];
      const undo = spoil(input, data.words, places);
      for (let i = from; i < 60; i += step) {
        const key = Buffer.from(`k${i}`);
        Buffer.from(sought.buffer).fill(0).set(key);
        const hash = hashWords(
          sought,
          0,
          key.length,
          data.words[DataHeader.hashSeed],
          data.words[DataHeader.hashSeed + 1],
        );
        if (direct.find({ words: sought, byteLength: key.length, hash }) === 1) must(isWithin(), 'a value outside');
      }
      const scan = new DirectScan(direct, Buffer.from(from & 1 ? 'k' : ''), ({ start, end }) => {
        must(isWithin(), 'an entry outside');
        return end - start;
      });
      for (let cursor = 0, pages = 0; cursor !== END; pages++) {
        must(pages < 1000, 'a scan without end');
        const page = scan.read(cursor);
        // A bucket that does not hold still is left to the server.
        if (page.cursor === cursor) break;
        cursor = page.cursor;
      }
      undo();
    },
  };
}

/** @param {string} folder @returns {Target} */
export function audit(folder) {
  const { ctl, data } = new Served();
  const places = placesOf(data.words);
  const path = `${folder}/audited`;
  writeFileSync(path, '');
  const region = { name: 'fuzz', path, geometry, ctl, data, ctlFd: openSync(path, 'r') };
  ctl.words.fill(0, geometry.slotsOffset / 4, geometry.queueOffset / 4);
  const sound = Int32Array.from(ctl.words);
  return {
    name: 'audit',
    files: ['audit/'],
    run(bytes) {
      const input = new Input(bytes);
      const isOfCtl = input.choice(2) === 1;
      const undo = spoil(input, data.words, places);
      if (isOfCtl) {
        for (let i = 0; i < 40 && !input.isEmpty; i++) {
          const first = [0, geometry.slotsOffset, geometry.queueOffset, geometry.pinsOffset][input.choice(4)] / 4;
          ctl.words[first + (input.word() & 0x3ff)] = input.word();
        }
      }
      const { totals } = lookAt(region);
      const { entryBytes, overflowBytes } = totals.map;
      must(entryBytes >= 0 && overflowBytes >= 0, 'a negative sum');
      must(Number.isSafeInteger(totals.heap.freeRunBytes), 'no sum');
      undo();
      ctl.words.set(sound);
    },
  };
}

/** @param {string} folder @returns {Target} */
export function header(folder) {
  const path = `${folder}/header`;
  const bytes = Buffer.alloc(CtlHeader.sizeBytes);
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  return {
    name: 'header',
    files: ['memory/region-files.js'],
    run(data) {
      const input = new Input(data);
      bytes.fill(0);
      const isOurs = input.choice(2) === 0;
      bytes.set(input.rest().subarray(0, bytes.length));
      if (isOurs) words.set([CTL_MAGIC, LAYOUT_VERSION]);
      writeFileSync(path, bytes);
      const fd = openSync(path, 'r');
      try {
        readCtlHeader(path, fd);
        must(false, 'so small a file has no geometry');
      } catch (error) {
        if (!(error instanceof KvsError)) throw error;
      } finally {
        closeSync(fd);
      }
    },
  };
}
