/** Values from stdin. */
import { UsageError } from './command.js';

/** No server takes a larger value. */
const MAX_BYTES = 64 * 2 ** 20;

/** Everything up to the end, byte for byte. @throws UsageError for more than any server takes */
export async function readStdin(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes > MAX_BYTES) throw new UsageError('stdin holds more than the 64 MiB that a value can have');
  }
  return Buffer.concat(chunks, bytes);
}
