/** Whose files a directory holds, by their headers alone. */
import type { KvsError } from '../errors.js';
import { onFile } from './failure.js';
import { type FileLayer, withFile } from './file-layer.js';
import { decodeHeader, type FileKind, type Header, HEADER_BYTES } from './header.js';
import { listLogFiles } from './names.js';

export interface Owners {
  /** Identities of stores that sound headers name, 16 hex digits each. */
  readonly storeIds: ReadonlySet<string>;
  /** Whether there is any segment or snapshot, sound or not. */
  readonly hasFiles: boolean;
  /** Of the last segment; undefined: there is none, or its header cannot be read. */
  readonly lastSalt: number | undefined;
}

/** @throws KvsError ERR_KVS_LOG_FORMAT for a newer version's or another program's file, ERR_KVS_LOG_FAILED, ERR_KVS_LOG_DIR */
export function ownersOf(directory: string, layer: FileLayer): Owners {
  const { snapshots, segments } = onFile('list', directory, () => listLogFiles(directory, layer));
  const storeIds = new Set<string>();
  const look = (kind: FileKind, path: string): Header | undefined => {
    const header = headerOf(kind, path, layer);
    if (header !== undefined) storeIds.add(header.storeId);
    return header;
  };
  for (const { path } of snapshots) look('snapshot', path);
  let last: Header | undefined;
  for (const { path } of segments) last = look('segment', path);
  return { storeIds, hasFiles: snapshots.length + segments.length > 0, lastSalt: last?.salt };
}

/** @returns undefined: damaged, or the disk does not give it */
function headerOf(kind: FileKind, path: string, layer: FileLayer): Header | undefined {
  const bytes = new Uint8Array(HEADER_BYTES);
  try {
    const length = onFile('read', path, () =>
      withFile(layer, path, 'read', (fd) => layer.read(fd, bytes, 0, HEADER_BYTES, 0)),
    );
    return decodeHeader(kind, path, bytes.subarray(0, length));
  } catch (error) {
    if ((error as KvsError).code === 'ERR_KVS_LOG_FAILED') return undefined;
    throw error;
  }
}
