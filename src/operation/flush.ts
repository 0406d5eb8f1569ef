/** FLUSH: removes every key. Each key is removed at some moment between call and return, not all in one. */
import type { Operation } from './operation.js';

export const flush: Operation<true> = {
  name: 'flush',
  opcode: 11,
  scope: 'all',
  apply(_request, response, { store }) {
    response.status(store.flush());
  },
  decode: () => true,
};
