/** A client that changes the key of a request while it is executed: what is stored can be found, once, and deleted. */
import { describe, expect, test } from 'vitest';

import { PayloadArena } from '#dist/exchange/payload-arena.js';
import { SlotTable } from '#dist/exchange/slot-table.js';
import { DataHeader, Slot } from '#dist/memory/layout.js';
import { BatchReader } from '#dist/operation/batch-reader.js';
import { RequestView } from '#dist/operation/request-view.js';
import { ResponseWriter } from '#dist/operation/response-writer.js';
import { Scratch } from '#dist/operation/scratch.js';
import { OPERATIONS } from '#dist/operation/table.js';
import { Store } from '#dist/store/store.js';
import { NO_PINS } from '#dist/store/limbo.js';

import { createTestRegion } from '../fixtures/region.js';

const [ONE, OTHER] = [0x31313131, 0x32323232];
const WRITES = ['set', 'post', 'cas', 'incr', 'mset'];

describe.each(WRITES)('%s', (name) => {
  test.each(['before', 'after'])('with a key that changes %s it is copied', (when) => {
    const { ctl, data, geometry } = createTestRegion();
    data.words.set([1, 2], DataHeader.hashSeed);
    Store.format(data, geometry);
    const store = new Store(data, geometry, 0, NO_PINS);
    const table = new SlotTable(ctl, geometry);
    const arena = new PayloadArena(ctl, geometry, 0);
    const request = new RequestView(ctl, data, table, arena);
    const response = new ResponseWriter(ctl, table, arena);
    const base = table.base(0);
    let keyWord = base + Slot.request / 4;
    const run = (operation: string): number => {
      request.read(0, 0);
      response.begin(0, 0);
      const batch = new BatchReader(request);
      const askForSnapshot = () => 0;
      const scratch = new Scratch(4096);
      const context = { store, maxValueBytes: 99, batch, scratch, askForSnapshot, statistics: () => expect.fail() };
      OPERATIONS.find((one) => one?.name === operation)?.apply(request, response, context);
      return ctl.words[base + Slot.status] ?? -1;
    };
    ctl.words[base + Slot.op] = 1;
    ctl.words[base + Slot.keyBytes] = name === 'mset' ? 0 : 4;
    if (name === 'mset') {
      ctl.words.set([4, 0, 0], keyWord);
      keyWord += 3;
      ctl.words[base + Slot.valueBytes] = 16;
    }
    const prepare = store.prepare.bind(store);
    let other = ONE;
    store.prepare = (...entry) => {
      if (when === 'before') ctl.words[keyWord] = other;
      const granule = prepare(...entry);
      ctl.words[keyWord] = other;
      return granule;
    };
    for (let round = 0; round < 3; round++) {
      for (const key of [ONE, OTHER]) {
        ctl.words[keyWord] = key;
        other = key === ONE ? OTHER : ONE;
        run(name);
      }
    }
    expect(store.size()).toBeGreaterThan(0);
    ctl.words[base + Slot.keyBytes] = 4;
    ctl.words[base + Slot.valueBytes] = 0;
    for (const key of [ONE, OTHER]) {
      ctl.words[base + Slot.request / 4] = key;
      run('del');
    }
    expect(store.size()).toBe(0);
  });
});
