/** How calls fail for reasons that are not the operation's: each says whether it was executed, as far as is known. */
import { type Executed, KvsError } from '../errors.js';

export function timedOut(name: string, executed: Executed): KvsError {
  const message = `the request timed out waiting for the server named ${JSON.stringify(name)}: ${fate(executed)}`;
  return new KvsError('ERR_KVS_TIMEOUT', message, { executed });
}

export function serverGone(name: string, executed: Executed, cause?: unknown): KvsError {
  const message = `the server named ${JSON.stringify(name)} has stopped or died: ${fate(executed)}`;
  return new KvsError('ERR_KVS_SERVER_GONE', message, { executed, cause });
}

export function expelled(name: string, executed: Executed): KvsError {
  const message = `the server named ${JSON.stringify(name)} does not serve this client for a while (see its log): ${fate(executed)}`;
  return new KvsError('ERR_KVS_EXPELLED', message, { executed });
}

/** Why a session is of no more use. */
export const lost = ({ isExpelled }: { readonly isExpelled: boolean }) => (isExpelled ? expelled : serverGone);

export function aborted(signal: AbortSignal | undefined, executed: Executed): KvsError {
  return new KvsError('ERR_KVS_ABORTED', `the request was cancelled: ${fate(executed)}`, {
    executed,
    cause: signal?.reason,
  });
}

const fate = (executed: Executed): string =>
  executed === 'no' ? 'it was not executed, and will not be' : 'it is not known whether it was executed';
