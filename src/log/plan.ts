/**
 * What a recovery would do with the files of a directory, by looking alone: which snapshot, which records, what is a torn
 * tail and what is damage. A log may end early only behind everything that is proven to have been durable.
 */
import { type LogFiles, listLogFiles, type NumberedFile } from './names.js';
import { notOfLog, onFile } from './failure.js';
import type { FileLayer } from './file-layer.js';
import type { RecordViews } from './record.js';
import { type SegmentSurvey, surveySegment } from './segment-survey.js';
import { type SnapshotSurvey, surveySnapshot } from './snapshot-reader.js';

export interface Damage {
  readonly file: string;
  readonly offset: number;
  readonly what: string;
  /** The first record that is missing there. */
  readonly missing: number;
}

export interface RecoveryPlan {
  readonly storeId: string | undefined;
  readonly snapshot: SnapshotSurvey | undefined;
  /** Snapshots that were newer and are damaged. */
  readonly passedOver: readonly SnapshotSurvey[];
  /** Records up to here come from elsewhere: the snapshot, or what survived in memory. */
  readonly base: number;
  /** To be read in this order, each up to its `soundBytes`. */
  readonly segments: readonly SegmentSurvey[];
  readonly lastSequence: number;
  /** That any of the files names, 0: none. */
  readonly highestVersion: number;
  /** Everything up to here was durable once. */
  readonly provenSequence: number;
  /** Where the log ends before its files do; undefined: it does not. */
  readonly end: Damage | undefined;
  /** Whether it had been durable behind its end: then nothing may be cut. */
  readonly isDamaged: boolean;
  /** To be cut at its `soundBytes`: a segment of `segments`. */
  readonly cut: SegmentSurvey | undefined;
  /** Segments behind the end, and one there whose header is damaged. */
  readonly surplus: readonly SegmentSurvey[];
  readonly unfinished: readonly string[];
}

/** @throws KvsError ERR_KVS_LOG_FORMAT, ERR_KVS_LOG_FAILED, ERR_KVS_LOG_DIR */
export function planRecovery(
  directory: string,
  layer: FileLayer,
  buffer: RecordViews,
  after: number | undefined,
): RecoveryPlan {
  const files = onFile('list', directory, () => listLogFiles(directory, layer));
  const passedOver: SnapshotSurvey[] = [];
  const snapshot = after === undefined ? newestSound(files, layer, buffer, passedOver) : undefined;
  const base = after ?? snapshot?.sequence ?? 0;
  const surveys = segmentsBehind(base, files.segments).map((file) => surveySegment(layer, file, buffer));
  const storeId = commonStore([...(snapshot === undefined ? [] : [snapshot]), ...passedOver, ...surveys]);
  // A snapshot gets its name when the log is durable up to its last effect.
  const proven = Math.max(
    0,
    ...(after === undefined ? files.snapshots.map(({ sequence }) => sequence) : []),
    snapshot?.footer?.lastSequence ?? 0,
    ...surveys.map(({ durableSequence }) => durableSequence),
  );
  const chain = follow(base, surveys);
  const end = chain.end ?? endTooEarly(directory, chain.lastSequence, proven, surveys) ?? endBefore(after, surveys);
  const isHeadless = chain.cut !== undefined && chain.cut.header === undefined;
  return {
    storeId,
    snapshot,
    passedOver,
    base,
    segments: chain.used.filter(({ header }) => header !== undefined),
    lastSequence: chain.lastSequence,
    highestVersion: Math.max(snapshot?.footer?.highestVersion ?? 0, ...surveys.map((survey) => survey.highestVersion)),
    provenSequence: proven,
    end,
    isDamaged: end !== undefined && Math.max(proven, after ?? 0) >= end.missing,
    cut: isHeadless ? undefined : chain.cut,
    surplus: isHeadless ? [chain.cut, ...chain.surplus] : chain.surplus,
    unfinished: files.unfinished,
  };
}

function newestSound(
  { snapshots }: LogFiles,
  layer: FileLayer,
  buffer: RecordViews,
  passedOver: SnapshotSurvey[],
): SnapshotSurvey | undefined {
  for (const file of snapshots) {
    const survey = surveySnapshot(layer, file, buffer);
    if (survey.footer !== undefined) return survey;
    passedOver.push(survey);
  }
  return undefined;
}

/** From the segment on that the record behind `base` would be in. */
function segmentsBehind(base: number, segments: readonly NumberedFile[]): readonly NumberedFile[] {
  const first = segments.findLastIndex(({ sequence }) => sequence <= base + 1);
  return segments.slice(Math.max(0, first));
}

/** @throws KvsError ERR_KVS_LOG_FORMAT when files are of several stores */
function commonStore(surveys: readonly (SnapshotSurvey | SegmentSurvey)[]): string | undefined {
  let storeId: string | undefined;
  for (const { header, path } of surveys) {
    if (header === undefined) continue;
    storeId ??= header.storeId;
    if (header.storeId !== storeId) {
      throw notOfLog(path, `is of store ${header.storeId}, others here are of ${storeId}: move it elsewhere`);
    }
  }
  return storeId;
}

interface Chain {
  readonly used: SegmentSurvey[];
  readonly lastSequence: number;
  readonly end: Damage | undefined;
  readonly cut: SegmentSurvey | undefined;
  readonly surplus: readonly SegmentSurvey[];
}

/** Goes from segment to segment as long as each record is there. */
function follow(base: number, surveys: readonly SegmentSurvey[]): Chain {
  const used: SegmentSurvey[] = [];
  let last = base;
  for (const [i, survey] of surveys.entries()) {
    const { path, sequence, header, soundBytes, fileBytes } = survey;
    if (sequence > last + 1) {
      const what = `records ${last + 1} to ${sequence - 1} are missing in front of it`;
      return {
        used,
        lastSequence: last,
        end: { file: path, offset: 0, what, missing: last + 1 },
        cut: undefined,
        surplus: surveys.slice(i),
      };
    }
    used.push(survey);
    last = Math.max(last, survey.lastSequence);
    if (header === undefined || soundBytes < fileBytes) {
      const what = header === undefined ? 'its header is not sound' : `record ${survey.lastSequence + 1} is not sound`;
      const end = { file: path, offset: soundBytes, what, missing: survey.lastSequence + 1 };
      return { used, lastSequence: last, end, cut: survey, surplus: surveys.slice(i + 1) };
    }
  }
  return { used, lastSequence: last, end: undefined, cut: undefined, surplus: [] };
}

/** What is missing at the end of a log may leave no trace but what others prove. */
function endTooEarly(
  directory: string,
  last: number,
  proven: number,
  surveys: readonly SegmentSurvey[],
): Damage | undefined {
  if (proven <= last) return undefined;
  const segment = surveys.at(-1);
  const what = `the log ends with record ${last}, though ${proven} had been durable`;
  return { file: segment?.path ?? directory, offset: segment?.fileBytes ?? 0, what, missing: last + 1 };
}

/** A store that survived in memory with effects that the log lacks: what comes next would leave a gap. */
function endBefore(after: number | undefined, surveys: readonly SegmentSurvey[]): Damage | undefined {
  const segment = surveys.at(-1);
  if (after === undefined || segment === undefined || segment.lastSequence >= after) return undefined;
  const what = `the log ends with record ${segment.lastSequence}, the store in memory has effects up to ${after}`;
  return { file: segment.path, offset: segment.fileBytes, what, missing: segment.lastSequence + 1 };
}
