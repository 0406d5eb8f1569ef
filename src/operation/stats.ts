/** STATS: the server's statistics, as JSON. */
import type { Operation } from './operation.js';

export const stats: Operation = {
  name: 'stats',
  opcode: 12,
  scope: 'key',
  apply(_request, response, server) {
    const text = JSON.stringify(server.statistics());
    if (response.reserve(Buffer.byteLength(text))) response.target.bytes.write(text, response.offset);
  },
  decode: (response) => JSON.parse(response.source.utf8Slice(response.start, response.end)) as unknown,
};
