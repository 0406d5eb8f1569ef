/** PING: a round trip through a worker that touches no data. */
import type { Operation } from './operation.js';

export const ping: Operation<true> = {
  name: 'ping',
  opcode: 10,
  scope: 'key',
  apply() {
    // The empty success is the answer.
  },
  decode: () => true,
};
