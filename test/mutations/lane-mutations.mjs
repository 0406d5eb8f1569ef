/** Faults of the log's lanes, their order, the feed and the bell. */

const LANE = { file: 'store/log-lane.ts', model: 'log-lanes' };
const ORDER = { file: 'store/log-order.ts', model: 'log-lanes' };
const MAP = { file: 'store/hash-map.ts', model: 'log-lanes' };

/** @type {readonly import('./mutations.mjs').Mutation[]} */
export const LANE_MUTATIONS = [
  {
    ...ORDER,
    name: 'log: a cell without compare-and-swap',
    from: 'if (cas(words, index, cell, next)) {',
    to: 'store(words, index, next);\n {',
  },
  {
    ...ORDER,
    name: 'log: nobody helps a tail that was left behind',
    from: '// Written already, its tail not yet moved: help.\n        cas(words, this.#tail, tail, (tail + 1) | 0);',
    to: '',
  },
  {
    ...ORDER,
    name: 'log: the help moves the tail by two',
    from: 'help.\n        cas(words, this.#tail, tail, (tail + 1) | 0);',
    to: 'help.\n        cas(words, this.#tail, tail, (tail + 2) | 0);',
  },
  {
    ...ORDER,
    name: 'log: the tail moves before its cell is written',
    from: 'if (cas(words, index, cell, next)) {\n',
    to: 'cas(words, this.#tail, tail, (tail + 1) | 0);\n if (cas(words, index, cell, next)) {\n',
  },
  {
    ...ORDER,
    name: 'log: a tail that was left behind is the end',
    from: 'while (this.read(end) >= 0) end = (end + 1) | 0;',
    to: '',
  },
  {
    ...ORDER,
    name: 'log: a cell of any round is read',
    from: 'return cell >>> CYCLE_SHIFT === this.#cycleOf(position) ?',
    to: 'return cell !== 0 ?',
  },
  {
    ...ORDER,
    name: 'log: only cells that are not in the files are looked at',
    from: 'for (let back = 0; back < this.#cells; back++) {',
    to:
      'const control = this.#tail - LogControl.orderTail;\n' +
      'const written = this.#words[control + LogControl.writtenCell + this.#words[control + LogControl.written]];\n' +
      'for (let back = 0; ((last - back - written) | 0) >= 0; back++) {',
  },
  {
    ...LANE,
    name: 'log: a cell before its record',
    from:
      'store(words, base + Lane.tail, words[base + Lane.nextTail]);\n' +
      '  words[base + Lane.count] = count;\n  return order.add(worker, count);',
    to:
      'const cell = order.add(worker, count);\nstore(words, base + Lane.tail, words[base + Lane.nextTail]);\n' +
      'words[base + Lane.count] = count;\nreturn cell;',
  },
  {
    ...MAP,
    name: 'log: published before the commit',
    from: 'store(words, at, next);\n    log?.publish();',
    to: 'log?.publish();\n    store(words, at, next);',
  },
  {
    ...MAP,
    name: 'log: published with no lock held, and no intent',
    from: 'words[record + WorkerRecord.logged] = log === undefined ? 0 : 1;',
    to: 'words[record + WorkerRecord.logged] = 0;',
  },
  {
    ...MAP,
    name: 'log: staged after the commit',
    from: 'this.#log?.stage(RecordOperation.put, granule);\n',
    to: '',
  },
  {
    ...LANE,
    name: 'log: what a dead worker has committed is not published',
    from: '  publish(words, base, order, worker);\n}',
    to: '}',
  },
  {
    ...LANE,
    name: 'log: what a dead worker has published is published again',
    from: 'if (isNamed ?? load(words, base + Lane.head) === words[base + Lane.tail]) return;',
    to: '',
  },
  {
    ...LANE,
    name: 'log: a record that no cell names is taken for written',
    from: 'if (isNamed ?? load(words, base + Lane.head) === words[base + Lane.tail]) return;',
    to: 'return;',
  },
  {
    ...LANE,
    name: 'log: it looks before it announces its sleep',
    from:
      'exchange(words, control + LogControl.asleep, depth);\n' +
      '  if (!isThereWork()) native.futexWait(words, control + LogControl.bell, rings, timeoutMs);',
    to:
      'const isAnyThere = isThereWork();\n  exchange(words, control + LogControl.asleep, depth);\n' +
      '  if (!isAnyThere) native.futexWait(words, control + LogControl.bell, rings, timeoutMs);',
  },
  {
    ...LANE,
    name: 'log: it does not look again before it sleeps',
    from: 'if (!isThereWork()) native.futexWait(',
    to: 'native.futexWait(',
  },
  {
    ...LANE,
    name: 'log: it announces its sleep by a plain store',
    from: 'exchange(words, control + LogControl.asleep, depth);',
    to: 'store(words, control + LogControl.asleep, depth);',
  },
  {
    ...LANE,
    name: 'log: it reads its bell after the look',
    from:
      'const rings = load(words, control + LogControl.bell);\n' +
      '  exchange(words, control + LogControl.asleep, depth);\n' +
      '  if (!isThereWork()) native.futexWait(words, control + LogControl.bell, rings, timeoutMs);',
    to:
      'exchange(words, control + LogControl.asleep, depth);\n  if (!isThereWork())\n' +
      'native.futexWait(words, control + LogControl.bell, load(words, control + LogControl.bell), timeoutMs);',
  },
];
