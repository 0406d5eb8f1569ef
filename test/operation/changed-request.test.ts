/** A client that changes the key of a request while it is executed: what is stored can be found, once, and deleted. */
import { describe, expect, test } from 'vitest';

import { Status } from '#dist/errors.js';
import { Slot } from '#dist/memory/layout.js';

import { privateSegments, TestWorker } from '../fixtures/exchange/test-worker.js';

const [ONE, OTHER] = ['1111', '2222'];
const WRITES = ['set', 'post', 'cas', 'incr', 'mset'];
/** An item of a batch begins with the lengths of its key and value and its codec. */
const ITEM_HEADER = '\u0004'.padEnd(12, '\0');

describe.each(WRITES)('%s', (name) => {
  test.each(['before', 'after'])('with a key that changes %s it is copied', (when) => {
    const worker = new TestWorker(privateSegments());
    const { store, ctl, base } = worker;
    const keyAt = base * 4 + Slot.request + (name === 'mset' ? ITEM_HEADER.length : 0);
    let other = '';
    const prepare = store.prepare.bind(store);
    store.prepare = (...entry) => {
      if (when === 'before') ctl.bytes.write(other, keyAt);
      const granule = prepare(...entry);
      ctl.bytes.write(other, keyAt);
      return granule;
    };
    for (let round = 0; round < 3; round++) {
      for (const key of [ONE, OTHER]) {
        other = key === ONE ? OTHER : ONE;
        if (name === 'mset') worker.run(name, '', { value: ITEM_HEADER + key });
        else worker.run(name, key);
      }
    }
    const stored = store.size();
    expect(stored).toBeGreaterThan(0);
    const deleted = [ONE, OTHER].filter((key) => worker.run('del', key) === Status.ok);
    expect([deleted.length, store.size()]).toEqual([stored, 0]);
  });
});
