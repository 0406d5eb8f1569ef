/**
 * What is audited: both segments of a region, mapped read-only. It takes no lease and writes nothing, so it needs no
 * server and disturbs nobody; what it reads, anybody may have written.
 */
import { KvsError } from '../errors.js';
import { CtlHeader, DATA_MAGIC, DataHeader, type Geometry, geometryOf, RegionState } from '../memory/layout.js';
import {
  checkTrust,
  closeQuietly,
  corrupt,
  defaultShmDir,
  noRegion,
  openRegionFile,
  readCtlHeader,
  regionIdOf,
  regionPaths,
} from '../memory/region-files.js';
import { type SegmentViews, viewsOf } from '../memory/segment.js';
import { load } from '../memory/words.js';
import { native } from '../native.js';

export interface AuditedRegion {
  readonly name: string;
  readonly path: string;
  readonly geometry: Geometry;
  readonly ctl: SegmentViews;
  readonly data: SegmentViews;
  /** To ask for locks; without any of its own. */
  readonly ctlFd: number;
}

export interface AuditedFiles {
  readonly name: string;
  /** By default where region files are. */
  readonly shmDir?: string | undefined;
  /** Whether to look at what was put aside under the name instead. */
  readonly isArchived?: boolean;
}

/**
 * Maps a region to look at; closeAudited() it.
 * @throws KvsError ERR_KVS_NO_REGION, NOT_OURS, CORRUPT, LAYOUT, NOT_READY: there is nothing in it yet
 */
export function openAudited({ name, shmDir = defaultShmDir(), isArchived = false }: AuditedFiles): AuditedRegion {
  const paths = regionPaths(name, shmDir);
  const path = isArchived ? paths.archivedCtl : paths.ctl;
  const ctlFd = openRegionFile(path, false);
  if (ctlFd === undefined) throw isArchived ? noArchive(name, path) : noRegion(name, path);
  try {
    checkTrust(path, ctlFd);
    const { shape, regionId } = readCtlHeader(path, ctlFd);
    const geometry = geometryOf(shape);
    const ctl = viewsOf(native.mapSegment(ctlFd, geometry.ctlBytes, false));
    if (load(ctl.words, CtlHeader.state) === RegionState.starting) throw notReady(name);
    const data = mapData(isArchived ? paths.archivedData : paths.data, geometry, regionId);
    return { name, path, geometry, ctl, data, ctlFd };
  } catch (error) {
    closeQuietly(ctlFd);
    throw error;
  }
}

export const closeAudited = ({ ctlFd }: AuditedRegion): void => closeQuietly(ctlFd);

function mapData(path: string, { dataBytes }: Geometry, regionId: string): SegmentViews {
  const fd = openRegionFile(path, false);
  if (fd === undefined) throw corrupt(path, 'is missing beside its ctl file');
  try {
    const { size } = checkTrust(path, fd);
    if (size !== dataBytes) throw corrupt(path, `has ${size} bytes, its region needs ${dataBytes}`);
    const data = viewsOf(native.mapSegment(fd, size, false));
    if (data.words[DataHeader.magic] !== DATA_MAGIC || regionIdOf(data, DataHeader.regionId) !== regionId) {
      throw corrupt(path, 'belongs to another region than its ctl file');
    }
    return data;
  } finally {
    closeQuietly(fd);
  }
}

const noArchive = (name: string, path: string): KvsError =>
  new KvsError('ERR_KVS_NO_REGION', `nothing of a server named ${JSON.stringify(name)} was put aside (${path})`);

const notReady = (name: string): KvsError =>
  new KvsError(
    'ERR_KVS_NOT_READY',
    `the server named ${JSON.stringify(name)} is starting, or died before it was ready`,
  );
