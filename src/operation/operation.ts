/**
 * What an operation is: one opcode, what a worker does for it, and how a client reads the answer.
 * A new operation is one file beside this one, one row in table.ts, one test.
 */
import type { Codec } from '../codec/codec.js';
import type { RequestView } from './request-view.js';
import type { ResponseWriter } from './response-writer.js';
import type { Answer } from './response-view.js';
import type { ServerContext } from './server-context.js';

export interface Operation<Result = unknown, Value = unknown> {
  readonly name: string;
  /** Below MAX_OPERATIONS; numbers never change their meaning within a layout version. */
  readonly opcode: number;
  /**
   * What other operations of the same client it must wait for and hold back: those on its key, those on each key of its
   * batch, or all of them.
   */
  readonly scope: 'key' | 'batch' | 'all';
  /** Executes in a worker. Whatever it throws fails this request alone. */
  apply(request: RequestView, response: ResponseWriter, server: ServerContext): void;
  /** Reads the answer in the client. @throws KvsError for an error status or a foreign codec */
  decode(response: Answer, codec: Codec<Value>): Result;
}
