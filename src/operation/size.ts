/** SIZE: how many keys the store holds; one that has expired counts until its memory is taken back. */
import type { Operation } from './operation.js';

export const size: Operation<number> = {
  name: 'size',
  opcode: 9,
  scope: 'all',
  apply(_request, response, { store }) {
    response.number(store.size());
  },
  decode: (response) => response.number,
};
