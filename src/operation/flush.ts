/** FLUSH: removes every key. Each key is removed at some moment between call and return, not all in one. */
import { Status } from '../errors.js';
import type { Operation } from './operation.js';

export const flush: Operation<true> = {
  name: 'flush',
  opcode: 11,
  scope: 'all',
  apply(_request, response, { store }) {
    const status = store.flush();
    response.status(status === Status.notDurable && store.effects > 0 ? Status.partlyFlushed : status);
  },
  decode: () => true,
};
