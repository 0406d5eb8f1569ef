/** Faults of the log, its snapshots and its lanes, which tests near them must notice. */

/** @import { Mutation } from './mutations.mjs' */

const WRITER = { file: 'log/writer.ts', test: 'log/writer' };
const SEGMENT = { file: 'log/segment-file.ts', test: 'log/power-loss' };
const SNAPSHOT = { file: 'log/snapshot-writer.ts', test: 'log/power-loss' };
const RECOVERY = { file: 'log/recovery.ts', test: 'log/power-loss' };
const LANE = { file: 'store/log-lane.ts', test: 'server/log-deaths' };
const SERVED = { test: 'durability/file-deaths' };

/** @type {readonly Mutation[]} */
export const LOG_MUTATIONS = [
  {
    ...WRITER,
    name: 'log: what was appended counts as durable',
    test: 'log/power-loss',
    from: 'this.#segment!.sync();',
    to: '',
  },
  {
    ...WRITER,
    name: 'log: a gap in the sequence',
    from: 'this.#next += count;\n    this.writtenBytes',
    to: 'this.#next += count + 1;\n    this.writtenBytes',
  },
  {
    ...WRITER,
    name: 'log: a segment begins before the one in front of it is durable',
    test: 'log/power-loss',
    from: 'this.sync();\n    this.#begin();\n    segment.close();',
    to: 'this.#begin();\n    segment.close();',
  },
  {
    ...WRITER,
    name: 'log: a failed sync counts',
    from: "this.#fail(error, 'make durable');",
    to: '',
  },
  {
    ...WRITER,
    name: 'log: behind a gap what was synced may be acknowledged',
    from: 'if (this.#gapEnd === undefined) this.#durable = this.#synced;',
    to: 'this.#durable = this.#synced;',
  },
  {
    ...SEGMENT,
    name: 'log: a segment has its name before its header is durable',
    from: 'layer.fdatasync(this.#fd);\n      observer?.begun(this.#salt);',
    to: 'observer?.begun(this.#salt);',
  },
  {
    ...SEGMENT,
    name: "log: a segment's name is not made durable",
    from: 'layer.syncDirectory(path);',
    to: '',
  },
  {
    ...SEGMENT,
    name: 'log: what was refused stays in the file',
    test: 'log/writer',
    from: 'this.#layer.truncate(this.#fd, this.bytes);\n    this.#roomEnd',
    to: 'this.#roomEnd',
  },
  {
    ...SEGMENT,
    name: 'log: no checksum',
    test: 'log/writer',
    from: 'native.sealFrames(source, offset, bytes, this.#salt);',
    to: '',
  },
  {
    ...SNAPSHOT,
    name: 'snapshot: it has its name before it is durable',
    from: 'this.#layer.fdatasync(this.#fd!);\n      this.#close();\n      this.#layer.rename(this.#path, file);',
    to: 'this.#layer.rename(this.#path, file);\n      this.#layer.fdatasync(this.#fd!);\n      this.#close();',
  },
  {
    ...SNAPSHOT,
    name: 'snapshot: what it takes the place of goes before it is there',
    from: 'this.#flush();\n    this.#writeFooter(lastSequence);',
    to: 'this.#flush();\n    this.#prune(keep - 1);\n    this.#writeFooter(lastSequence);',
  },
  {
    name: 'snapshot: segments that it needs are removed',
    file: 'log/prune.ts',
    test: 'log/writer',
    from: 'if (segments[i + 1].sequence > oldest.sequence + 1) break;',
    to: '',
  },
  {
    ...RECOVERY,
    name: 'recovery of a log: a torn tail is not cut',
    test: 'log/damage',
    from: 'layer.truncate(fd, cut.soundBytes);',
    to: '',
  },
  {
    ...RECOVERY,
    name: 'recovery of a log: what a failed sync may have lost is not written again',
    test: 'log/writer',
    from: 'if (reader.start < end) writeAll(layer, fd, bytes, reader.start, end - reader.start, reader.offset);',
    to: '',
  },
  {
    ...RECOVERY,
    name: 'recovery of a log: what it relies on is not durable',
    test: 'log/writer',
    from: 'rewriteBehind(layer, fd, segment, provenSequence, buffer);\n        layer.fdatasync(fd);',
    to: 'rewriteBehind(layer, fd, segment, provenSequence, buffer);',
  },
  {
    ...LANE,
    name: 'lane: a record is named before it is published',
    test: 'store/log-feed-deaths',
    from: 'store(words, base + Lane.tail, words[base + Lane.nextTail]);\n  words[base + Lane.count] = count;\n  return order.add(worker, count);',
    to: 'const cell = order.add(worker, count);\n  store(words, base + Lane.tail, words[base + Lane.nextTail]);\n  words[base + Lane.count] = count;\n  return cell;',
  },
  {
    ...LANE,
    name: "lane: a dead worker's record is not published",
    from: '  publish(words, base, order, worker);\n}',
    to: '}',
  },
  {
    ...LANE,
    name: "lane: a dead worker's record is published twice",
    test: 'store/log-feed-deaths',
    from: 'if (isNamed ?? load(words, base + Lane.head) === words[base + Lane.tail]) return;',
    to: '',
  },
  {
    name: 'lane: what was released is not noted as written',
    file: 'store/log-feed.ts',
    test: 'store/log-feed',
    from: 'store(words, this.#control + LogControl.written, next);',
    to: '',
  },
  {
    name: 'lane: room is given back before what was in it is noted as written',
    file: 'store/log-feed.ts',
    test: 'store/log-feed-deaths',
    from: 'const next = 1 - this.#written;',
    to: 'const next = 1 - this.#written;\n    for (let lane = 0; lane < this.#laneCount; lane++) {\n      store(words, laneBase(this.#geometry, lane) + Lane.head, this.#heads[lane]);\n    }',
  },
  {
    name: 'snapshot: versions of what is gone are given out again',
    file: 'server/snapshot.ts',
    test: 'durability/restart',
    from: 'writer.raiseVersion(highestVersion(data, geometry));\n',
    to: '',
  },
  {
    ...SERVED,
    name: 'keeper: what was appended is durable before its sync',
    test: 'durability/hanging-disk',
    file: 'server/log-keeper.ts',
    from: 'if (this.#isDirty || load(',
    to: 'if (load(',
  },
  {
    ...SERVED,
    name: 'keeper: records are released before they are in the files',
    file: 'server/log-keeper.ts',
    from: 'try {\n      this.#sequence = this.#writer.append(',
    to: 'try {\n      this.#feed.release(this.#sequence + 1);\n      this.#sequence = this.#writer.append(',
  },
  {
    ...SERVED,
    name: 'warm restart: what only the region holds is not written',
    file: 'server/open-log.ts',
    from: 'if (hasGap || !feed.isEmpty) {',
    to: 'if (hasGap) {',
  },
];
