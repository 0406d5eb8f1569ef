/** MGET: one hand-off for many GETs. Answers as many as fit one response; the client asks again for the rest. */
import { pad4 } from '../alignment.js';
import { MISSING, RESULT_HEADER_BYTES } from '../codec/batch.js';
import type { Codec } from '../codec/codec.js';
import { Status } from '../errors.js';
import { copyBytes } from '../memory/copy.js';
import type { Operation } from './operation.js';
import { overwritten, type Answer } from './response-view.js';

/** @returns one value or undefined per item handled; fewer than asked for: ask again for the others */
export const mget: Operation<unknown[]> = {
  name: 'mget',
  opcode: 14,
  scope: 'batch',
  apply(request, response, { store, batch, scratch }) {
    let handled = 0;
    let used = 0;
    batch.begin();
    for (let more = batch.next(); more !== 0; more = batch.next()) {
      if (more < 0) return response.status(Status.badRequest);
      const hash = batch.hash();
      store.lock(hash);
      try {
        const granule = store.find(hash, request.source, batch.keyOffset, batch.keyBytes);
        if (granule !== 0) store.use();
        const valueBytes = granule === 0 ? 0 : store.map.valueBytesOf(granule);
        const needed = RESULT_HEADER_BYTES + pad4(valueBytes);
        if (!scratch.reserve(used, needed)) break;
        const { views } = scratch;
        views.words[used / 4] = granule === 0 ? MISSING : valueBytes;
        views.words[used / 4 + 1] = granule === 0 ? 0 : store.map.codecOf(granule);
        if (granule !== 0) store.copyValue(granule, views, used + RESULT_HEADER_BYTES);
        used += needed;
        handled++;
      } finally {
        store.unlock(hash);
      }
    }
    if (!response.reserve(used)) return;
    copyBytes(scratch.views, 0, response.target, response.offset, used);
    response.count(handled);
  },
  // No array literal: client/batch.ts tells why.
  decode: (response, codec) => Array.from(eachValueOf(response, codec)),
};

function* eachValueOf(response: Answer, codec: Codec<unknown>): Iterable<unknown> {
  let offset = response.start;
  for (let i = 0; i < response.count && offset + RESULT_HEADER_BYTES <= response.end; i++) {
    const bytes = response.source.readInt32LE(offset);
    const tag = response.source.readInt32LE(offset + 4);
    const start = offset + RESULT_HEADER_BYTES;
    if (bytes !== MISSING && (bytes < 0 || bytes > response.end - start)) throw overwritten();
    yield bytes === MISSING ? undefined : codec.decode(response.source, start, start + bytes, tag);
    offset = start + pad4(Math.max(bytes, 0));
  }
}
