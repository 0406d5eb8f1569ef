/** Whose files a directory holds, by their headers alone. */
import { onFile } from './failure.js';
import { type FileLayer, withFile } from './file-layer.js';
import { decodeHeader, HEADER_BYTES } from './header.js';
import { listLogFiles } from './names.js';

/**
 * @returns the identities of stores that sound headers name, 16 hex digits each; none: it is empty, or all are damaged
 * @throws KvsError ERR_KVS_LOG_FORMAT for a newer version's or another program's file, ERR_KVS_LOG_FAILED, ERR_KVS_LOG_DIR
 */
export function storeIdsOf(directory: string, layer: FileLayer): Set<string> {
  const { snapshots, segments } = onFile('list', directory, () => listLogFiles(directory, layer));
  const ids = new Set<string>();
  const look = (kind: 'snapshot' | 'segment', path: string): void => {
    const bytes = new Uint8Array(HEADER_BYTES);
    const length = onFile('read', path, () =>
      withFile(layer, path, 'read', (fd) => layer.read(fd, bytes, 0, HEADER_BYTES, 0)),
    );
    const id = decodeHeader(kind, path, bytes.subarray(0, length))?.storeId;
    if (id !== undefined) ids.add(id);
  };
  for (const { path } of snapshots) look('snapshot', path);
  for (const { path } of segments) look('segment', path);
  return ids;
}
