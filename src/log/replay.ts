/** One record, given to a sink. */
import { keyOffsetOf, RecordField, RecordOperation, type RecordViews, valueOffsetOf } from './record.js';
import type { RecoverySink } from './sink.js';

export function replayRecord(views: RecordViews, offset: number, sink: RecoverySink): void {
  const { words, floats } = views;
  const word = offset >> 2;
  const float = offset >> 3;
  const shape = words[word + RecordField.shape];
  const keyBytes = words[word + RecordField.keyBytes];
  const version = floats[float + RecordField.version];
  const keyOffset = keyOffsetOf(offset);
  switch (shape & 0xff) {
    case RecordOperation.put: {
      const flags = (shape >>> 8) & 0xff;
      const valueBytes = words[word + RecordField.valueBytes];
      const expiresAtMs = floats[float + RecordField.expiresAtMs];
      const valueOffset = valueOffsetOf(offset, keyBytes);
      sink.put(views, keyOffset, keyBytes, valueOffset, valueBytes, shape >>> 16, flags, version, expiresAtMs);
      return;
    }
    case RecordOperation.remove:
      sink.remove(views, keyOffset, keyBytes, version);
      return;
    default:
    // A mark says nothing of any key.
  }
}
