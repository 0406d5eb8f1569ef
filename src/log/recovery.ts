/** Reads back what a log and its snapshots hold, and leaves a directory that a LogWriter can go on with. */
import type { KvsError } from '../errors.js';
import type { LogDirectory } from './directory.js';
import { damaged, onFile } from './failure.js';
import { type FileLayer, withFile, writeAll } from './file-layer.js';
import { FrameReader, READ_BUFFER_BYTES } from './frame-reader.js';
import { HEADER_BYTES } from './header.js';
import { planRecovery, type RecoveryPlan } from './plan.js';
import { createRecordViews, MAX_RECORD_BYTES, RecordField, type RecordViews } from './record.js';
import { replayRecord } from './replay.js';
import type { SegmentSurvey } from './segment-survey.js';
import type { RecoverOptions, RecoveryReport, RecoverySink, TornTail } from './sink.js';
import { readSnapshot } from './snapshot-reader.js';

/**
 * Gives the sink the newest sound snapshot and the records behind it, cuts off a torn tail, and makes durable what it found,
 * so that LogWriter.open() may follow with `report.lastSequence + 1`. Files that a crash left half-made are removed.
 * @throws KvsError ERR_KVS_LOG_DAMAGED (with `file` and `offset`: what is not a torn tail; see repairLog),
 *   ERR_KVS_LOG_FORMAT (a newer version, or not ours), ERR_KVS_LOG_FAILED, ERR_KVS_NO_SPACE, ERR_KVS_LOG_DIR
 */
export function recover(directory: LogDirectory, sink: RecoverySink, options: RecoverOptions = {}): RecoveryReport {
  const { path, layer } = directory;
  const buffer = createRecordViews(options.bufferBytes ?? READ_BUFFER_BYTES);
  const plan = planRecovery(path, layer, buffer, options.after);
  if (plan.isDamaged) throw refusal(plan);
  const torn = cutTail(plan, directory);
  makeDurable(plan, directory, buffer);
  const { highestVersion, snapshot } = plan;
  sink.begin?.(highestVersion, snapshot?.header?.hashSeed);
  if (snapshot !== undefined) readSnapshot(layer, snapshot, buffer, sink);
  let records = 0;
  for (const segment of plan.segments) records += replaySegment(layer, segment, buffer, plan.base, sink);
  return {
    storeId: plan.storeId,
    snapshot: snapshot && { file: snapshot.path, sequence: snapshot.sequence, entries: snapshot.entries },
    passedOver: plan.passedOver.map((survey) => ({
      file: survey.path,
      reason: `it is damaged at byte ${survey.soundBytes}`,
    })),
    records,
    highestVersion,
    lastSequence: plan.lastSequence,
    torn,
  };
}

/**
 * Looks whether recover() would take the files, and changes nothing.
 * @returns the sequence of their last record. @throws as recover()
 */
export function checkRecoverable({ path, layer }: LogDirectory): number {
  const plan = planRecovery(path, layer, createRecordViews(READ_BUFFER_BYTES), undefined);
  if (plan.isDamaged) throw refusal(plan);
  return plan.lastSequence;
}

/** Why recover() does not take the log. */
export function refusal({ end, lastSequence, snapshot, passedOver }: RecoveryPlan): KvsError {
  const [newest] = passedOver;
  const kept = `keeps copies and ends the log with record ${lastSequence}`;
  // Without that damage, what the log lacks would not be needed.
  if (newest !== undefined && snapshot === undefined) {
    const what = `a block is not sound, and of the log ${end!.what} (${end!.file})`;
    return damaged(newest.path, newest.soundBytes, what, kept);
  }
  return damaged(end!.file, end!.offset, end!.what, kept);
}

/** From the last file to the first, so that a crash in between leaves a log that is cut in the same place. */
function cutTail({ end, cut, surplus, unfinished }: RecoveryPlan, { path, layer }: LogDirectory): TornTail | undefined {
  for (const file of [...unfinished, ...surplus.map((segment) => segment.path).toReversed()]) {
    onFile('remove', file, () => layer.unlink(file));
  }
  onFile('make durable', path, () => layer.syncDirectory(path));
  if (end === undefined) return undefined;
  const bytes = surplus.reduce((sum, { fileBytes }) => sum + fileBytes, 0);
  if (cut === undefined) return { file: end.file, offset: end.offset, bytes };
  onFile('cut', cut.path, () =>
    withFile(layer, cut.path, 'write', (fd) => {
      layer.truncate(fd, cut.soundBytes);
      layer.fdatasync(fd);
    }),
  );
  return { file: end.file, offset: end.offset, bytes: bytes + cut.fileBytes - cut.soundBytes };
}

/**
 * Writes once more what is not proven to have been durable. The process that wrote it may have ended before it synced, or
 * because its sync failed: then these pages count as clean though the disk never took them, and a sync alone does nothing.
 */
function makeDurable({ segments, provenSequence }: RecoveryPlan, { layer }: LogDirectory, buffer: RecordViews): void {
  for (const segment of segments) {
    if (segment.lastSequence <= provenSequence) continue;
    onFile('make durable', segment.path, () =>
      withFile(layer, segment.path, 'write', (fd) => {
        rewriteBehind(layer, fd, segment, provenSequence, buffer);
        layer.fdatasync(fd);
      }),
    );
  }
}

function rewriteBehind(
  layer: FileLayer,
  fd: number,
  { soundBytes }: SegmentSurvey,
  proven: number,
  buffer: RecordViews,
): void {
  const reader = new FrameReader(layer, fd, HEADER_BYTES, soundBytes, buffer);
  for (let whole = reader.whole(MAX_RECORD_BYTES); whole > 0; whole = reader.whole(MAX_RECORD_BYTES)) {
    const { bytes, words, floats } = reader.views;
    const end = reader.start + whole;
    while (reader.start < end && floats[(reader.start >> 3) + RecordField.sequence] <= proven) {
      reader.start += words[(reader.start >> 2) + RecordField.bytes];
    }
    if (reader.start < end) writeAll(layer, fd, bytes, reader.start, end - reader.start, reader.offset);
    reader.start = end;
  }
}

/** @returns how many records it gave to the sink */
function replaySegment(
  layer: FileLayer,
  segment: SegmentSurvey,
  buffer: RecordViews,
  base: number,
  sink: RecoverySink,
): number {
  return onFile('read', segment.path, () =>
    withFile(layer, segment.path, 'read', (fd) => {
      let records = 0;
      const reader = new FrameReader(layer, fd, HEADER_BYTES, segment.soundBytes, buffer);
      for (let whole = reader.whole(MAX_RECORD_BYTES); whole > 0; whole = reader.whole(MAX_RECORD_BYTES)) {
        const { views } = reader;
        const { words, floats } = views;
        const end = reader.start + whole;
        for (let at = reader.start; at < end; at += words[(at >> 2) + RecordField.bytes]) {
          if (floats[(at >> 3) + RecordField.sequence] <= base) continue;
          replayRecord(views, at, sink);
          records++;
        }
        reader.start = end;
      }
      return records;
    }),
  );
}
