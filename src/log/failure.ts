/** System errors of the log's disk, as the errors that callers see: each says what to do. */
import { KvsError, type KvsErrorCode } from '../errors.js';

const CODES: Readonly<Record<string, { code: KvsErrorCode; advice: string } | undefined>> = {
  ENOSPC: { code: 'ERR_KVS_NO_SPACE', advice: 'the disk is full: make room' },
  EDQUOT: { code: 'ERR_KVS_NO_SPACE', advice: "the user's quota is used up: make room" },
  EROFS: {
    code: 'ERR_KVS_LOG_DIR',
    advice: 'the file system is read-only: mount it writable, or choose another directory',
  },
  EACCES: { code: 'ERR_KVS_LOG_DIR', advice: 'no permission: run as the owner, or choose another directory' },
  EPERM: { code: 'ERR_KVS_LOG_DIR', advice: 'not permitted: run as the owner, or choose another directory' },
  ENOENT: { code: 'ERR_KVS_LOG_DIR', advice: 'it does not exist: create the directory that it is to be in' },
  ENOTDIR: { code: 'ERR_KVS_LOG_DIR', advice: 'part of the path is not a directory: choose another' },
  ELOOP: { code: 'ERR_KVS_LOG_FORMAT', advice: 'it is a symbolic link: files of a log are plain files' },
  EISDIR: { code: 'ERR_KVS_LOG_FORMAT', advice: 'it is a directory: files of a log are plain files' },
};

export const isNoSpace = (error: unknown): boolean => {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
};

/**
 * @param doing as in "could not write <path>"
 * @returns what to throw: a KvsError for system errors, others as they are
 */
export function logError(cause: unknown, doing: string, path: string): unknown {
  const { code, syscall } = cause as NodeJS.ErrnoException;
  if (cause instanceof KvsError || code === undefined || syscall === undefined) return cause;
  const known = CODES[code];
  const advice = known?.advice ?? 'the disk or its file system has failed: see the log of the kernel';
  return new KvsError(known?.code ?? 'ERR_KVS_LOG_FAILED', `could not ${doing} ${path} (${code}): ${advice}`, {
    cause,
    file: path,
  });
}

/** Runs an access to a file. @throws logError() of what it throws */
export function onFile<T>(doing: string, path: string, access: () => T): T {
  try {
    return access();
  } catch (error) {
    throw logError(error, doing, path);
  }
}

/** Damage that no crash explains. */
export function damaged(file: string, offset: number, what: string, repair: string): KvsError {
  return new KvsError(
    'ERR_KVS_LOG_DAMAGED',
    `${file} is damaged at byte ${offset}: ${what}; restore it from a backup, or start once with --repair, which ${repair}`,
    { file, offset },
  );
}

export const notOfLog = (file: string, what: string): KvsError =>
  new KvsError('ERR_KVS_LOG_FORMAT', `${file} ${what}`, { file });
