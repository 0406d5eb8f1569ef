/** SNAPSHOT: asks for a snapshot of the whole store in the files of its log. */
import { Status } from '../errors.js';
import type { Operation } from './operation.js';

/** @returns its number: it is there once `stats().log.snapshotsServed` has reached it; 0: the server keeps no log */
export const snapshot: Operation<number> = {
  name: 'snapshot',
  opcode: 30,
  scope: 'key',
  apply(_request, response, server) {
    const asked = server.askForSnapshot();
    if (asked === 0) response.status(Status.no);
    response.number(asked);
  },
  decode: (response) => response.number,
};
